"""What `check` says of work that was given up: each is a result that somebody waits for."""

from collections.abc import Iterator

from node.config import Settings
from node.domain.lifecycle import State
from node.pipeline.check_line import CheckLine
from node.pipeline.intake.synthetic_in_files import test_peers
from node.store.database import Database
from node.store.listing import views
from node.store.registering import registry
from node.store.tables.choices import DeliveryKind, Mode
from node.store.working import given_up

_STUDIES_SHOWN = 5
_JOBS = (
    "a study that is corrected and sent again is reported, too; `pacs-node release --job ID --discard` ends a compose "
    "of which no result is wanted"
)
_DELIVERIES = "`pacs-node release --delivery ID --discard` ends one that is not wanted"


def lines(settings: Settings, database: Database) -> Iterator[CheckLine]:
    """Yield a fault for what somebody waits for, and a note for what a report speaks of or the mode keeps here."""
    unreported = database.read(given_up.unreported)
    read = len(database.read(lambda tx: views.jobs(tx, (State.BURIED,)))) - len(unreported)
    yield from _given_up("queue", unreported, _JOBS)
    buried = database.read(lambda tx: views.deliveries(tx, (State.BURIED,)))
    sending = {row.name for row in database.read(registry.all) if row.mode is Mode.ACTIVE}
    reached = test_peers(settings)
    wanted = [
        row
        for row in buried
        if row["model"] in sending or row["peer"] in reached or row["kind"] == DeliveryKind.REJECTION_NOTE
    ]
    yield from _given_up("deliveries", [row["study_instance_uid"] for row in wanted], _DELIVERIES)
    if read:
        where = "as the reports on them say where one is wanted"
        text = f"{read} images could not be read, {where}: `pacs-node queue` says why"
        yield CheckLine("queue", "note", text)
    if len(buried) > len(wanted):
        others = len(buried) - len(wanted)
        text = f"{others} more were given up, of models that are not active: `pacs-node deliveries` lists them"
        yield CheckLine("deliveries", "note", text)


def _given_up(subject: str, of_studies: list[str], way_out: str) -> Iterator[CheckLine]:
    if not of_studies:
        return
    studies = list(dict.fromkeys(of_studies))
    named = ", ".join(studies[:_STUDIES_SHOWN]) + (" and more" if len(studies) > _STUDIES_SHOWN else "")
    text = (
        f"{len(of_studies)} were given up, so that results are missing, of study {named}: `pacs-node {subject}` says "
        f"why, `pacs-node retry --all` tries them again; {way_out}"
    )
    yield CheckLine(subject, "fault", text)
