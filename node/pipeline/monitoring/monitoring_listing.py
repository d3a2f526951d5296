"""What an operator asks of monitoring: how each model stands now, its alarms, and a new reference."""

from datetime import datetime
from functools import partial
from typing import Any

from node.config import Settings
from node.domain.errors import OperatorError
from node.pipeline.apart import in_child
from node.pipeline.monitoring.model_figures import Budget, Watched, Window
from node.pipeline.monitoring.watch import Watch
from node.pipeline.monitoring.windows import compare
from node.pipeline.opened import open_database, read_once, write_once
from node.store import audit
from node.store.database import Database, Transaction
from node.store.learning import monitoring_records
from node.store.learning.monitoring_records import Range
from node.store.registering import registry
from node.store.tables.choices import Mode
from node.store.tables.monitoring_tables import AlarmKind, MonitorAlarm

MONITOR_COLUMNS = (
    *("model", "version", "mode", "sender", "modality", "images", "reference", "drift", "refused", "flags_per_100"),
    *("ppv", "agreement", "alarms"),
)
ALARM_COLUMNS = ("id", "raised_at", "kind", "model", "sender", "modality", "said", "stopped", "cleared_at")

_DEADLINE_S = 300.0
_LARGEST_REFERENCE = 2000


def monitor(settings: Settings, clock: Any) -> list[dict[str, Any]]:
    """Return how each model that runs stands now, a row for all its images and for each sender and modality.

    Returns
    -------
    list of dict
        ``model``, ``version``, ``mode``, ``sender`` and ``modality`` ("" of all), ``images`` (in the window),
        ``reference`` (images that it is compared with, and since when; or how many are still missing), ``drift``
        ("no", "yes", or "not known"), ``classifier`` and ``anomaly`` (null, or ``distance``, ``limit``, ``share``),
        ``refused`` (not admitted of the window), ``flags_per_100``, ``ppv``, ``agreement`` (of the latest 100 studies;
        null where not known), ``labelled`` (of them), ``alarms`` (what stands, in words).
    """
    with open_database(settings) as database:
        watch = Watch(database, settings.monitor, clock, partial(in_child, _DEADLINE_S, compare))
        rows = [row for row in database.read(registry.all) if row.mode is not Mode.OFF]
        stand = database.read(lambda tx: [_alarm(alarm) for alarm in monitoring_records.open_alarms(tx)])
        return [line | {"mode": row.mode.value} for row in rows for line in _lines(database, watch.watched(row), stand)]


def alarms(settings: Settings, limit: int) -> list[dict[str, Any]]:
    """Return the newest alarms, the newest first.

    Returns
    -------
    list of dict
        ``id``, ``raised_at``, ``kind``, ``model``, ``version``, ``sender``, ``modality``, ``said``, ``figures``,
        ``stopped`` (whether it moved the model to shadow), ``cleared_at`` (null while it stands).
    """
    return read_once(settings, lambda tx: [_alarm(alarm) for alarm in monitoring_records.alarms(tx, limit)])


def renew(settings: Settings, name: str, who: str, now: datetime) -> str:
    """Compare a model's images with its newest ones from now on, and say with how many.

    Raises
    ------
    OperatorError
        Where there is no such model, or it has read too few images.
    """
    return write_once(settings, lambda tx: _renew(tx, settings, name, who, now))


def dismiss_silence(settings: Settings, sender: str, who: str, now: datetime) -> str:
    """Expect nothing of a silent sender until it sends again, and say so.

    Raises
    ------
    OperatorError
        Where no such alarm stands.
    """

    def work(tx: Transaction) -> str:
        stand = [alarm for alarm in monitoring_records.open_alarms(tx) if alarm.kind is AlarmKind.SILENCE]
        mine = next((alarm for alarm in stand if alarm.sender == sender), None)
        if mine is None:
            known = ", ".join(alarm.sender for alarm in stand) or "none"
            raise OperatorError(f"no alarm stands that {sender!r} is silent; silent: {known}")
        monitoring_records.clear_alarm(tx, mine, now, f"{who} expects nothing of it")
        audit.add(tx, now, "monitoring alarm ended", kind=mine.kind.value, sender=sender, by=who)
        return f"{sender} may be silent until it sends again"

    return write_once(settings, work)


def _renew(tx: Transaction, settings: Settings, name: str, who: str, now: datetime) -> str:
    row = registry.named(tx, name)
    wanted = settings.monitor.reference_images
    latest = monitoring_records.latest(tx, name, row.version, 0, _LARGEST_REFERENCE)
    seen = [one for one in latest if one.admitted][-wanted:]
    if len(seen) < wanted:
        raise OperatorError(
            f"{name} {row.version} has read {len(seen)} images; [monitor] reference_images asks for {wanted}"
        )
    monitoring_records.refer(tx, name, row.version, Range(seen[0].id, seen[-1].id, now, who))
    for alarm in monitoring_records.open_alarms(tx):
        if (alarm.model, alarm.version) == (name, row.version) and alarm.kind in {AlarmKind.DRIFT, AlarmKind.ADMISSION}:
            monitoring_records.clear_alarm(tx, alarm, now, f"{who} has chosen a new reference")
    audit.add(tx, now, "monitoring reference renewed", model=name, version=row.version, by=who, images=len(seen))
    return f"{name} is compared with its newest {len(seen)} images from now on"


def _lines(database: Database, watched: Watched, stand: list[dict[str, Any]]) -> list[dict[str, Any]]:
    reference = _reference(database, watched)
    windows = watched.windows or (None,)
    return [_line(watched, window, reference, stand) for window in windows]


def _line(watched: Watched, window: Window | None, reference: str, stand: list[dict[str, Any]]) -> dict[str, Any]:
    about = {"sender": window.sender if window else "", "modality": window.modality if window else ""}
    mine = {"model": watched.model, "version": watched.version, **about}
    return {
        **mine,
        "images": window.compared.images if window else 0,
        "reference": reference,
        "drift": _drift(window),
        "classifier": _distance(window.compared.classifier) if window else None,
        "anomaly": _distance(window.compared.anomaly) if window else None,
        "refused": window.compared.refused if window else None,
        **_budget(watched.budget),
        "alarms": [alarm["said"] for alarm in stand if _is_of(alarm, mine)],
    }


def _is_of(alarm: dict[str, Any], line: dict[str, str]) -> bool:
    """Return whether an alarm is of a line; a silent sender is silent to every model."""
    if alarm["kind"] == AlarmKind.SILENCE.value:
        return line["sender"] in {"", alarm["sender"]}
    return all(alarm[key] == line[key] for key in line)


def _reference(database: Database, watched: Watched) -> str:
    known = watched.reference
    if known is None:
        return f"not watched yet: {watched.missing} images missing"
    count = len(database.read(lambda tx: monitoring_records.between(tx, watched.model, watched.version, known)))
    return f"{count} images, {known.made_at:%Y-%m-%d} ({known.made_by})"


def _drift(window: Window | None) -> str:
    found = [one for one in (window.compared.classifier, window.compared.anomaly) if one is not None] if window else []
    if not found:
        return "not known"
    return "yes" if any(distance > limit for distance, limit, _ in found) else "no"


def _distance(found: tuple[float, float, float] | None) -> dict[str, float] | None:
    return None if found is None else dict(zip(("distance", "limit", "share"), found, strict=True))


def _budget(budget: Budget) -> dict[str, Any]:
    figures = {"flags_per_100": budget.flags_per_100, "ppv": budget.ppv, "agreement": budget.agreement}
    rounded = {name: None if value is None else round(value, 3) for name, value in figures.items()}
    return rounded | {"labelled": budget.labelled}


def _alarm(alarm: MonitorAlarm) -> dict[str, Any]:
    return {
        "id": alarm.id,
        "raised_at": alarm.raised_at.isoformat(),
        "kind": alarm.kind.value,
        **{
            name: getattr(alarm, name)
            for name in ("model", "version", "sender", "modality", "said", "figures", "stopped")
        },
        "cleared_at": alarm.cleared_at.isoformat() if alarm.cleared_at else None,
    }
