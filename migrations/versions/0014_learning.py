"""What is kept to learn from, and the trainings on it: sides of patients, locked sets, runs.

Revision ID: 0014
Revises: 0013
"""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_TIME = sa.DateTime(timezone=True)
_OPEN = sa.text("state IN ('waiting', 'running')")
_CHOICE = sa.String(length=16)


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "learning_patients",
        sa.Column("patient", sa.Text(), nullable=False),
        sa.Column("side", _CHOICE, nullable=False),
        sa.Column("group_name", sa.Text(), nullable=False),
        sa.Column("assigned_at", _TIME, nullable=False),
        sa.Column("left_out", sa.Text(), server_default="", nullable=False),
        sa.CheckConstraint("side IN ('train', 'validation', 'locked')", name="ck_learning_patients_side"),
        sa.PrimaryKeyConstraint("patient", name="pk_learning_patients"),
    )
    op.create_index("ix_learning_patients_group_name", "learning_patients", ["group_name"], unique=False)
    op.create_table(
        "learning_salts",
        sa.Column("id", _NUMBER, nullable=False),
        sa.Column("salt", sa.Text(), nullable=False),
        sa.Column("minted_at", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_learning_salts"),
    )
    op.create_table(
        "locked_sets",
        sa.Column("id", _NUMBER, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("origin", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("images", sa.Integer(), nullable=False),
        sa.Column("patients", sa.Integer(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("frozen_at", _TIME, nullable=False),
        sa.Column("removed_at", _TIME, nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_locked_sets"),
        sa.UniqueConstraint("name", "version", name="uq_locked_sets_name_version"),
    )
    op.create_table(
        "retrainings",
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("fired_by", sa.Text(), nullable=False),
        sa.Column("requested_at", _TIME, nullable=False),
        sa.Column("requested_by", sa.Text(), nullable=False),
        sa.Column("recipe", sa.Text(), nullable=False),
        sa.Column("start", sa.Text(), nullable=False),
        sa.Column("seed", sa.Integer(), nullable=False),
        sa.Column("labels", sa.Integer(), server_default="0", nullable=False),
        sa.Column("labels_until", _TIME, nullable=True),
        sa.Column("data_digest", sa.Text(), server_default="", nullable=False),
        sa.Column("stage", sa.Text(), server_default="", nullable=False),
        sa.Column("done", sa.Integer(), server_default="0", nullable=False),
        sa.Column("total", sa.Integer(), server_default="0", nullable=False),
        sa.Column("started_at", _TIME, nullable=True),
        sa.Column("cancel_at", _TIME, nullable=True),
        sa.Column("cancelled_by", sa.Text(), server_default="", nullable=False),
        sa.Column("bundle", sa.Text(), server_default="", nullable=False),
        sa.Column("version", sa.Text(), server_default="", nullable=False),
        sa.Column("verdict", sa.Text(), server_default="", nullable=False),
        sa.Column("id", _NUMBER, nullable=False),
        sa.Column("state", _CHOICE, nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("due_at", _TIME, nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("lapses", sa.Integer(), nullable=False),
        sa.Column("lease_until", _TIME, nullable=True),
        sa.Column("worker", sa.Text(), nullable=False),
        sa.Column("last_error", sa.Text(), nullable=False),
        sa.Column("settled_at", _TIME, nullable=True),
        sa.CheckConstraint(
            "state IN ('waiting', 'running', 'done', 'buried', 'cancelled', 'held')", name="ck_retrainings_state"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_retrainings"),
        sa.UniqueConstraint("model", "fired_by", name="uq_retrainings_model_fired_by"),
    )
    op.create_index(
        "ix_retrainings_open", "retrainings", ["model"], unique=True, sqlite_where=_OPEN, postgresql_where=_OPEN
    )
    op.create_table(
        "locked_images",
        sa.Column("locked_set_id", _NUMBER, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("patient", sa.Text(), nullable=False),
        sa.Column("image_hash", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["locked_set_id"], ["locked_sets.id"], name="fk_locked_images_locked_set_id_locked_sets"
        ),
        sa.PrimaryKeyConstraint("locked_set_id", "name", name="pk_locked_images"),
    )
    op.create_index("ix_locked_images_patient", "locked_images", ["patient"], unique=False)
    op.create_table(
        "locked_set_uses",
        sa.Column("id", _NUMBER, nullable=False),
        sa.Column("locked_set_id", _NUMBER, nullable=False),
        sa.Column("used_at", _TIME, nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["locked_set_id"], ["locked_sets.id"], name="fk_locked_set_uses_locked_set_id_locked_sets"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_locked_set_uses"),
    )
    op.create_index("ix_locked_set_uses_locked_set_id", "locked_set_uses", ["locked_set_id"], unique=False)
    op.create_table(
        "training_uses",
        sa.Column("retraining_id", _NUMBER, nullable=False),
        sa.Column("patient", sa.Text(), nullable=False),
        sa.Column("images", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["retraining_id"], ["retrainings.id"], name="fk_training_uses_retraining_id_retrainings"
        ),
        sa.PrimaryKeyConstraint("retraining_id", "patient", name="pk_training_uses"),
    )
    op.create_table(
        "label_problems",
        sa.Column("sop_instance_uid", sa.String(length=64), nullable=False),
        sa.Column("class_name", sa.Text(), nullable=False),
        sa.Column("present", sa.Boolean(), nullable=False),
        sa.Column("likelihood", sa.Double(), nullable=False),
        sa.Column("retraining_id", _NUMBER, nullable=False),
        sa.Column("found_at", _TIME, nullable=False),
        sa.Column("settled_at", _TIME, nullable=True),
        sa.Column("settled_by", sa.Text(), server_default="", nullable=False),
        sa.ForeignKeyConstraint(
            ["retraining_id"], ["retrainings.id"], name="fk_label_problems_retraining_id_retrainings"
        ),
        sa.ForeignKeyConstraint(
            ["sop_instance_uid"], ["instances.sop_instance_uid"], name="fk_label_problems_sop_instance_uid_instances"
        ),
        sa.PrimaryKeyConstraint("sop_instance_uid", "class_name", name="pk_label_problems"),
    )
    op.create_index("ix_label_problems_retraining_id", "label_problems", ["retraining_id"], unique=False)
    op.create_table(
        "training_examples",
        sa.Column("sop_instance_uid", sa.String(length=64), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("patient", sa.Text(), nullable=False),
        sa.Column("image_hash", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("added_at", _TIME, nullable=False),
        sa.Column("left_out", sa.Text(), server_default="", nullable=False),
        sa.ForeignKeyConstraint(
            ["patient"], ["learning_patients.patient"], name="fk_training_examples_patient_learning_patients"
        ),
        sa.ForeignKeyConstraint(
            ["sop_instance_uid"], ["instances.sop_instance_uid"], name="fk_training_examples_sop_instance_uid_instances"
        ),
        sa.PrimaryKeyConstraint("sop_instance_uid", name="pk_training_examples"),
        sa.UniqueConstraint("name", name="uq_training_examples_name"),
    )
    op.create_index("ix_training_examples_patient", "training_examples", ["patient"], unique=False)


def downgrade() -> None:
    """Take them away."""
    op.drop_index("ix_training_examples_patient", table_name="training_examples")
    op.drop_table("training_examples")
    op.drop_index("ix_label_problems_retraining_id", table_name="label_problems")
    op.drop_table("label_problems")
    op.drop_table("training_uses")
    op.drop_index("ix_locked_set_uses_locked_set_id", table_name="locked_set_uses")
    op.drop_table("locked_set_uses")
    op.drop_index("ix_locked_images_patient", table_name="locked_images")
    op.drop_table("locked_images")
    op.drop_index("ix_retrainings_open", table_name="retrainings", sqlite_where=_OPEN, postgresql_where=_OPEN)
    op.drop_table("retrainings")
    op.drop_table("locked_sets")
    op.drop_table("learning_salts")
    op.drop_index("ix_learning_patients_group_name", table_name="learning_patients")
    op.drop_table("learning_patients")
