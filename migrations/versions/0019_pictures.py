"""The pictures of heat maps apart from what they say of themselves, and results that an operator wants made anew.

Revision ID: 0019
Revises: 0018
"""

import hashlib
import zlib

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_PIXEL_DATA = b"\xe0\x7f\x10\x00"  # (7FE0,0010) in Implicit VR Little Endian, then four bytes of length

_renditions = sa.table(
    "renditions",
    sa.column("id", _NUMBER),
    sa.column("analysis_id", _NUMBER),
    sa.column("kind", sa.String()),
    sa.column("dataset", sa.LargeBinary()),
    sa.column("picture_id", _NUMBER),
)
_pictures = sa.table(
    "pictures",
    sa.column("id", _NUMBER),
    sa.column("analysis_id", _NUMBER),
    sa.column("digest", sa.String()),
    sa.column("compressed", sa.LargeBinary()),
)


def upgrade() -> None:
    """Take the pictures out of the heat maps that there are, one by one, each once for all that show the same."""
    op.create_table(
        "pictures",
        sa.Column("id", _NUMBER, nullable=False),
        sa.Column("analysis_id", _NUMBER, nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("compressed", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["analysis_id"], ["analyses.id"], name="fk_pictures_analysis_id_analyses"),
        sa.PrimaryKeyConstraint("id", name="pk_pictures"),
        sa.UniqueConstraint("analysis_id", "digest", name="uq_pictures_analysis_id_digest"),
        sqlite_autoincrement=True,  # the number of a picture that was removed never comes again
    )
    op.add_column("renditions", sa.Column("picture_id", _NUMBER, nullable=True))
    op.add_column("analyses", sa.Column("anew_for", sa.Text(), server_default="", nullable=False))
    connection = op.get_bind()
    maps = sa.select(_renditions.c.id).where(_renditions.c.kind == "heatmap")
    for number in connection.scalars(maps.order_by(_renditions.c.id)).all():
        _take_out(connection, number)


def _take_out(connection: sa.Connection, number: int) -> None:
    this = _renditions.c.id == number
    row = connection.execute(sa.select(_renditions.c.analysis_id, _renditions.c.dataset).where(this)).one()
    at = _begins(row.dataset)
    if at < 0:
        return
    picture, named = row.dataset[at:], {"analysis_id": row.analysis_id}
    named["digest"] = hashlib.sha256(picture).hexdigest()
    same = sa.select(_pictures.c.id).where(*(_pictures.c[name] == value for name, value in named.items()))
    held = connection.scalar(same)
    if held is None:
        connection.execute(sa.insert(_pictures).values(**named, compressed=zlib.compress(picture, 1)))
        held = connection.scalar(same)
    connection.execute(sa.update(_renditions).where(this).values(dataset=row.dataset[:at], picture_id=held))


def _begins(dataset: bytes) -> int:
    """Return where the Pixel Data element begins, which is the last one; -1 where there is none."""
    at = dataset.find(_PIXEL_DATA)
    while at >= 0 and int.from_bytes(dataset[at + 4 : at + 8], "little") != len(dataset) - at - 8:
        at = dataset.find(_PIXEL_DATA, at + 1)
    return at


def downgrade() -> None:
    """Put the pictures back; heat maps whose picture was removed stay without one."""
    connection = op.get_bind()
    own = sa.and_(_pictures.c.id == _renditions.c.picture_id, _pictures.c.analysis_id == _renditions.c.analysis_id)
    shown = sa.select(_renditions.c.id).join(_pictures, own).order_by(_renditions.c.id)
    for number in connection.scalars(shown).all():
        this = _renditions.c.id == number
        both = sa.select(_renditions.c.dataset, _pictures.c.compressed).join(_pictures, own).where(this)
        head, compressed = connection.execute(both).one()
        whole = head + zlib.decompress(compressed)
        connection.execute(sa.update(_renditions).where(this).values(dataset=whole))
    op.drop_table("pictures")
    with op.batch_alter_table("renditions") as renditions:
        renditions.drop_column("picture_id")
    with op.batch_alter_table("analyses") as analyses:
        analyses.drop_column("anew_for")
