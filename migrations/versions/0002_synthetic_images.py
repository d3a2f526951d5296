"""Images that say of themselves that they are synthetic.

What is known in the database is taken over: what the header of an instance or of a copy of it says, and what a
downgrade noted. A header of a version that did not ask says nothing; `pacs-node migrate` then asks the files.

Revision ID: 0002
Revises: 0001
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_NOTE = "was_synthetic"
"""In a header's JSON: the flag, which says more than the newest header does; revision 0001 passes over it."""

_INSTANCES = sa.table(
    "instances",
    sa.column("sop_instance_uid", sa.String),
    sa.column("header", sa.JSON),
    sa.column("synthetic", sa.Boolean),
)
_COPIES = sa.table("instance_copies", sa.column("sop_instance_uid", sa.String), sa.column("header", sa.JSON))


def upgrade() -> None:
    """Add the flag, and set it where a header that is kept says so."""
    op.add_column("instances", sa.Column("synthetic", sa.Boolean(), server_default=sa.false(), nullable=False))
    said_by_copy = sa.select(_COPIES.c.sop_instance_uid).where(_says(_COPIES.c.header, "synthetic"))
    said = sa.or_(
        _says(_INSTANCES.c.header, "synthetic"),
        _says(_INSTANCES.c.header, _NOTE),
        _INSTANCES.c.sop_instance_uid.in_(said_by_copy),
    )
    op.execute(_INSTANCES.update().where(said).values(synthetic=True))


def downgrade() -> None:
    """Note the flag in the header and take the column away; SQLite drops a plain column too, since 3.35."""
    connection = op.get_bind()
    marked = sa.select(_INSTANCES.c.sop_instance_uid, _INSTANCES.c.header).where(_INSTANCES.c.synthetic)
    for uid, header in connection.execute(marked).all():
        this = _INSTANCES.c.sop_instance_uid == uid
        connection.execute(_INSTANCES.update().where(this).values(header=header | {_NOTE: True}))
    op.drop_column("instances", "synthetic")


def _says(header: sa.ColumnElement, key: str) -> sa.ColumnElement:
    return header[key].as_boolean().is_(sa.true())
