"""The rows of a patient who is to be forgotten by what learns here; those of images, readings and reports stay."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, or_, select

from node.domain.split import side_of
from node.store import splits
from node.store.database import Transaction
from node.store.label_tables import LabelRow
from node.store.learning_tables import LabelProblem, TrainingExample
from node.store.tables import Instance


@dataclass(frozen=True, slots=True)
class Gone:
    """What was removed in the rows."""

    images: tuple[str, ...]  #: names of the images whose pixels may go now
    labels: int


def forget(tx: Transaction, patients: Collection[str], studies: Sequence[str], reason: str, now: datetime) -> Gone:
    """Remove what is kept of a patient to learn from, and keep that nothing of one is to be used again.

    Parameters
    ----------
    tx
        The transaction.
    patients
        All pseudonyms of the patient.
    studies
        All studies of the patient that are here.
    reason
        Why nothing is used.
    now
        Aware.
    """
    salt = splits.salt_of(tx) or b""
    examples = tx.execute(
        select(TrainingExample.name, TrainingExample.sop_instance_uid).where(TrainingExample.patient.in_(patients))
    ).all()
    uids = [uid for _, uid in examples]
    tx.execute(delete(LabelProblem).where(LabelProblem.sop_instance_uid.in_(uids)))
    tx.execute(delete(TrainingExample).where(TrainingExample.patient.in_(patients)))
    for patient in patients:
        splits.assign(tx, patient, side_of(salt, patient), patient, now)
    images = set(tx.scalars(select(Instance.sop_instance_uid).where(Instance.study_instance_uid.in_(studies)))) | set(
        uids
    )
    pictures = {splits.image_of(salt, uid) for uid in images}  # known again when their patient gets another number
    for name in pictures:
        splits.assign(tx, name, side_of(salt, name), name, now)
    splits.leave_out(tx, dict.fromkeys({*patients, *pictures}, reason))
    return Gone(tuple(name for name, _ in examples), _forget_labels(tx, studies))


def _forget_labels(tx: Transaction, studies: Sequence[str]) -> int:
    inside = Instance.study_instance_uid.in_(studies)
    of_patient = or_(
        LabelRow.study_instance_uid.in_(studies),
        LabelRow.series_instance_uid.in_(select(Instance.series_instance_uid).where(inside)),
        LabelRow.sop_instance_uid.in_(select(Instance.sop_instance_uid).where(inside)),
    )
    return len(tx.scalars(delete(LabelRow).where(of_patient).returning(LabelRow.id)).all())
