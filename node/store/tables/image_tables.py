"""The tables of what was received: studies, their instances, and copies that came later."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, false
from sqlalchemy.orm import Mapped, mapped_column

from node.store.tables.base import Base
from node.store.tables.choices import CopyKind, InstanceKind, Origin
from node.store.tables.column_types import NUMBER, UID, choice


class Study(Base):
    """One study; the identity is that of the newest header stored for it."""

    __tablename__ = "studies"

    study_instance_uid: Mapped[str] = mapped_column(UID, primary_key=True)
    patient_id: Mapped[str]
    issuer_of_patient_id: Mapped[str]
    patient_name: Mapped[str]
    patient_birth_date: Mapped[str]
    patient_sex: Mapped[str]
    accession_number: Mapped[str]
    study_date: Mapped[str]
    study_description: Mapped[str]
    first_received_at: Mapped[datetime] = mapped_column(index=True)
    last_received_at: Mapped[datetime | None]  #: of an image; None while only other objects came
    closed_by: Mapped[str] = mapped_column(server_default="")  #: the signal that completed it last; "" while it is open
    closed_at: Mapped[datetime | None]
    origin: Mapped[Origin] = mapped_column(choice(Origin, "origin"), server_default=Origin.LIVE)
    headers: Mapped[int] = mapped_column(server_default="0")  #: how often images or revisions of images came


class Instance(Base):
    """One stored SOP instance; the first copy that came under its UID."""

    __tablename__ = "instances"
    # by time within a study: every arrival asks for the first image of its study, which may have thousands
    __table_args__ = (Index(None, "study_instance_uid", "kind", "received_at"),)

    sop_instance_uid: Mapped[str] = mapped_column(UID, primary_key=True)
    study_instance_uid: Mapped[str] = mapped_column(UID, ForeignKey(Study.study_instance_uid))
    series_instance_uid: Mapped[str]
    sop_class_uid: Mapped[str]
    transfer_syntax_uid: Mapped[str]
    kind: Mapped[InstanceKind] = mapped_column(choice(InstanceKind, "kind"))
    modality: Mapped[str]
    path: Mapped[str]  #: relative to the data folder
    newest_path: Mapped[str]  #: of the newest revision; `path` where there is none
    size_bytes: Mapped[int] = mapped_column(NUMBER)
    header: Mapped[dict[str, Any]]
    synthetic: Mapped[bool] = mapped_column(server_default=false())  #: a header of it says so, or did before
    turned_away: Mapped[dict[str, str]]  #: model -> the rule's reason
    calling_ae_title: Mapped[str]
    called_ae_title: Mapped[str]
    address: Mapped[str]
    received_at: Mapped[datetime]
    header_number: Mapped[int] = mapped_column(server_default="0")  #: of its study's `headers`, when its own came last
    removed_at: Mapped[datetime | None]  #: when retention took its file away; the row stays


class InstanceCopy(Base):
    """A later copy of a held UID that was kept beside the first one."""

    __tablename__ = "instance_copies"
    __table_args__ = ({"sqlite_autoincrement": True},)  # operators type its numbers: none is given twice

    id: Mapped[int] = mapped_column(NUMBER, primary_key=True)
    sop_instance_uid: Mapped[str] = mapped_column(UID, ForeignKey(Instance.sop_instance_uid), index=True)
    kind: Mapped[CopyKind] = mapped_column(choice(CopyKind, "kind"))
    transfer_syntax_uid: Mapped[str]
    path: Mapped[str]
    size_bytes: Mapped[int] = mapped_column(NUMBER)
    header: Mapped[dict[str, Any]]
    reason: Mapped[str]
    calling_ae_title: Mapped[str]
    called_ae_title: Mapped[str]
    address: Mapped[str]
    received_at: Mapped[datetime]
