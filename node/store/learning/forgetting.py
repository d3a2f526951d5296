"""The rows of a patient who is to be forgotten by what learns here; those of images, readings and reports stay."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, or_, select

from node.domain.split import side_of
from node.store.database import Transaction
from node.store.label_tables import LabelRow
from node.store.learning import splits
from node.store.learning_tables import LabelProblem, LockedImage, TrainingExample
from node.store.tables import Instance


@dataclass(frozen=True, slots=True)
class Gone:
    """What was removed in the rows."""

    images: int
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
    pictures = images_of(tx, salt, patients, studies)  # known again when their patient gets another number
    kept = TrainingExample.name.in_(pictures)
    shown = select(TrainingExample.sop_instance_uid).where(kept)
    tx.execute(delete(LabelProblem).where(LabelProblem.sop_instance_uid.in_(shown)))
    gone = len(tx.scalars(delete(TrainingExample).where(kept).returning(TrainingExample.name)).all())
    for patient in patients:
        splits.assign(tx, patient, side_of(salt, patient), patient, now)
    for name in pictures:
        splits.assign(tx, name, side_of(salt, name), name, now)
    splits.leave_out(tx, dict.fromkeys({*patients, *pictures}, reason))
    return Gone(gone, _forget_labels(tx, studies))


def images_of(tx: Transaction, salt: bytes, patients: Collection[str], studies: Sequence[str]) -> set[str]:
    """Return the names of all images of some studies, and of those kept of some patients."""
    inside = select(Instance.sop_instance_uid).where(Instance.study_instance_uid.in_(studies))
    kept = select(TrainingExample.name).where(TrainingExample.patient.in_(patients))
    return {splits.image_of(salt, uid) for uid in tx.scalars(inside)} | set(tx.scalars(kept))


def pseudonyms_of(tx: Transaction, images: Collection[str]) -> set[str]:
    """Return the patients of whom some images are kept or were frozen, whatever they were called then."""
    kept = select(TrainingExample.patient).where(TrainingExample.name.in_(images))
    frozen = select(LockedImage.patient).where(LockedImage.name.in_(images))
    return set(tx.scalars(kept)) | set(tx.scalars(frozen))


def _forget_labels(tx: Transaction, studies: Sequence[str]) -> int:
    inside = Instance.study_instance_uid.in_(studies)
    of_patient = or_(
        LabelRow.study_instance_uid.in_(studies),
        LabelRow.series_instance_uid.in_(select(Instance.series_instance_uid).where(inside)),
        LabelRow.sop_instance_uid.in_(select(Instance.sop_instance_uid).where(inside)),
    )
    return len(tx.scalars(delete(LabelRow).where(of_patient).returning(LabelRow.id)).all())
