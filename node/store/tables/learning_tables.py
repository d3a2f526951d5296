"""The tables of learning: who stands on which side, what is kept to learn from, locked sets, and trainings.

Patients stand here by pseudonyms alone. A SOP Instance UID leads back to the instance's own row and to nobody else.
"""

from datetime import datetime

from sqlalchemy import ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from node.domain.split import Side
from node.store.tables.base import Base, Lifecycle
from node.store.tables.column_types import NUMBER, UID, choice
from node.store.tables.image_tables import Instance


class LearningSalt(Base):
    """What pseudonyms and sides follow from; minted once and never changed."""

    __tablename__ = "learning_salts"

    id: Mapped[int] = mapped_column(NUMBER, primary_key=True)
    salt: Mapped[str]  #: 64 hexadecimal digits
    minted_at: Mapped[datetime]


class LearningPatient(Base):
    """A patient whose images are kept to learn from, and the side assigned once and for ever.

    Images of a forgotten patient stand here, too, by their own pseudonyms and left out: so they are known again.
    """

    __tablename__ = "learning_patients"

    patient: Mapped[str] = mapped_column(primary_key=True)  #: pseudonym
    side: Mapped[Side] = mapped_column(choice(Side, "side"))
    group_name: Mapped[str] = mapped_column(index=True)  #: the same for patients whose images show one picture
    assigned_at: Mapped[datetime]
    left_out: Mapped[str] = mapped_column(server_default="")  #: why nothing of the patient is used; "" where it is


class TrainingExample(Base):
    """An image whose pixels are kept to learn from."""

    __tablename__ = "training_examples"

    sop_instance_uid: Mapped[str] = mapped_column(UID, ForeignKey(Instance.sop_instance_uid), primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)  #: pseudonym of the image; its pixels lie under it
    patient: Mapped[str] = mapped_column(ForeignKey(LearningPatient.patient), index=True)
    image_hash: Mapped[str]  #: what it shows (`models.images.alike`)
    digest: Mapped[str]  #: SHA-256 of the kept file; "" where no pixels are kept
    added_at: Mapped[datetime]
    left_out: Mapped[str] = mapped_column(server_default="")  #: why it is not used; "" where it is


class LockedSet(Base):
    """One version of a named set of images that no training reads."""

    __tablename__ = "locked_sets"
    __table_args__ = (UniqueConstraint("name", "version"),)

    id: Mapped[int] = mapped_column(NUMBER, primary_key=True)
    name: Mapped[str]
    version: Mapped[int]
    origin: Mapped[str]  #: "site", or "data" where it came as a data folder
    digest: Mapped[str]  #: SHA-256 over names, labels, groups and pixels, hexadecimal
    images: Mapped[int]
    patients: Mapped[int]
    reason: Mapped[str]  #: why there is this version
    frozen_at: Mapped[datetime]
    removed_at: Mapped[datetime | None]  #: when its images were taken away, because a patient is to be forgotten


class LockedImage(Base):
    """One image of one version of a locked set."""

    __tablename__ = "locked_images"

    locked_set_id: Mapped[int] = mapped_column(NUMBER, ForeignKey(LockedSet.id), primary_key=True)
    name: Mapped[str] = mapped_column(primary_key=True)
    patient: Mapped[str] = mapped_column(index=True)  #: pseudonym; of a data folder, its group
    image_hash: Mapped[str]


class LockedSetUse(Base):
    """One time that somebody looked at a locked set: whoever looks may choose by it."""

    __tablename__ = "locked_set_uses"

    id: Mapped[int] = mapped_column(NUMBER, primary_key=True)
    locked_set_id: Mapped[int] = mapped_column(NUMBER, ForeignKey(LockedSet.id), index=True)
    used_at: Mapped[datetime]
    purpose: Mapped[str]


class Retraining(Lifecycle, Base):
    """One training from the site's labels: asked for, run, judged."""

    __tablename__ = "retrainings"
    __table_args__ = (
        UniqueConstraint("model", "fired_by"),
        # of one model never two that are still to come
        Index(
            "ix_retrainings_open",
            "model",
            unique=True,
            sqlite_where=text("state IN ('waiting', 'running')"),
            postgresql_where=text("state IN ('waiting', 'running')"),
        ),
    )

    model: Mapped[str]
    fired_by: Mapped[str]  #: the minute of the schedule, the same on every node, or one operator's word
    requested_at: Mapped[datetime]
    requested_by: Mapped[str]
    recipe: Mapped[str]
    start: Mapped[str]  #: "scratch" or "champion"
    seed: Mapped[int]
    labels: Mapped[int] = mapped_column(server_default="0")  #: images that it learns from and chooses on
    labels_until: Mapped[datetime | None]  #: when the newest of its labels was recorded
    data_digest: Mapped[str] = mapped_column(server_default="")
    stage: Mapped[str] = mapped_column(server_default="")  #: what is under way
    done: Mapped[int] = mapped_column(server_default="0")  #: of `total`
    total: Mapped[int] = mapped_column(server_default="0")
    started_at: Mapped[datetime | None]
    cancel_at: Mapped[datetime | None]  #: when an operator asked for its end
    cancelled_by: Mapped[str] = mapped_column(server_default="")
    bundle: Mapped[str] = mapped_column(server_default="")  #: relative to the data folder
    version: Mapped[str] = mapped_column(server_default="")
    verdict: Mapped[str] = mapped_column(server_default="")  #: of the gate


class TrainingUse(Base):
    """One patient whose images one training learned from or chose on."""

    __tablename__ = "training_uses"

    retraining_id: Mapped[int] = mapped_column(NUMBER, ForeignKey(Retraining.id), primary_key=True)
    patient: Mapped[str] = mapped_column(primary_key=True)  #: pseudonym
    images: Mapped[int]


class LabelProblem(Base):
    """A label that a training found unlikely, for an operator to look at."""

    __tablename__ = "label_problems"

    sop_instance_uid: Mapped[str] = mapped_column(UID, ForeignKey(Instance.sop_instance_uid), primary_key=True)
    class_name: Mapped[str] = mapped_column(primary_key=True)
    present: Mapped[bool]  #: what the label says
    likelihood: Mapped[float]  #: how likely a classifier that has not seen the image holds that label, 0 to 1
    retraining_id: Mapped[int] = mapped_column(NUMBER, ForeignKey(Retraining.id), index=True)
    found_at: Mapped[datetime]
    settled_at: Mapped[datetime | None]
    settled_by: Mapped[str] = mapped_column(server_default="")
