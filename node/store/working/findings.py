"""What models said of instances."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, bindparam, func, select

from node.domain.finding import Reading
from node.domain.identifiers import SOPInstanceUID
from node.domain.lifecycle import State
from node.store.codec import reading_from_json, reading_to_json
from node.store.connection.driver_statement import Statement
from node.store.connection.upsert import Insert, insert_for
from node.store.database import Transaction
from node.store.stopping.rejection_notes import not_wrong
from node.store.tables.choices import JobKind
from node.store.tables.column_types import UID
from node.store.tables.image_tables import Instance
from node.store.tables.work_tables import InstanceReading, Job
from node.store.working import queue

_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class NewReading:
    """What one version of a model has said of an instance."""

    model: str
    version: str
    reading: Reading


def put_all(tx: Transaction, readings: Sequence[NewReading]) -> None:
    """Keep readings; one that the same version made of the same instance before is replaced."""
    _PUT.run(tx, [_row(new) for new in readings])


def of_study(tx: Transaction, study_uid: str, model: str, version: str) -> list[Reading]:
    """Return the readings of a study by one version, in the order of `node.store.arriving.instances.of_study`.

    What a model said of an instance that was called wrong since is left out.
    """
    rows = tx.scalars(
        select(InstanceReading.reading)
        .join(Instance, Instance.sop_instance_uid == InstanceReading.sop_instance_uid)
        .where(
            InstanceReading.study_instance_uid == study_uid,
            InstanceReading.model == model,
            InstanceReading.version == version,
            not_wrong(),
        )
        .order_by(Instance.series_instance_uid, Instance.sop_instance_uid)
    )
    return [reading_from_json(row) for row in rows]


def unread(tx: Transaction, study_uid: str, model: str) -> dict[SOPInstanceUID, str]:
    """Return the instances whose read was buried, each with its last error, without those that were called wrong."""
    rows = tx.execute(
        select(Job.subject_uid, Job.last_error)
        .join(Instance, Instance.sop_instance_uid == Job.subject_uid)
        .where(
            Job.study_instance_uid == study_uid,
            Job.model == model,
            Job.kind == JobKind.READ,
            Job.state == State.BURIED,
            not_wrong(),
        )
        .order_by(Job.subject_uid)
    )
    return {SOPInstanceUID(sop_uid): error for sop_uid, error in rows}


def of_version(tx: Transaction, model: str, version: str) -> Iterator[tuple[str, Reading]]:
    """Yield all that a version has read, as Study Instance UID and reading; of what was called wrong since nothing."""
    rows = tx.execute(
        select(InstanceReading.study_instance_uid, InstanceReading.reading)
        .join(Instance, Instance.sop_instance_uid == InstanceReading.sop_instance_uid)
        .where(InstanceReading.model == model, InstanceReading.version == version, not_wrong())
        .execution_options(yield_per=_AT_ONCE)
    )
    return ((study, reading_from_json(reading)) for study, reading in rows)


def read_again(tx: Transaction, sop_uid: str, study_uid: str, now: datetime) -> None:
    """Let every model that read an instance of this study read it again, and compose the study afterwards."""
    models = tx.scalars(select(Job.model).where(Job.kind == JobKind.READ, Job.subject_uid == sop_uid)).all()
    queue.enqueue_reads(tx, [queue.NewRead(sop_uid, study_uid, model) for model in models], now, again=True)
    queue.schedule_composes(tx, {(study_uid, model): now for model in models})


def outdated(tx: Transaction, study_uid: str, model: str, version: str) -> list[SOPInstanceUID]:
    """Return the instances that were read, but not by this version, and were not called wrong; they are read again."""
    return _unread_by(tx, study_uid, model, version, Instance.removed_at.is_(None))


def removed_unread(tx: Transaction, study_uid: str, model: str, version: str) -> list[SOPInstanceUID]:
    """Return those of them that cannot be read again: their files were removed for their age."""
    return _unread_by(tx, study_uid, model, version, Instance.removed_at.is_not(None))


def removed(tx: Transaction, study_uid: str) -> int:
    """Return how many instances of a study have no file any more."""
    of_study = Instance.study_instance_uid == study_uid, Instance.removed_at.is_not(None)
    return tx.scalars(select(func.count()).select_from(Instance).where(*of_study)).one()


def _unread_by(
    tx: Transaction, study_uid: str, model: str, version: str, which: ColumnElement[bool]
) -> list[SOPInstanceUID]:
    read = select(InstanceReading.sop_instance_uid).where(
        InstanceReading.study_instance_uid == study_uid,
        InstanceReading.model == model,
        InstanceReading.version == version,
    )
    rows = tx.scalars(
        select(Job.subject_uid)
        .join(Instance, Instance.sop_instance_uid == Job.subject_uid)
        .where(
            Job.study_instance_uid == study_uid,
            Job.model == model,
            Job.kind == JobKind.READ,
            Job.state == State.DONE,
            Job.subject_uid.not_in(read),
            not_wrong(),
            which,
        )
        .order_by(Job.subject_uid)
    )
    return [SOPInstanceUID(row) for row in rows]


def _row(new: NewReading) -> dict[str, Any]:
    return {
        "sop_instance_uid": new.reading.sop_instance_uid,
        "of_instance": new.reading.sop_instance_uid,
        "model": new.model,
        "version": new.version,
        "reading": reading_to_json(new.reading),
    }


def _put(insert: Insert) -> Insert:
    # asked now, not when the job was claimed: a corrected header may have moved the instance to another study
    study = select(Instance.study_instance_uid).where(Instance.sop_instance_uid == bindparam("of_instance", type_=UID))
    key = [InstanceReading.sop_instance_uid, InstanceReading.model, InstanceReading.version]
    given = insert.values(study_instance_uid=study.scalar_subquery())
    return given.on_conflict_do_update(index_elements=key, set_={"reading": insert.excluded.reading})


_PUT = Statement(
    lambda dialect: _put(insert_for(dialect, InstanceReading)), ("sop_instance_uid", "model", "version", "reading")
)
