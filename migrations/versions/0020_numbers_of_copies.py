"""The number of a copy in the quarantine is given once: an operator who noted it never finds another object under it.

SQLite gives the highest number again when its row was removed. PostgreSQL counts on by itself, but where a database was
put back from a backup of before this revision: those do not say which numbers were given.

Revision ID: 0020
Revises: 0019
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import REGCLASS

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

_NAME = "instance_copies"
_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_UID = sa.String(length=64)
_SETTLED = ("quarantined copy accepted", "quarantined copy discarded")

_audit = sa.table("audit", sa.column("event", sa.Text()), sa.column("detail", sa.JSON()))
_copies = sa.table(_NAME, sa.column("id", _NUMBER))
_given = sa.table("sqlite_sequence", sa.column("name", sa.Text()), sa.column("seq", sa.Integer()))


def upgrade() -> None:
    """Count on after every number that is there, or was when an operator settled it."""
    connection = op.get_bind()
    there = connection.scalar(sa.select(sa.func.max(_copies.c.id))) or 0
    told = connection.scalars(sa.select(_audit.c.detail).where(_audit.c.event.in_(_SETTLED)))
    settled = [number for detail in told if isinstance(number := detail.get("copy"), int)]
    highest = max([there, *settled])
    if connection.dialect.name == "sqlite":
        _make_anew(sqlite_autoincrement=True)
        connection.execute(sa.delete(_given).where(_given.c.name == _NAME))
        connection.execute(sa.insert(_given).values(name=_NAME, seq=highest))
    elif highest:  # a sequence begins at 1
        _count_on(connection, highest)


def downgrade() -> None:
    """Let the table be as it was."""
    if op.get_bind().dialect.name == "sqlite":
        _make_anew()


def _count_on(connection: sa.Connection, highest: int) -> None:
    sequence = connection.scalar(sa.select(sa.func.pg_get_serial_sequence(_NAME, "id")))
    last = connection.scalar(sa.select(sa.func.pg_sequence_last_value(sa.cast(sequence, REGCLASS)))) or 0
    connection.execute(sa.select(sa.func.setval(sequence, max(highest, last))))


def _make_anew(**how: bool) -> None:
    with op.batch_alter_table(_NAME, copy_from=_table(), recreate="always", table_kwargs=how):
        pass


def _table() -> sa.Table:
    return sa.Table(
        _NAME,
        sa.MetaData(),
        sa.Column("id", _NUMBER, nullable=False),
        sa.Column("sop_instance_uid", _UID, nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("transfer_syntax_uid", sa.Text(), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("size_bytes", _NUMBER, nullable=False),
        sa.Column("header", sa.JSON(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("calling_ae_title", sa.Text(), nullable=False),
        sa.Column("called_ae_title", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["sop_instance_uid"], ["instances.sop_instance_uid"], name="fk_instance_copies_sop_instance_uid_instances"
        ),
        sa.CheckConstraint("kind IN ('revision', 'quarantined')", name="ck_instance_copies_kind"),
        sa.PrimaryKeyConstraint("id", name="pk_instance_copies"),
        sa.Index("ix_instance_copies_sop_instance_uid", "sop_instance_uid"),
    )
