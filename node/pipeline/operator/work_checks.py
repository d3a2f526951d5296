"""What `check` says of work that was given up: each is a result that somebody waits for."""

from collections.abc import Iterator
from typing import Any

from node.config import Settings
from node.domain.lifecycle import State
from node.pipeline.check_line import CheckLine
from node.pipeline.intake.asking import test_peers
from node.store.database import Database
from node.store.listing import views
from node.store.registering import registry
from node.store.tables import Mode

_STUDIES_SHOWN = 5


def lines(settings: Settings, database: Database) -> Iterator[CheckLine]:
    """Yield a fault for jobs that were given up, and one for deliveries; a note for what the mode keeps here."""
    jobs = database.read(lambda tx: views.jobs(tx, (State.BURIED,)))
    if jobs:
        yield _given_up("queue", "queue", jobs)
    buried = database.read(lambda tx: views.deliveries(tx, (State.BURIED,)))
    sending = {row.name for row in database.read(registry.all) if row.mode is Mode.ACTIVE}
    wanted = [row for row in buried if row["model"] in sending or row["peer"] in test_peers(settings)]
    if wanted:
        yield _given_up("deliveries", "deliveries", wanted)
    if len(buried) > len(wanted):
        text = (
            f"{len(buried) - len(wanted)} more were given up, of models that are not active: `pacs-node deliveries` "
            "lists them"
        )
        yield CheckLine("deliveries", "note", text)


def _given_up(subject: str, verb: str, rows: list[dict[str, Any]]) -> CheckLine:
    studies = list(dict.fromkeys(row["study_instance_uid"] for row in rows))
    named = ", ".join(studies[:_STUDIES_SHOWN]) + (" and more" if len(studies) > _STUDIES_SHOWN else "")
    text = (
        f"{len(rows)} were given up, so that results are missing, of study {named}: `pacs-node {verb}` says why, "
        "`pacs-node retry --all` tries them again"
    )
    return CheckLine(subject, "fault", text)
