"""The tables of monitoring: what models saw of images, what later images are compared with, and alarms."""

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, LargeBinary, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from node.store.tables.base import Base
from node.store.tables.column_types import NUMBER, UID, choice
from node.store.tables.image_tables import Instance


class AlarmKind(StrEnum):
    """What an alarm is about; `[monitor] stop_on` chooses among these."""

    DRIFT = "drift"
    """Images are not like those of the reference any more."""

    ADMISSION = "admission"
    """Many more images than in the reference are not admitted."""

    FLAGS = "flags"
    """More studies are flagged than the alert budget allows."""

    PPV = "ppv"
    """Readers confirm fewer of the flagged studies than the alert budget asks for."""

    SILENCE = "silence"
    """A sender has sent nothing for longer than from the same hour of other weeks on."""


class MonitoredReading(Base):
    """What one version of one model saw of one image, in a few numbers from which no image can be made."""

    __tablename__ = "monitored_readings"
    __table_args__ = (
        UniqueConstraint("sop_instance_uid", "model", "version"),
        Index(None, "model", "version", "id"),
    )

    id: Mapped[int] = mapped_column(NUMBER, primary_key=True)
    sop_instance_uid: Mapped[str] = mapped_column(UID, ForeignKey(Instance.sop_instance_uid))
    model: Mapped[str]
    version: Mapped[str]
    at: Mapped[datetime]
    admitted: Mapped[bool]
    classifier: Mapped[bytes] = mapped_column(LargeBinary)  #: little-endian float16; empty where there is none
    anomaly: Mapped[bytes] = mapped_column(LargeBinary)  #: the same


class MonitorReference(Base):
    """The readings that later ones are compared with: those of a version between two numbers, both included."""

    __tablename__ = "monitor_references"
    __table_args__ = (Index(None, "model", "version"),)

    id: Mapped[int] = mapped_column(NUMBER, primary_key=True)
    model: Mapped[str]
    version: Mapped[str]
    first_id: Mapped[int] = mapped_column(NUMBER)
    last_id: Mapped[int] = mapped_column(NUMBER)
    made_at: Mapped[datetime]
    made_by: Mapped[str]


class MonitorAlarm(Base):
    """Something that an operator should look at, from when it was seen until it was no more."""

    __tablename__ = "monitor_alarms"
    __table_args__ = (
        Index(
            "ix_monitor_alarms_open",
            *("model", "version", "kind", "sender", "modality"),
            unique=True,
            sqlite_where=text("cleared_at IS NULL"),
            postgresql_where=text("cleared_at IS NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(NUMBER, primary_key=True)
    model: Mapped[str]  #: "" of a sender's silence
    version: Mapped[str]
    kind: Mapped[AlarmKind] = mapped_column(choice(AlarmKind, "kind"))
    sender: Mapped[str]  #: calling AE title; "" where it is about all
    modality: Mapped[str]  #: likewise
    said: Mapped[str]  #: one sentence for an operator
    figures: Mapped[dict[str, Any]] = mapped_column(JSON)
    raised_at: Mapped[datetime]
    cleared_at: Mapped[datetime | None]
    stopped: Mapped[bool]  #: whether it moved the model to shadow
