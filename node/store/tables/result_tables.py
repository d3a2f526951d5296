"""The tables of results: analyses, their reports and pictures, and the way of each to its peers."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, LargeBinary, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from node.domain.finding import Outcome
from node.store.tables.base import Base, Lifecycle
from node.store.tables.choices import Commitment, DeliveryKind
from node.store.tables.column_types import NUMBER, UID, choice
from node.store.tables.image_tables import Study


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
