"""What is kept to learn from: one row for each image whose pixels lie in the training set.

It knows rows; pixels and folders are `node.pipeline.learning`'s business, and what labels say
`node.store.labelling.labels`'.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select, update

from node.domain.instance import InstanceHeader
from node.domain.split import Side
from node.store.arriving.merges import PatientName
from node.store.codec import header_from_json
from node.store.connection.upsert import insert_into
from node.store.database import Transaction
from node.store.tables.image_tables import Instance, Study
from node.store.tables.learning_tables import LearningPatient, TrainingExample


@dataclass(frozen=True, slots=True)
class KeptExample:
    """One image that is kept, and where its patient stands."""

    sop_instance_uid: str
    name: str  #: pseudonym of the image
    patient: str  #: pseudonym
    side: Side
    group: str
    image_hash: str
    digest: str  #: SHA-256 of its file of pixels; "" where none is kept
    left_out: str  #: why it is not used; "" where it is


@dataclass(frozen=True, slots=True)
class NewExample:
    """An image that is to be kept."""

    sop_instance_uid: str
    name: str
    patient: str
    image_hash: str
    digest: str
    left_out: str = ""


@dataclass(frozen=True, slots=True)
class LabelledFile:
    """Where the file of a labelled image lies, and what its header says."""

    path: str  #: relative to the data folder; "" where it was removed for its age
    header: InstanceHeader
    sender: str  #: calling AE title


_COLUMNS = (
    TrainingExample.sop_instance_uid,
    TrainingExample.name,
    TrainingExample.patient,
    LearningPatient.side,
    LearningPatient.group_name,
    TrainingExample.image_hash,
    TrainingExample.digest,
    TrainingExample.left_out,
    LearningPatient.left_out,
)


def all(tx: Transaction) -> list[KeptExample]:  # noqa: A001 - read as training_set.all
    """Return all images that are kept, in the order in which they came."""
    query = select(*_COLUMNS).join(LearningPatient, LearningPatient.patient == TrainingExample.patient)
    rows = tx.execute(query.order_by(TrainingExample.added_at, TrainingExample.name))
    return [KeptExample(*row[:7], left_out=row[7] or row[8]) for row in rows]


def patients(tx: Transaction) -> dict[str, PatientName]:
    """Return whom the studies of kept images name by now, by SOP Instance UID; merges are not regarded."""
    query = select(TrainingExample.sop_instance_uid, Study.patient_id, Study.issuer_of_patient_id)
    of_images = query.join(Instance, Instance.sop_instance_uid == TrainingExample.sop_instance_uid)
    of_studies = of_images.join(Study, Study.study_instance_uid == Instance.study_instance_uid)
    return {uid: PatientName(patient_id, issuer) for uid, patient_id, issuer in tx.execute(of_studies)}


def names_of(tx: Transaction, patients: Collection[str]) -> set[str]:
    """Return the names of the kept images of some patients, by pseudonym."""
    return set(tx.scalars(select(TrainingExample.name).where(TrainingExample.patient.in_(patients))))


def add(tx: Transaction, new: NewExample, now: datetime) -> None:
    """Keep an image; one that is kept already stays as it is."""
    row = insert_into(tx, TrainingExample).values(
        sop_instance_uid=new.sop_instance_uid,
        name=new.name,
        patient=new.patient,
        image_hash=new.image_hash,
        digest=new.digest,
        left_out=new.left_out,
        added_at=now,
    )
    tx.execute(row.on_conflict_do_nothing())


def move(tx: Transaction, sop_uids: Collection[str], patient: str) -> None:
    """Let images be of another patient, who has a side already."""
    of_them = update(TrainingExample).where(TrainingExample.sop_instance_uid.in_(sop_uids))
    tx.execute(of_them.values(patient=patient), execution_options={"synchronize_session": False})


def files(tx: Transaction, sop_uids: Collection[str]) -> dict[str, LabelledFile]:
    """Return where images lie and what their headers say, by SOP Instance UID."""
    found: dict[str, LabelledFile] = {}
    wanted = sorted(sop_uids)
    for first in range(0, len(wanted), _AT_ONCE):
        chosen = Instance.sop_instance_uid.in_(wanted[first : first + _AT_ONCE])
        for row in tx.scalars(select(Instance).where(chosen)):
            path = "" if row.removed_at else row.path
            found[row.sop_instance_uid] = LabelledFile(path, header_from_json(row.header), row.calling_ae_title)
    return found


_AT_ONCE = 500  # bound parameters of one statement
