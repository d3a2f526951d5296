"""What models said of instances."""

from datetime import datetime

from sqlalchemy import select

from node.domain.finding import Reading
from node.domain.identifiers import SOPInstanceUID
from node.domain.lifecycle import State
from node.store import queue
from node.store.codec import reading_from_json, reading_to_json
from node.store.database import Transaction
from node.store.tables import Instance, InstanceReading, Job, JobKind
from node.store.upsert import insert_into


def put(tx: Transaction, sop_uid: str, model: str, version: str, reading: Reading) -> None:
    """Keep a reading; one that the same version made of the same instance before is replaced."""
    study_uid = tx.execute(select(Instance.study_instance_uid).where(Instance.sop_instance_uid == sop_uid)).scalar_one()
    value = reading_to_json(reading)
    statement = insert_into(tx, InstanceReading).values(
        sop_instance_uid=sop_uid, model=model, version=version, study_instance_uid=study_uid, reading=value
    )
    key = [InstanceReading.sop_instance_uid, InstanceReading.model, InstanceReading.version]
    tx.execute(statement.on_conflict_do_update(index_elements=key, set_={"reading": value}))


def of_study(tx: Transaction, study_uid: str, model: str, version: str) -> list[Reading]:
    """Return the readings of a study by one version, in the order of `node.store.instances.of_study`."""
    rows = tx.scalars(
        select(InstanceReading.reading)
        .join(Instance, Instance.sop_instance_uid == InstanceReading.sop_instance_uid)
        .where(
            InstanceReading.study_instance_uid == study_uid,
            InstanceReading.model == model,
            InstanceReading.version == version,
        )
        .order_by(Instance.series_instance_uid, Instance.sop_instance_uid)
    )
    return [reading_from_json(row) for row in rows]


def unread(tx: Transaction, study_uid: str, model: str) -> dict[SOPInstanceUID, str]:
    """Return the instances whose read was buried, each with its last error."""
    rows = tx.execute(
        select(Job.subject_uid, Job.last_error)
        .where(
            Job.study_instance_uid == study_uid,
            Job.model == model,
            Job.kind == JobKind.READ,
            Job.state == State.BURIED,
        )
        .order_by(Job.subject_uid)
    )
    return {SOPInstanceUID(sop_uid): error for sop_uid, error in rows}


def read_again(tx: Transaction, sop_uid: str, study_uid: str, now: datetime) -> None:
    """Let every model that read an instance of this study read it again, and compose the study afterwards."""
    models = tx.scalars(select(Job.model).where(Job.kind == JobKind.READ, Job.subject_uid == sop_uid)).all()
    queue.enqueue_reads(tx, [queue.NewRead(sop_uid, study_uid, model) for model in models], now, again=True)
    queue.schedule_composes(tx, {(study_uid, model): now for model in models})


def outdated(tx: Transaction, study_uid: str, model: str, version: str) -> list[SOPInstanceUID]:
    """Return the instances that were read, but not by this version; they are to be read again."""
    read = select(InstanceReading.sop_instance_uid).where(
        InstanceReading.model == model, InstanceReading.version == version
    )
    rows = tx.scalars(
        select(Job.subject_uid)
        .where(
            Job.study_instance_uid == study_uid,
            Job.model == model,
            Job.kind == JobKind.READ,
            Job.state == State.DONE,
            Job.subject_uid.not_in(read),
        )
        .order_by(Job.subject_uid)
    )
    return [SOPInstanceUID(row) for row in rows]
