"""The tables of labels: the objects that they came in, each reader's word, and the images that readers left out."""

from datetime import datetime

from sqlalchemy import JSON, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from node.domain.label import LabelRule, SourceKind, Verdict
from node.store.tables.base import Base, Lifecycle
from node.store.tables.column_types import NUMBER, UID, choice

_COUNTS = text("withdrawn_at IS NULL")
_ONCE = (
    "source_uid",
    "study_instance_uid",
    "series_instance_uid",
    "sop_instance_uid",
    "accession_number",
    "class_name",
)


class LabelObject(Lifecycle, Base):
    """One object that may carry labels, from the moment that it is recorded; settled once it was read.

    It is buried where it cannot be read, and `last_error` says why: then it labels nothing until an operator has it
    read again.
    """

    __tablename__ = "label_objects"
    __table_args__ = (Index(None, "state", "priority", "due_at", "id"),)

    sop_instance_uid: Mapped[str] = mapped_column(UID, unique=True)
    study_instance_uid: Mapped[str] = mapped_column(UID, index=True)
    verdict: Mapped[Verdict] = mapped_column(choice(Verdict, "verdict"))
    reason: Mapped[str]  #: why it labels nothing, or not all that it says; "" where there is nothing to say
    said: Mapped[str]  #: the reader's own words; they may name a patient, so they are never logged
    reader: Mapped[str]
    made_at: Mapped[datetime | None]  #: None until it is read
    images: Mapped[list[list[str]]] = mapped_column(JSON)  #: Study, Series and SOP Instance UID of each that it names
    settled_by: Mapped[str]  #: the operator who settled it; "" while nobody did


class LabelRow(Base):
    """One reader's word on one class; it stays when it is withdrawn, and does not count any more."""

    __tablename__ = "labels"
    __table_args__ = (
        Index(
            "ix_labels_once",
            *_ONCE,
            unique=True,
            sqlite_where=_COUNTS,
            postgresql_where=_COUNTS,
        ),
    )

    id: Mapped[int] = mapped_column(NUMBER, primary_key=True)
    study_instance_uid: Mapped[str] = mapped_column(UID, index=True)  #: "" where it is not known
    series_instance_uid: Mapped[str] = mapped_column(
        UID, index=True
    )  #: "" of a label for a study, or where it is not known
    sop_instance_uid: Mapped[str] = mapped_column(UID, index=True)  #: "" of a label for a series or a study
    accession_number: Mapped[str] = mapped_column(index=True)  #: "" unless nothing else names the study
    class_name: Mapped[str]
    present: Mapped[bool]
    reader: Mapped[str]
    made_at: Mapped[datetime]
    recorded_at: Mapped[datetime]
    source_uid: Mapped[str] = mapped_column(UID)
    source_kind: Mapped[SourceKind] = mapped_column(choice(SourceKind, "source_kind"))
    rule: Mapped[LabelRule] = mapped_column(choice(LabelRule, "rule"))
    result_visible: Mapped[bool | None]
    patient_id: Mapped[str]  #: as the source names the patient; "" where it does not
    issuer_of_patient_id: Mapped[str]
    recorded_by: Mapped[str]  #: who imported it or settled it; "" of one that came in an object
    withdrawn_at: Mapped[datetime | None]  #: None while it counts
    withdrawn_by: Mapped[str]


class LabelExclusion(Base):
    """An image that a reader called unfit, without rejecting it for everybody: it is in no training set."""

    __tablename__ = "label_exclusions"
    __table_args__ = (UniqueConstraint("sop_instance_uid", "source_uid"),)

    id: Mapped[int] = mapped_column(NUMBER, primary_key=True)
    sop_instance_uid: Mapped[str] = mapped_column(UID)
    source_uid: Mapped[str] = mapped_column(UID, index=True)
    reader: Mapped[str]
    excluded_at: Mapped[datetime]
    withdrawn_at: Mapped[datetime | None]
    withdrawn_by: Mapped[str]
