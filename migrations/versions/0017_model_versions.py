"""Every version of every model with its verdict, and the runs of the gate with their protocols.

Revision ID: 0017
Revises: 0016
"""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_TIME = sa.DateTime(timezone=True)
_SERVING = sa.text("state = 'serving'")
_STATES = "state IN ('serving', 'former', 'awaiting', 'shadow', 'refused')"

_COLUMNS = (
    "(model, version, device_uid, bundle, manifest_digest, data_digests, parents, figures, outcome, judged_against, "
    "run, state, made_at, changed_at, changed_by, reason)"
)
_NOTHING = "'', '{}', '[]', '{}', '', '', ''"
# what their bundles are is filled in by the next start of the node, which opens them
_REGISTERED = f"""
INSERT INTO model_versions {_COLUMNS}
SELECT name, version, '', bundle, {_NOTHING}, 'serving', CURRENT_TIMESTAMP, CURRENT_TIMESTAMP, '', 'served before'
FROM models
"""  # noqa: S608 - names and constants of this file
_KNOWN_BY_RESULTS = f"""
INSERT INTO model_versions {_COLUMNS}
SELECT model, version, '', '', {_NOTHING}, 'former', min(created_at), max(created_at), '', 'known by its results'
FROM analyses WHERE NOT EXISTS (
    SELECT 1 FROM models WHERE models.name = analyses.model AND models.version = analyses.version
)
GROUP BY model, version ORDER BY max(id)
"""  # noqa: S608 - the same


def upgrade() -> None:
    """Make the tables, and enter the versions that serve and those that results name."""
    op.create_table(
        "model_versions",
        sa.Column("id", _NUMBER, nullable=False),
        *(_text(name) for name in ("model", "version", "device_uid", "bundle", "manifest_digest")),
        *(sa.Column(name, sa.JSON(), nullable=False) for name in ("data_digests", "parents", "figures")),
        *(_text(name) for name in ("outcome", "judged_against", "run")),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("made_at", _TIME, nullable=False),
        sa.Column("changed_at", _TIME, nullable=False),
        *(_text(name) for name in ("changed_by", "reason")),
        sa.Column("before", sa.Text(), server_default="", nullable=False),
        sa.Column("swept_at", _TIME, nullable=True),
        sa.CheckConstraint(_STATES, name="ck_model_versions_state"),
        sa.PrimaryKeyConstraint("id", name="pk_model_versions"),
        sa.UniqueConstraint("model", "version", name="uq_model_versions_model_version"),
    )
    op.create_index("ix_model_versions_run", "model_versions", ["run"])
    op.create_index(
        "ix_model_versions_serving",
        "model_versions",
        ["model"],
        unique=True,
        sqlite_where=_SERVING,
        postgresql_where=_SERVING,
    )
    op.create_table(
        "gate_runs",
        *(_text(name) for name in ("run", "model")),
        sa.Column("protocol", sa.JSON(), nullable=False),
        _text("protocol_digest"),
        sa.Column("declared_at", _TIME, nullable=False),
        sa.Column("verdict", sa.JSON(), nullable=True),
        sa.Column("judged_at", _TIME, nullable=True),
        sa.PrimaryKeyConstraint("run", name="pk_gate_runs"),
    )
    op.execute(sa.text(_KNOWN_BY_RESULTS))
    op.execute(sa.text(_REGISTERED))


def downgrade() -> None:
    """Take them away."""
    op.drop_table("gate_runs")
    op.drop_index("ix_model_versions_serving", table_name="model_versions")
    op.drop_index("ix_model_versions_run", table_name="model_versions")
    op.drop_table("model_versions")


def _text(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), nullable=False)
