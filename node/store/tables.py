"""The tables, typed. The migrations create them; a test proves that both say the same."""

from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy import JSON, BigInteger, ForeignKey, Index, LargeBinary, MetaData, String, UniqueConstraint, false, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from node.domain.finding import Outcome
from node.domain.lifecycle import State
from node.store.choices import Commitment, CopyKind, DeliveryKind, InstanceKind, JobKind, Mode, Origin
from node.store.columns import NUMBER, UID, PlainText, UTCDateTime, choice

__all__ = [
    "Analysis",
    "AuditEntry",
    "Base",
    "Commitment",
    "CopyKind",
    "Delivery",
    "DeliveryKind",
    "Instance",
    "InstanceCopy",
    "InstanceKind",
    "InstanceReading",
    "Job",
    "JobKind",
    "Lifecycle",
    "Mode",
    "Origin",
    "Picture",
    "RegisteredModel",
    "Rendition",
    "Study",
    "TurnedAwayStudy",
]


class Base(DeclarativeBase):
    """The metadata that all tables share."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        datetime: UTCDateTime,
        str: PlainText,
        dict[str, Any]: JSON,
        dict[str, str]: JSON,
    }


class Lifecycle:
    """The columns that jobs and deliveries share; `node.store.working.work` moves them, nobody else."""

    id: Mapped[int] = mapped_column(NUMBER, primary_key=True)
    state: Mapped[State] = mapped_column(choice(State, "state"))
    priority: Mapped[int]  #: smaller is claimed first
    due_at: Mapped[datetime]
    attempt: Mapped[int]  #: grows with every claim and never shrinks: the fence against late workers
    failures: Mapped[int]  #: failed or lapsed attempts since it was put to waiting; an operator's retry resets it
    lapses: Mapped[int]  #: how many of `failures` were leases that ran out
    lease_until: Mapped[datetime | None]
    worker: Mapped[str]
    last_error: Mapped[str]
    settled_at: Mapped[datetime | None]


class Study(Base):
    """One study; the identity is that of the newest header stored for it."""

    __tablename__ = "studies"

    study_instance_uid: Mapped[str] = mapped_column(UID, primary_key=True)
    patient_id: Mapped[str]
    issuer_of_patient_id: Mapped[str]
    patient_name: Mapped[str]
    patient_birth_date: Mapped[str]
    patient_sex: Mapped[str]
    accession_number: Mapped[str]
    study_date: Mapped[str]
    study_description: Mapped[str]
    first_received_at: Mapped[datetime] = mapped_column(index=True)
    last_received_at: Mapped[datetime | None]  #: of an image; None while only other objects came
    closed_by: Mapped[str] = mapped_column(server_default="")  #: the signal that completed it last; "" while it is open
    closed_at: Mapped[datetime | None]
    origin: Mapped[Origin] = mapped_column(choice(Origin, "origin"), server_default=Origin.LIVE)
    headers: Mapped[int] = mapped_column(server_default="0")  #: how often images or revisions of images came


class Instance(Base):
    """One stored SOP instance; the first copy that came under its UID."""

    __tablename__ = "instances"
    # by time within a study: every arrival asks for the first image of its study, which may have thousands
    __table_args__ = (Index(None, "study_instance_uid", "kind", "received_at"),)

    sop_instance_uid: Mapped[str] = mapped_column(UID, primary_key=True)
    study_instance_uid: Mapped[str] = mapped_column(UID, ForeignKey(Study.study_instance_uid))
    series_instance_uid: Mapped[str]
    sop_class_uid: Mapped[str]
    transfer_syntax_uid: Mapped[str]
    kind: Mapped[InstanceKind] = mapped_column(choice(InstanceKind, "kind"))
    modality: Mapped[str]
    path: Mapped[str]  #: relative to the data folder
    newest_path: Mapped[str]  #: of the newest revision; `path` where there is none
    size_bytes: Mapped[int] = mapped_column(NUMBER)
    header: Mapped[dict[str, Any]]
    synthetic: Mapped[bool] = mapped_column(server_default=false())  #: a header of it says so, or did before
    turned_away: Mapped[dict[str, str]]  #: model -> the rule's reason
    calling_ae_title: Mapped[str]
    called_ae_title: Mapped[str]
    address: Mapped[str]
    received_at: Mapped[datetime]
    header_number: Mapped[int] = mapped_column(server_default="0")  #: of its study's `headers`, when its own came last
    removed_at: Mapped[datetime | None]  #: when retention took its file away; the row stays


class InstanceCopy(Base):
    """A later copy of a held UID that was kept beside the first one."""

    __tablename__ = "instance_copies"
    __table_args__ = ({"sqlite_autoincrement": True},)  # operators type its numbers: none is given twice

    id: Mapped[int] = mapped_column(NUMBER, primary_key=True)
    sop_instance_uid: Mapped[str] = mapped_column(UID, ForeignKey(Instance.sop_instance_uid), index=True)
    kind: Mapped[CopyKind] = mapped_column(choice(CopyKind, "kind"))
    transfer_syntax_uid: Mapped[str]
    path: Mapped[str]
    size_bytes: Mapped[int] = mapped_column(NUMBER)
    header: Mapped[dict[str, Any]]
    reason: Mapped[str]
    calling_ae_title: Mapped[str]
    called_ae_title: Mapped[str]
    address: Mapped[str]
    received_at: Mapped[datetime]


class Job(Lifecycle, Base):
    """One piece of work: an instance to read, or a study to compose, by one model."""

    __tablename__ = "jobs"
    __table_args__ = (
        UniqueConstraint("kind", "subject_uid", "model"),
        # a claim takes the first entry and sorts nothing
        Index(None, "kind", "state", "priority", "study_order", "due_at", "id"),
        Index(None, "study_instance_uid", "model", "kind", "state"),
        Index(None, "ask_at", sqlite_where=text("ask_at IS NOT NULL"), postgresql_where=text("ask_at IS NOT NULL")),
    )

    kind: Mapped[JobKind] = mapped_column(choice(JobKind, "kind"))
    subject_uid: Mapped[str] = mapped_column(UID)  #: SOP Instance UID of a read, Study Instance UID of a compose
    study_instance_uid: Mapped[str] = mapped_column(UID, ForeignKey(Study.study_instance_uid))
    model: Mapped[str]
    study_order: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    """Milliseconds from its study's first image back to 1970, so below 0: the newest study has the smallest."""
    again_due_at: Mapped[datetime | None]  #: set while running: something new came, so settling puts it back
    signal: Mapped[str] = mapped_column(server_default="")  #: of a compose: what made it due when it is
    latest_at: Mapped[datetime | None]  #: of a compose: it is done by then, with what has been read
    ask_at: Mapped[datetime | None]  #: of a compose that waits: when its study's sender is asked for its counts


class InstanceReading(Base):
    """What one version of one model said of one instance."""

    __tablename__ = "readings"
    __table_args__ = (Index(None, "study_instance_uid", "model", "version"),)

    sop_instance_uid: Mapped[str] = mapped_column(UID, ForeignKey(Instance.sop_instance_uid), primary_key=True)
    model: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[str] = mapped_column(primary_key=True)
    study_instance_uid: Mapped[str] = mapped_column(UID, ForeignKey(Study.study_instance_uid))
    reading: Mapped[dict[str, Any]]


class Analysis(Base):
    """One composed result of one model for one study; a newer one names its predecessor."""

    __tablename__ = "analyses"
    __table_args__ = (Index(None, "study_instance_uid", "model"),)

    id: Mapped[int] = mapped_column(NUMBER, primary_key=True)
    study_instance_uid: Mapped[str] = mapped_column(UID, ForeignKey(Study.study_instance_uid))
    model: Mapped[str]
    version: Mapped[str]
    outcome: Mapped[Outcome] = mapped_column(choice(Outcome, "outcome"))
    inputs_digest: Mapped[str]
    conclusion: Mapped[str]
    patient_key: Mapped[str]
    created_at: Mapped[datetime]
    predecessor_id: Mapped[int | None] = mapped_column(NUMBER, ForeignKey("analyses.id"))
    findings: Mapped[list[dict[str, Any]]] = mapped_column(JSON, server_default="[]")  #: of the study, by class
    last_read_id: Mapped[int] = mapped_column(NUMBER, server_default="0")  #: no later read of the study is in it
    anew_for: Mapped[str] = mapped_column(server_default="")  #: the operator who wants a new one in its place, or ""


class TurnedAwayStudy(Base):
    """A complete study that gets no result of a model, because its rule asks for another number of images."""

    __tablename__ = "studies_turned_away"

    study_instance_uid: Mapped[str] = mapped_column(UID, ForeignKey(Study.study_instance_uid), primary_key=True)
    model: Mapped[str] = mapped_column(primary_key=True)
    reason: Mapped[str]
    at: Mapped[datetime]


class Rendition(Base):
    """One form of a report, or what goes beside it, its bytes as they are sent."""

    __tablename__ = "renditions"

    id: Mapped[int] = mapped_column(NUMBER, primary_key=True)
    analysis_id: Mapped[int] = mapped_column(NUMBER, ForeignKey(Analysis.id), index=True)
    kind: Mapped[DeliveryKind] = mapped_column(choice(DeliveryKind, "kind"), server_default=DeliveryKind.REPORT)
    sop_class_uid: Mapped[str] = mapped_column(UID)
    sop_instance_uid: Mapped[str] = mapped_column(UID, unique=True)
    series_instance_uid: Mapped[str] = mapped_column(UID)
    transfer_syntax_uid: Mapped[str] = mapped_column(UID)
    profile: Mapped[str]
    language: Mapped[str]
    dataset: Mapped[bytes] = mapped_column(LargeBinary)  #: of a heat map without its picture
    picture_id: Mapped[int | None] = mapped_column(NUMBER)  #: stays when the picture is removed


class Picture(Base):
    """The pixels of heat maps of one result that show the same; `node.store.working.pictures` says when they go."""

    __tablename__ = "pictures"
    __table_args__ = (UniqueConstraint("analysis_id", "digest"), {"sqlite_autoincrement": True})  # no number twice

    id: Mapped[int] = mapped_column(NUMBER, primary_key=True)
    analysis_id: Mapped[int] = mapped_column(NUMBER, ForeignKey(Analysis.id))
    digest: Mapped[str] = mapped_column(String(64))
    compressed: Mapped[bytes] = mapped_column(LargeBinary)


class Delivery(Lifecycle, Base):
    """One rendition on its way to one peer; once it is pinned, nothing changes which."""

    __tablename__ = "deliveries"
    __table_args__ = (
        UniqueConstraint("rendition_id", "peer"),
        Index(None, "state", "priority", "due_at", "id"),
        Index(None, "peer", "state", "priority", "due_at", "id"),  # a claim takes the first entry and sorts nothing
        Index(None, "commitment", "peer", "sent_at"),  # what a peer was sent and is still to be asked about
    )

    created_at: Mapped[datetime]
    analysis_id: Mapped[int] = mapped_column(NUMBER, ForeignKey(Analysis.id), index=True)
    peer: Mapped[str]
    rendition_id: Mapped[int] = mapped_column(NUMBER, ForeignKey(Rendition.id))  #: the preferred one, until pinned
    pinned_at: Mapped[datetime | None]  #: when that was settled; before, nothing of it has left
    kind: Mapped[DeliveryKind] = mapped_column(choice(DeliveryKind, "kind"), server_default=DeliveryKind.REPORT)
    last_status: Mapped[int | None]  #: the peer's last DIMSE status
    last_comment: Mapped[str] = mapped_column(server_default="")  #: (0000,0902) Error Comment beside it
    sent_at: Mapped[datetime | None]  #: when the peer answered that it has it
    offered_at: Mapped[datetime | None]  #: when it may last have left for the peer, whatever came of it
    waits_since: Mapped[datetime | None]  #: where that is not `created_at`: it was let go, or is sent again
    released_at: Mapped[datetime | None]  #: when an operator let it go although it was held
    past_hold: Mapped[int | None] = mapped_column(NUMBER)  #: of a note: holds up to this number do not keep it back
    held_for: Mapped[str] = mapped_column(server_default="")  #: of `node.domain.lifecycle.HeldFor`
    waived: Mapped[list[str]] = mapped_column(JSON, server_default="[]")  #: what an operator let go of these
    commitment: Mapped[Commitment] = mapped_column(choice(Commitment, "commitment"), server_default=Commitment.NONE)
    commitment_id: Mapped[int | None] = mapped_column(NUMBER, index=True)  #: of the request that asks for it


class RegisteredModel(Base):
    """One model name that this node may run; after the first start this row rules, not the configuration."""

    __tablename__ = "models"

    name: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[str]
    bundle: Mapped[str]
    mode: Mapped[Mode] = mapped_column(choice(Mode, "mode"))
    rule: Mapped[dict[str, Any]]


class AuditEntry(Base):
    """One thing that happened; the timeline of a study is its entries in order."""

    __tablename__ = "audit"

    id: Mapped[int] = mapped_column(NUMBER, primary_key=True)
    at: Mapped[datetime] = mapped_column(index=True)
    event: Mapped[str]
    study_instance_uid: Mapped[str] = mapped_column(index=True)  #: "" where it concerns none; as a peer sent it
    sop_instance_uid: Mapped[str]
    detail: Mapped[dict[str, Any]]
