"""The tables of running a node: what holds it, what was rejected, asked, fetched, merged and approved; the audit."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from node.store.tables.base import Base, Lifecycle
from node.store.tables.column_types import NUMBER, UID


class Hold(Base):
    """An operator's word that nothing leaves, of all models or of one, until it is released."""

    __tablename__ = "holds"

    id: Mapped[int] = mapped_column(NUMBER, primary_key=True)
    model: Mapped[str]  #: "" for all
    reason: Mapped[str]
    held_by: Mapped[str]
    held_at: Mapped[datetime]
    released_at: Mapped[datetime | None]  #: None while it holds
    released_by: Mapped[str]
    released_how: Mapped[str]  #: "" while it holds; "sent" or "discarded"


class Recall(Base):
    """An operator's word that no result of one version of a model counts any more; it is for good."""

    __tablename__ = "recalls"
    __table_args__ = (UniqueConstraint("model", "version"),)

    id: Mapped[int] = mapped_column(NUMBER, primary_key=True)
    model: Mapped[str]
    version: Mapped[str]
    reason: Mapped[str]
    recalled_by: Mapped[str]
    recalled_at: Mapped[datetime]


class Rejection(Base):
    """One instance that a rejection note named (IHE IOCM); what is rejected is neither read nor reported."""

    __tablename__ = "rejections"
    __table_args__ = (UniqueConstraint("sop_instance_uid", "note_sop_instance_uid"),)

    id: Mapped[int] = mapped_column(NUMBER, primary_key=True)
    sop_instance_uid: Mapped[str] = mapped_column(UID, index=True)
    study_instance_uid: Mapped[str] = mapped_column(UID, index=True)
    code_value: Mapped[str]  #: 113001, 113037, 113038 or 113039 (DICOM PS3.16 CID 7010)
    note_sop_instance_uid: Mapped[str] = mapped_column(UID)
    calling_ae_title: Mapped[str]
    rejected_at: Mapped[datetime]
    after_analysis: Mapped[int] = mapped_column(NUMBER, server_default="0")  #: the last one that was made before it
    undone_at: Mapped[datetime | None]  #: None while it counts
    undone_by: Mapped[str] = mapped_column(server_default="")


class RejectionNote(Lifecycle, Base):
    """One Key Object Selection that came, until it is known what it takes back; settled once that has happened.

    It is written with the row of the instance, so none is forgotten. It is buried where it cannot be read, and
    `last_error` says why: then it moves nothing.
    """

    __tablename__ = "rejection_notes"
    __table_args__ = (Index(None, "state", "priority", "due_at", "id"),)

    sop_instance_uid: Mapped[str] = mapped_column(UID, unique=True)
    code_value: Mapped[str]  #: of its title; "" until it is read, and where it is no rejection note


class PatientMerge(Base):
    """An operator's word that two patient IDs are one patient, where no DICOM object says so."""

    __tablename__ = "patient_merges"
    __table_args__ = (
        Index(
            "ix_patient_merges_in_force",
            "patient_id",
            "issuer_of_patient_id",
            unique=True,
            sqlite_where=text("ended_at IS NULL"),
            postgresql_where=text("ended_at IS NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(NUMBER, primary_key=True)
    patient_id: Mapped[str]
    issuer_of_patient_id: Mapped[str]
    into_patient_id: Mapped[str]
    into_issuer_of_patient_id: Mapped[str]
    merged_by: Mapped[str]
    merged_at: Mapped[datetime]
    after_analysis: Mapped[int] = mapped_column(NUMBER, server_default="0")  #: the last one that was made before it
    ended_at: Mapped[datetime | None]  #: None while it counts
    ended_by: Mapped[str] = mapped_column(server_default="")


class Validation(Base):
    """A site's approval of one version of one model, which lets it become active."""

    __tablename__ = "validations"

    id: Mapped[int] = mapped_column(NUMBER, primary_key=True)
    model: Mapped[str]
    version: Mapped[str]
    approved_by: Mapped[str]
    approved_at: Mapped[datetime]
    page_digest: Mapped[str]  #: SHA-256 of the page that was signed
    figures: Mapped[dict[str, Any]]


class Destination(Base):
    """How a peer that gets results has answered lately: the circuit breaker's memory."""

    __tablename__ = "destinations"

    peer: Mapped[str] = mapped_column(primary_key=True)
    failures: Mapped[int]  #: in a row
    open_until: Mapped[datetime | None]  #: nothing is tried before
    last_error: Mapped[str]
    last_failure_at: Mapped[datetime | None]
    last_success_at: Mapped[datetime | None]


class SenderHabit(Base):
    """What a calling AE title was seen to do, from which its quiet period is learnt."""

    __tablename__ = "sender_habits"

    calling_ae_title: Mapped[str] = mapped_column(primary_key=True)
    gaps_s: Mapped[list[Any]] = mapped_column(JSON)
    """Of each of the latest studies the longest gap and its UID; of some, learnt by older versions, the gap alone."""
    updated_at: Mapped[datetime]


class CommitmentAsked(Lifecycle, Base):
    """One storage commitment request of this node to a peer, for the reports that it was sent."""

    __tablename__ = "commitments_asked"
    __table_args__ = (Index(None, "peer", "state", "priority", "due_at", "id"),)

    peer: Mapped[str]
    transaction_uid: Mapped[str] = mapped_column(UID, unique=True)
    asked_at: Mapped[datetime | None]  #: when the request left for the peer; it never leaves again
    answered_at: Mapped[datetime | None]


class CommitmentRequested(Lifecycle, Base):
    """One storage commitment request of a peer to this node, until its result has reached the peer."""

    __tablename__ = "commitments_requested"
    __table_args__ = (
        UniqueConstraint("calling_ae_title", "transaction_uid"),
        Index(None, "state", "priority", "due_at", "id"),
    )

    calling_ae_title: Mapped[str]
    address: Mapped[str]
    transaction_uid: Mapped[str] = mapped_column(UID)
    instances: Mapped[list[list[str]]] = mapped_column(JSON)  #: SOP Class UID and SOP Instance UID of each
    requested_at: Mapped[datetime]


class Backfill(Base):
    """A search in an archive whose studies this node fetches."""

    __tablename__ = "backfills"

    id: Mapped[int] = mapped_column(NUMBER, primary_key=True)
    peer: Mapped[str]
    query: Mapped[dict[str, str]]
    sends: Mapped[bool]  #: whether results of what it fetches leave
    created_at: Mapped[datetime]
    searched_at: Mapped[datetime | None]  #: None until the archive has listed what matches
    ended_at: Mapped[datetime | None]


class BackfillStudy(Lifecycle, Base):
    """One study that a backfill fetches."""

    __tablename__ = "backfill_studies"
    __table_args__ = (
        UniqueConstraint("backfill_id", "study_instance_uid"),
        Index(None, "state", "priority", "due_at", "id"),
    )

    backfill_id: Mapped[int] = mapped_column(NUMBER, index=True)
    study_instance_uid: Mapped[str] = mapped_column(UID, index=True)
    expected: Mapped[int | None]  #: instances that the archive says it holds
    fetched: Mapped[int | None]  #: instances that it says it has sent


class RefusedCaller(Base):
    """One distinct caller that was turned away, however often."""

    __tablename__ = "refused_callers"
    __table_args__ = (
        UniqueConstraint("calling_ae_title", "called_ae_title", "address", "reason", name="uq_refused_callers_who"),
    )

    id: Mapped[int] = mapped_column(NUMBER, primary_key=True)
    calling_ae_title: Mapped[str]
    called_ae_title: Mapped[str]
    address: Mapped[str]
    reason: Mapped[str]
    times: Mapped[int]
    first_at: Mapped[datetime]
    last_at: Mapped[datetime] = mapped_column(index=True)


class AuditEntry(Base):
    """One thing that happened; the timeline of a study is its entries in order."""

    __tablename__ = "audit"

    id: Mapped[int] = mapped_column(NUMBER, primary_key=True)
    at: Mapped[datetime] = mapped_column(index=True)
    event: Mapped[str]
    study_instance_uid: Mapped[str] = mapped_column(index=True)  #: "" where it concerns none; as a peer sent it
    sop_instance_uid: Mapped[str]
    detail: Mapped[dict[str, Any]]
