"""What an operator asks of a node's database, and changes in it: listings and retry."""

from collections.abc import Collection
from datetime import datetime
from typing import Any

from node.config import Settings
from node.domain.errors import OperatorError
from node.domain.lifecycle import State
from node.pipeline.analysis import completion_signals
from node.pipeline.analysis.offering import audience
from node.pipeline.delivery import delivery_standing
from node.pipeline.intake.synthetic_in_files import ask_files, test_peers
from node.pipeline.opened import open_database, read_once
from node.pipeline.stopping import misnamed
from node.store import audit, schema
from node.store.database import Transaction
from node.store.disk.files import InstanceFiles
from node.store.listing import views
from node.store.registering import registry
from node.store.stopping import recalls, taken_back
from node.store.tables.choices import Mode
from node.store.working import analyses, findings, given_up
from node.store.working import queue as queue_jobs

STUDIES_COLUMNS = (
    "study_instance_uid",
    "accession_number",
    "modalities",
    "instances",
    "synthetic",
    "last_received_at",
    "state",
    "outcomes",
    "modes",
    "deliveries",
    "turned_away",
)
QUEUE_COLUMNS = ("id", "kind", "model", "study_instance_uid", "state", "due_at", "attempt", "last_error")
DELIVERIES_COLUMNS = (
    *("id", "peer", "kind", "model", "study_instance_uid", "state", "due_at", "attempt"),
    *("last_answer", "paused_until", "overdue", "last_error"),
)

SETTLED = tuple(state for state in State if state not in views.NOT_SETTLED)


def migrate(settings: Settings, now: datetime) -> str:
    """Bring the database to the newest schema, ask the files what no row knows yet, and say what was done."""
    before, newest = schema.current(settings.database.url), schema.head()
    if before != newest:
        schema.upgrade(settings.database.url)
    asked = _ask_files(settings, now) if before else 0
    read = f"; {asked} stored instances were asked whether they are synthetic" if asked else ""
    if before == newest:
        return f"the database is at revision {newest} already{read}"
    return f"the database went from {f'revision {before}' if before else 'empty'} to revision {newest}{read}"


def _ask_files(settings: Settings, now: datetime) -> int:
    with open_database(settings) as database:
        return ask_files(database, InstanceFiles(settings.node.data_dir), test_peers(settings), now)


def studies(settings: Settings, now: datetime, limit: int | None = None) -> list[dict[str, Any]]:
    """Return studies as `node.store.listing.views.studies` lists them, the newest first; all, or so many."""
    rows = read_once(settings, lambda tx: views.studies(tx, limit, now=now))
    modes = _modes(settings)
    return [{**row, "modes": {model: modes.get(model, "off") for model in row["outcomes"]}} for row in rows]


def study(settings: Settings, uid: str, now: datetime) -> dict[str, Any]:
    """Return everything about one study.

    Raises
    ------
    OperatorError
        Where it is not held.
    """
    found = read_once(settings, lambda tx: _study(tx, uid, now, settings.deliver.age_alarm_s))
    if found is None:
        raise OperatorError(f"no study {uid} is held: `pacs-node studies` lists those that are")
    modes = _modes(settings)
    return {
        **found,
        "modes": {model: modes.get(model, "off") for model in found["outcomes"]},
        "standing": _standing(settings, found),
    }


def complete(settings: Settings, uid: str, who: str, now: datetime) -> str:
    """Let a study count as complete now, and say what that means.

    Raises
    ------
    OperatorError
        Where it is not held.
    """
    with open_database(settings) as database:
        forced = database.write(lambda tx: completion_signals.force(tx, uid, who, now))
    if forced:
        return f"study {uid} counts as complete: what is not read yet is read first, and then it is reported"
    state = study(settings, uid, now)["state"]
    return f"study {uid} waits for no more images (it is {state}): `pacs-node studies {uid}` says what came of it"


def recompose(settings: Settings, uid: str, who: str, now: datetime) -> str:
    """Let the results of a study be made anew by the configuration as it is now, and say what that means.

    Raises
    ------
    OperatorError
        Where it has none, or the version that serves now was recalled, or cannot read its images any more.
    """
    with open_database(settings) as database:
        models, kept = database.write(lambda tx: _recompose(tx, uid, who, now))
        getting = database.read(lambda tx: _getting(tx, settings, uid, models))
    to = f"to {', '.join(getting)}" if getting else "and nobody gets it as things stand: its model's mode, its origin"
    said = f"study {uid} is reported anew by {', '.join(models)}, {to}"
    return ". ".join([said, *(f"Not by {model}: {why}" for model, why in kept.items())])


def _getting(tx: Transaction, settings: Settings, uid: str, models: Collection[str]) -> list[str]:
    """Return the peers that would get the newest results of these models today."""
    newest = {one.model: one for one in analyses.of_study(tx, uid) if one.model in models}
    names = {name for one in newest.values() for name in audience(tx, settings.peers, one)}
    return [peer.name for peer in settings.peers if peer.name in names]


def _recompose(tx: Transaction, uid: str, who: str, now: datetime) -> tuple[list[str], dict[str, str]]:
    known = {one.model: registry.get(tx, one.model) for one in analyses.of_study(tx, uid)}
    running = [one for one in known.values() if one is not None and one.mode is not Mode.OFF]
    if not running:
        text = f"no model that runs has a result of a study {uid}: `pacs-node studies {uid}` says what came"
        raise OperatorError(text)
    kept = {one.name: why for one in running if (why := recalls.why(tx, one.name, one.version))}
    if len(kept) == len(running):
        raise OperatorError(f"nothing would leave: {'; '.join(kept.values())}")
    running = [one for one in running if one.name not in kept]
    for model in running:
        if gone := findings.removed_unread(tx, uid, model.name, model.version):
            raise OperatorError(
                f"the files of {len(gone)} images were removed for their age before {model.name} {model.version} could "
                "read them, so that it would say less than before: send them again first"
            )
        if findings.removed(tx, uid) and (shown := taken_back.heat_maps(tx, uid, model.name)):
            at = ", ".join(sorted({one.peer for one in shown}))
            raise OperatorError(
                f"the heat map of {model.name} at {at} would be taken back and none drawn in its place: files of the "
                "study were removed for their age: send its images again first"
            )
    models = sorted(model.name for model in running)
    analyses.want_anew(tx, uid, models, who)
    queue_jobs.schedule_composes(tx, {(uid, model): now for model in models})
    audit.add(tx, now, "recompose asked", uid, models=models, by=who)
    return models, kept


def _study(tx: Transaction, uid: str, now: datetime, alarm_s: float) -> dict[str, Any] | None:
    found = views.study(tx, uid, now=now)
    if found is None:
        return None
    sent = delivery_standing.told_of(tx, found["deliveries_made"], now, alarm_s)
    said = {**found, "deliveries_made": sent, **misnamed.told_of(tx, uid, found["analyses"])}
    made = [one | {"recalled": recalls.why(tx, one["model"], one["version"])} for one in said["analyses"]]
    return said | {"analyses": made}


def _standing(settings: Settings, study: dict[str, Any]) -> list[str]:
    """Return the real peers that hold a report about a study that is synthetic."""
    holding = {delivery["peer"] for delivery in study["deliveries_made"] if delivery["state"] == State.DONE}
    return sorted(holding - test_peers(settings)) if study["synthetic"] else []


def instances(settings: Settings) -> list[dict[str, Any]]:
    """Return all stored instances in the order in which they came."""
    return read_once(settings, views.instances)


def queue(settings: Settings) -> list[dict[str, Any]]:
    """Return the jobs that wait, run or are buried."""
    return read_once(settings, views.jobs)


def deliveries(settings: Settings, now: datetime, limit: int | None = None) -> list[dict[str, Any]]:
    """Return deliveries with what their peers say and how long they wait.

    All that are not settled come first, in the order in which they are claimed; then those that are, the newest first:
    all, or so many.
    """
    alarm_s = settings.deliver.age_alarm_s

    def listed(tx: Transaction) -> list[dict[str, Any]]:
        rows = [*views.deliveries(tx), *views.deliveries(tx, SETTLED, limit, newest_first=True)]
        return delivery_standing.told_of(tx, rows, now, alarm_s)

    return read_once(settings, listed)


def retry(settings: Settings, jobs: list[int], sent: list[int], now: datetime, *, everything: bool) -> int:
    """Put buried work back to waiting and return how much.

    Parameters
    ----------
    settings
        Whose database.
    jobs, sent
        Ids of buried jobs and deliveries.
    now
        When they are due.
    everything
        Whether all that is buried is meant, whatever the ids.
    """

    def put_back(tx: Transaction) -> int:
        count = given_up.retry(tx, "job", None if everything else jobs, now) if everything or jobs else 0
        return count + (given_up.retry(tx, "delivery", None if everything else sent, now) if everything or sent else 0)

    with open_database(settings) as database:
        count = database.write(put_back)
    if count < len(jobs) + len(sent) and not everything:
        raise OperatorError(
            f"{count} put back; the others are not buried: `pacs-node queue` and `pacs-node deliveries` list what is"
        )
    return count


def paused(settings: Settings, now: datetime) -> list[str]:
    """Return a line for each peer that is left alone for now; no retry ends that, its reports leave by themselves."""
    with open_database(settings) as database:
        return [f"deliveries to {one.peer}: {one.text}" for one in delivery_standing.behind_pauses(database, now)]


def _modes(settings: Settings) -> dict[str, str]:
    return {row.name: row.mode.value for row in read_once(settings, registry.all)}
