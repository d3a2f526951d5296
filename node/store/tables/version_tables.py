"""The tables of models: what each name runs, every version with its verdict, and every run of the gate."""

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from node.store.tables.base import Base
from node.store.tables.choices import Mode
from node.store.tables.column_types import NUMBER, choice


class VersionState(StrEnum):
    """What a version of a model is to this node."""

    SERVING = "serving"
    """The registry names it; exactly one of each model."""

    FORMER = "former"
    """It served once; the one before the serving version is what a rollback brings back."""

    AWAITING = "awaiting"
    """It passed the gate and waits for a person's approval."""

    SHADOW = "shadow"
    """Nothing spoke against it and something could not be judged: it is never promoted by itself."""

    REFUSED = "refused"
    """It missed a criterion; its bundle is kept for a while and then swept."""


class RegisteredModel(Base):
    """One model name that this node may run; after the first start this row rules, not the configuration."""

    __tablename__ = "models"

    name: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[str]
    bundle: Mapped[str]
    mode: Mapped[Mode] = mapped_column(choice(Mode, "mode"))
    rule: Mapped[dict[str, Any]]


class ModelVersion(Base):
    """One version of one model: what it was made of, what was measured, and what became of it."""

    __tablename__ = "model_versions"
    __table_args__ = (
        UniqueConstraint("model", "version"),
        Index(
            "ix_model_versions_serving",
            "model",
            unique=True,
            sqlite_where=text("state = 'serving'"),
            postgresql_where=text("state = 'serving'"),
        ),
    )

    id: Mapped[int] = mapped_column(NUMBER, primary_key=True)
    model: Mapped[str]
    version: Mapped[str]
    device_uid: Mapped[str]  #: "" where its bundle was never seen by this registry
    bundle: Mapped[str]  #: as the registry of models names it; "" likewise
    manifest_digest: Mapped[str]  #: SHA-256, hexadecimal; "" likewise
    data_digests: Mapped[
        dict[str, str]
    ]  #: by what it is: what it was trained on, each locked set that it was judged by
    parents: Mapped[list[str]] = mapped_column(JSON)  #: versions that it was trained from or judged against
    figures: Mapped[dict[str, Any]]  #: measures of its manifest, and learning, potential and retention
    outcome: Mapped[str]  #: of the gate: promoted, shadow, refused; "" where it was never judged
    judged_against: Mapped[str]  #: the version that was the champion then; "" likewise
    run: Mapped[str] = mapped_column(index=True)  #: of the gate's runs; "" likewise
    state: Mapped[VersionState] = mapped_column(choice(VersionState, "state"))
    made_at: Mapped[datetime]  #: when this registry first saw it
    changed_at: Mapped[datetime]  #: when `state` last changed
    changed_by: Mapped[str]
    reason: Mapped[str]  #: of the last change, a sentence
    before: Mapped[str] = mapped_column(server_default="")  #: the version that served when this one first took over
    swept_at: Mapped[datetime | None]  #: when its bundle was removed; the row stays


class GateRun(Base):
    """One run of the gate: the protocol as it was declared, and the verdict once there is one."""

    __tablename__ = "gate_runs"

    run: Mapped[str] = mapped_column(primary_key=True)
    model: Mapped[str]
    protocol: Mapped[dict[str, Any]]
    protocol_digest: Mapped[str]
    declared_at: Mapped[datetime]
    verdict: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    judged_at: Mapped[datetime | None]
