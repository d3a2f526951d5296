"""What monitoring keeps and looks up: what models saw, references, alarms.

What was seen of synthetic images is kept and never looked up: painted chests would make a reference of nobody, and an
alarm of a trial.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import and_, delete, func, insert, or_, select, true, update

from node.domain.finding import Reading
from node.store.connection.driver_statement import Statement
from node.store.connection.upsert import Insert, insert_for
from node.store.database import Transaction
from node.store.tables.image_tables import Instance, Study
from node.store.tables.monitoring_tables import AlarmKind, MonitorAlarm, MonitoredReading, MonitorReference

KEPT = 20_000
"""Readings of one version of one model that are kept beside its reference: what windows are taken from."""


_UNSYNCHRONISED = {"synchronize_session": False}


@dataclass(frozen=True, slots=True)
class Seen:
    """What a model saw of one image, and where that came from."""

    id: int
    at: datetime
    sender: str  #: calling AE title
    modality: str
    patient: str  #: opaque here: whose image it is, to be told apart from others'
    admitted: bool
    classifier: bytes
    anomaly: bytes


@dataclass(frozen=True, slots=True)
class Range:
    """The readings of a reference, by number, both included."""

    first: int
    last: int
    made_at: datetime
    made_by: str


@dataclass(frozen=True, slots=True)
class Alarm:
    """One alarm."""

    kind: AlarmKind
    said: str  #: one sentence for an operator, without patient data
    model: str = ""
    version: str = ""
    sender: str = ""
    modality: str = ""
    figures: dict[str, Any] | None = None

    @property
    def about(self) -> tuple[str, ...]:
        """What tells it from others that are open at the same time."""
        return self.model, self.version, self.kind.value, self.sender, self.modality


def put_all(tx: Transaction, model: str, version: str, readings: Sequence[Reading], now: datetime) -> None:
    """Keep what a version of a model saw of images; of an image that it reads again, what it saw last."""
    _PUT.run(
        tx,
        [
            {
                "sop_instance_uid": reading.sop_instance_uid,
                "model": model,
                "version": version,
                "at": now,
                "admitted": reading.admission.admitted,
                "classifier": reading.fingerprint.classifier,
                "anomaly": reading.fingerprint.anomaly,
            }
            for reading in readings
            if reading.fingerprint is not None
        ],
    )


def newest(tx: Transaction, model: str, version: str) -> int:
    """Return the number of the newest reading of a version, 0 where there is none."""
    return tx.scalar(select(func.max(MonitoredReading.id)).where(_of(model, version))) or 0


def latest(tx: Transaction, model: str, version: str, after: int, limit: int) -> list[Seen]:
    """Return the newest readings of a version whose number is above `after`, the oldest of them first."""
    rows = _seen(tx, and_(_of(model, version), MonitoredReading.id > after), limit, newest_first=True)
    return rows[::-1]


def latest_since(tx: Transaction, alarm: MonitorAlarm, after: int, limit: int) -> list[Seen]:
    """Return the newest readings of what an alarm is about, read since it, likewise."""
    mine = Instance.calling_ae_title == alarm.sender, Instance.modality == alarm.modality
    whose = and_(*mine) if alarm.sender else true()  # else it is about all
    later = MonitoredReading.id > after, MonitoredReading.at > alarm.raised_at
    return _seen(tx, and_(_of(alarm.model, alarm.version), *later, whose), limit, newest_first=True)[::-1]


def between(tx: Transaction, model: str, version: str, known: Range) -> list[Seen]:
    """Return the readings of a reference, in their order."""
    within = MonitoredReading.id.between(known.first, known.last)
    return _seen(tx, and_(_of(model, version), within), None, newest_first=False)


def first(tx: Transaction, model: str, version: str, after: int, count: int) -> list[Seen]:
    """Return the first so many admitted readings of a version whose number is above `after`."""
    wanted = and_(_of(model, version), MonitoredReading.id > after, MonitoredReading.admitted)
    return _seen(tx, wanted, count, newest_first=False)


def count_admitted(tx: Transaction, model: str, version: str, limit: int) -> int:
    """Return how many admitted readings of a version there are, `limit` at most."""
    admitted = (
        select(MonitoredReading.id)
        .join(Instance, Instance.sop_instance_uid == MonitoredReading.sop_instance_uid)
        .where(_of(model, version), MonitoredReading.admitted, ~Instance.synthetic)
        .limit(limit)
    )
    return tx.scalar(select(func.count()).select_from(admitted.subquery())) or 0


def range_of(tx: Transaction, model: str, version: str) -> Range | None:
    """Return the newest reference of a version, or None while it has none."""
    row = tx.scalar(
        select(MonitorReference)
        .where(MonitorReference.model == model, MonitorReference.version == version)
        .order_by(MonitorReference.id.desc())
        .limit(1)
    )
    return None if row is None else Range(row.first_id, row.last_id, row.made_at, row.made_by)


def refer(tx: Transaction, model: str, version: str, known: Range) -> None:
    """Compare later readings of a version with these from now on."""
    made = {"made_at": known.made_at, "made_by": known.made_by}
    place = {"model": model, "version": version, "first_id": known.first, "last_id": known.last}
    tx.execute(insert(MonitorReference).values(**place, **made))


def prune(tx: Transaction, model: str, version: str) -> None:
    """Forget the readings of a version that are neither of its reference nor among the newest `KEPT`."""
    known = range_of(tx, model, version)
    oldest = tx.scalar(
        select(MonitoredReading.id)
        .where(_of(model, version))
        .order_by(MonitoredReading.id.desc())
        .offset(KEPT)
        .limit(1)
    )
    if oldest is None or known is None:
        return
    old = and_(_of(model, version), MonitoredReading.id <= oldest)
    tx.execute(delete(MonitoredReading).where(old, ~MonitoredReading.id.between(known.first, known.last)))


def open_alarms(tx: Transaction) -> list[MonitorAlarm]:
    """Return the alarms that stand, the oldest first."""
    stand = select(MonitorAlarm).where(MonitorAlarm.cleared_at.is_(None)).order_by(MonitorAlarm.id)
    return list(tx.scalars(stand))


def alarms(tx: Transaction, limit: int) -> list[MonitorAlarm]:
    """Return the newest alarms, whether they stand or not."""
    return list(tx.scalars(select(MonitorAlarm).order_by(MonitorAlarm.id.desc()).limit(limit)))


def stop_of(tx: Transaction, model: str, version: str) -> MonitorAlarm | None:
    """Return the newest alarm that moved a version to shadow, whether it stands or not; None where none did."""
    mine = MonitorAlarm.model == model, MonitorAlarm.version == version, MonitorAlarm.stopped
    return tx.scalar(select(MonitorAlarm).where(*mine).order_by(MonitorAlarm.id.desc()).limit(1))


def raise_alarm(tx: Transaction, alarm: Alarm, now: datetime, *, stopped: bool) -> None:
    """Keep an alarm."""
    values = {"model": alarm.model, "version": alarm.version, "kind": alarm.kind, "sender": alarm.sender}
    said = {"modality": alarm.modality, "said": alarm.said, "figures": alarm.figures or {}, "raised_at": now}
    tx.execute(insert(MonitorAlarm).values(**values, **said, cleared_at=None, stopped=stopped))


def clear_alarm(tx: Transaction, alarm: MonitorAlarm, now: datetime, why: str) -> None:
    """Let an alarm stand no more, and keep why."""
    said = f"{alarm.said}; ended: {why}"
    tx.execute(update(MonitorAlarm).where(MonitorAlarm.id == alarm.id).values(cleared_at=now, said=said))


def raised_since(tx: Transaction, alarm: Alarm, since: datetime) -> bool:
    """Return whether the same kind of alarm of the same sender stands, or was raised since a time."""
    raised = or_(MonitorAlarm.cleared_at.is_(None), MonitorAlarm.raised_at >= since)
    return tx.scalar(select(MonitorAlarm.id).where(_same(alarm), raised).limit(1)) is not None


def stopped_since(tx: Transaction, alarm: Alarm, since: datetime) -> bool:
    """Return whether one of the same kind and sender that stopped this version stands, or has stood since a time."""
    stood = or_(MonitorAlarm.cleared_at.is_(None), MonitorAlarm.cleared_at >= since)
    wanted = _same(alarm), MonitorAlarm.stopped, stood
    return tx.scalar(select(MonitorAlarm.id).where(*wanted).limit(1)) is not None


def carry(tx: Transaction, source: str, model: str, version: str) -> None:
    """Let what a version saw under one name count under another, its reference with it."""
    known = select(MonitoredReading.sop_instance_uid).where(_of(model, version))
    of_source = and_(_of(source, version), MonitoredReading.sop_instance_uid.not_in(known))
    tx.execute(update(MonitoredReading).where(of_source).values(model=model), execution_options=_UNSYNCHRONISED)
    reference = and_(MonitorReference.model == source, MonitorReference.version == version)
    tx.execute(update(MonitorReference).where(reference).values(model=model), execution_options=_UNSYNCHRONISED)


def _same(alarm: Alarm) -> Any:
    about = ("model", "version", "kind", "sender")
    return and_(*(getattr(MonitorAlarm, name) == getattr(alarm, name) for name in about))


def _of(model: str, version: str) -> Any:
    return and_(MonitoredReading.model == model, MonitoredReading.version == version)


def _seen(tx: Transaction, wanted: Any, limit: int | None, *, newest_first: bool) -> list[Seen]:
    order = MonitoredReading.id.desc() if newest_first else MonitoredReading.id
    rows = tx.execute(
        select(
            MonitoredReading.id,
            MonitoredReading.at,
            Instance.calling_ae_title,
            Instance.modality,
            Study.issuer_of_patient_id,
            Study.patient_id,
            MonitoredReading.admitted,
            MonitoredReading.classifier,
            MonitoredReading.anomaly,
        )
        .join(Instance, Instance.sop_instance_uid == MonitoredReading.sop_instance_uid)
        .join(Study, Study.study_instance_uid == Instance.study_instance_uid)
        .where(wanted, ~Instance.synthetic)
        .order_by(order)
        .limit(limit)
    )
    return [
        Seen(number, at, sender, modality, f"{issuer}\\{patient}", admitted, classifier, anomaly)
        for number, at, sender, modality, issuer, patient, admitted, classifier, anomaly in rows
    ]


def _put(insert_: Insert) -> Insert:
    key = [MonitoredReading.sop_instance_uid, MonitoredReading.model, MonitoredReading.version]
    said = {name: insert_.excluded[name] for name in ("at", "admitted", "classifier", "anomaly")}
    return insert_.on_conflict_do_update(index_elements=key, set_=said)


_PUT = Statement(
    lambda dialect: _put(insert_for(dialect, MonitoredReading)),
    ("sop_instance_uid", "model", "version", "at", "admitted", "classifier", "anomaly"),
)
