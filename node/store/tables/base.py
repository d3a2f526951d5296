"""What all tables share, and the columns of those that have work as their rows."""

from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy import JSON, MetaData
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from node.domain.lifecycle import State
from node.store.tables.column_types import NUMBER, PlainText, UTCDateTime, choice


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
