"""The tables of work on images: jobs, what models said of each image, and studies that get no result."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from node.store.tables.base import Base, Lifecycle
from node.store.tables.choices import JobKind
from node.store.tables.column_types import UID, choice
from node.store.tables.image_tables import Instance, Study


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


class TurnedAwayStudy(Base):
    """A complete study that gets no result of a model, because its rule asks for another number of images."""

    __tablename__ = "studies_turned_away"

    study_instance_uid: Mapped[str] = mapped_column(UID, ForeignKey(Study.study_instance_uid), primary_key=True)
    model: Mapped[str] = mapped_column(primary_key=True)
    reason: Mapped[str]
    at: Mapped[datetime]
