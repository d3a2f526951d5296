"""The rows of a patient who is to be forgotten by what learns here; those of images, readings and reports stay."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, or_, select

from node.store.arriving.merges import PatientName
from node.store.connection.chunks import chunks
from node.store.database import Transaction
from node.store.learning import splits
from node.store.tables.image_tables import Instance, Study
from node.store.tables.label_tables import LabelRow
from node.store.tables.learning_tables import LabelProblem, LockedImage, TrainingExample


@dataclass(frozen=True, slots=True)
class Gone:
    """What was removed in the rows."""

    images: int
    labels: int


@dataclass(frozen=True, slots=True)
class Whom:
    """Everything by which a patient is found."""

    patients: Collection[str]  #: all pseudonyms of the patient
    images: Collection[str]  #: pseudonyms of all images; known again when their patient gets another number
    studies: Collection[str]  #: UIDs of those that are here


def forget(tx: Transaction, whom: Whom, reason: str, now: datetime) -> Gone:
    """Remove what is kept of a patient to learn from, and keep that nothing of one is to be used again.

    Parameters
    ----------
    tx
        The transaction.
    whom
        The patient.
    reason
        Why nothing is used.
    now
        Aware.
    """
    gone = 0
    for some in chunks(whom.images):
        kept = TrainingExample.name.in_(some)
        shown = select(TrainingExample.sop_instance_uid).where(kept)
        tx.execute(delete(LabelProblem).where(LabelProblem.sop_instance_uid.in_(shown)))
        gone += len(tx.scalars(delete(TrainingExample).where(kept).returning(TrainingExample.name)).all())
    splits.bar(tx, {*whom.patients, *whom.images}, reason, now)
    return Gone(gone, sum(_forget_labels(tx, some) for some in chunks(whom.studies)))


def images_of(tx: Transaction, salt: bytes, patients: Iterable[str], studies: Iterable[str]) -> set[str]:
    """Return the names of all images of some studies, and of those kept of some patients."""
    names = set[str]()
    for some in chunks(studies):
        inside = select(Instance.sop_instance_uid).where(Instance.study_instance_uid.in_(some))
        names |= {splits.image_of(salt, uid) for uid in tx.scalars(inside)}
    for some in chunks(patients):
        names |= set(tx.scalars(select(TrainingExample.name).where(TrainingExample.patient.in_(some))))
    return names


def pseudonyms_of(tx: Transaction, images: Iterable[str]) -> set[str]:
    """Return the patients of whom some images are kept or were frozen, whatever they were called then."""
    found = set[str]()
    for some in chunks(images):
        found |= set(tx.scalars(select(TrainingExample.patient).where(TrainingExample.name.in_(some))))
        found |= set(tx.scalars(select(LockedImage.patient).where(LockedImage.name.in_(some))))
    return found


def studies_by_patient(tx: Transaction) -> list[tuple[str, PatientName]]:
    """Return whom each study's header names."""
    query = select(Study.study_instance_uid, Study.patient_id, Study.issuer_of_patient_id)
    return [(uid, PatientName(patient_id, issuer)) for uid, patient_id, issuer in tx.execute(query)]


def _forget_labels(tx: Transaction, studies: list[str]) -> int:
    inside = Instance.study_instance_uid.in_(studies)
    of_patient = or_(
        LabelRow.study_instance_uid.in_(studies),
        LabelRow.series_instance_uid.in_(select(Instance.series_instance_uid).where(inside)),
        LabelRow.sop_instance_uid.in_(select(Instance.sop_instance_uid).where(inside)),
    )
    return len(tx.scalars(delete(LabelRow).where(of_patient).returning(LabelRow.id)).all())
