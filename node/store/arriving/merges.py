"""Patients who are one patient by an operator's word, where no DICOM object says so.

A merge changes no stored header and no row of a study. It is looked up whenever it is asked whose study it is, so that
it counts for what comes later, too, and ending it takes back all of it; its row stays.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, and_, func, select, text, update

from node.domain.instance import InstanceHeader
from node.domain.lifecycle import State
from node.domain.patient import Patient, as_patient
from node.store.database import Transaction
from node.store.tables.choices import JobKind
from node.store.tables.image_tables import Study
from node.store.tables.operation_tables import PatientMerge
from node.store.tables.result_tables import Analysis
from node.store.tables.work_tables import Job


@dataclass(frozen=True, slots=True)
class PatientName:
    """A patient as a header names one: an ID, and who issued it."""

    patient_id: str
    issuer: str = ""  #: "" where headers name none

    def __str__(self) -> str:
        return f"{self.patient_id} of {self.issuer}" if self.issuer else self.patient_id


@dataclass(frozen=True, slots=True)
class Merge:
    """What counts as whose."""

    id: int
    patient: PatientName
    into: PatientName
    merged_by: str
    merged_at: datetime
    after_analysis: int  #: the last one that was made before it
    ended_at: datetime | None  #: None while it counts
    ended_by: str


def all(tx: Transaction) -> list[Merge]:  # noqa: A001 - read as merges.all
    """Return every merge, the oldest first, those that have ended too."""
    return [_merge(row) for row in tx.scalars(select(PatientMerge).order_by(PatientMerge.id))]


def lock(tx: Transaction) -> None:
    """Let nobody else merge before this transaction ends: whether two merges make a circle, neither sees alone."""
    if tx.get_bind().dialect.name == "postgresql":  # SQLite has one writer
        tx.execute(text("LOCK TABLE patient_merges IN SHARE ROW EXCLUSIVE MODE"))


def get(tx: Transaction, patient: PatientName) -> Merge | None:
    """Return what a patient counts as directly, or None."""
    row = tx.scalar(select(PatientMerge).where(_is(patient), PatientMerge.ended_at.is_(None)))
    return None if row is None else _merge(row)


def last_ended(tx: Transaction, patient: PatientName) -> Merge | None:
    """Return what a patient counted as directly before that was undone, the last time, or None."""
    ended = select(PatientMerge).where(_is(patient), PatientMerge.ended_at.is_not(None))
    row = tx.scalar(ended.order_by(PatientMerge.id.desc()).limit(1))
    return None if row is None else _merge(row)


def survivor(tx: Transaction, patient: PatientName) -> PatientName:
    """Return whom a patient counts as in the end: of A into B and B into C, C; the patient, where nothing is merged."""
    seen = set[PatientName]()
    while (merge := get(tx, patient)) is not None and patient not in seen:  # nothing makes a circle but rows by hand
        seen.add(patient)
        patient = merge.into
    return patient


def survivors(tx: Transaction) -> dict[PatientName, PatientName]:
    """Return as whom everyone counts in the end who counts as another."""
    into = {merge.patient: merge.into for merge in all(tx) if merge.ended_at is None}
    return {patient: _end_of(into, patient) for patient in into}


def add(tx: Transaction, patient: PatientName, into: PatientName, who: str, now: datetime) -> Merge:
    """Let a patient count as another; callers have seen that this makes no circle."""
    row = PatientMerge(
        patient_id=patient.patient_id,
        issuer_of_patient_id=patient.issuer,
        into_patient_id=into.patient_id,
        into_issuer_of_patient_id=into.issuer,
        merged_by=who,
        merged_at=now,
        after_analysis=tx.scalar(select(func.max(Analysis.id))) or 0,
        ended_at=None,
        ended_by="",
    )
    tx.add(row)
    tx.flush()
    return _merge(row)


def end(tx: Transaction, patient: PatientName, who: str, now: datetime) -> None:
    """Let a patient count as itself again; that it counted as another stays on record."""
    in_force = _is(patient), PatientMerge.ended_at.is_(None)
    tx.execute(update(PatientMerge).where(*in_force).values(ended_at=now, ended_by=who))


def counted_as(tx: Transaction, header: InstanceHeader) -> InstanceHeader:
    """Return a header with the patient as whom its own one counts.

    ID and issuer are the survivor's, always. Name, birth date and sex are those of the survivor's newest study where
    that has them, and else stay as they are.
    """
    patient = patient_of(tx, [header])
    return header if patient is None else as_patient(header, patient)


def patient_of(tx: Transaction, headers: Sequence[InstanceHeader]) -> Patient | None:
    """Return the patient as whom those of all these headers count, as the first header tells of that patient.

    Where the first names the survivor it tells itself; otherwise the survivor's newest study does, and the first header
    what that lacks. None where nothing is merged, or where they are several patients all the same.
    """
    names = [PatientName(header.patient_id, header.issuer_of_patient_id) for header in headers]
    survivors = {survivor(tx, name) for name in set(names)}
    if survivors == set(names) or len(survivors) > 1:
        return None
    (into,), first = survivors, headers[0]
    newest = select(Study).where(_of(into)).order_by(Study.last_received_at.desc().nulls_last()).limit(1)
    study = first if names[0] == into else tx.scalar(newest) or first
    return Patient(
        into.patient_id,
        into.issuer,
        study.patient_name or first.patient_name,
        study.patient_birth_date or first.patient_birth_date,
        study.patient_sex or first.patient_sex,
    )


def studies_counted_as(tx: Transaction, patient: PatientName) -> list[str]:
    """Return the UIDs of the studies whose header names a patient, or one who counts as that patient."""
    names = _counting_as(tx, patient)
    return sorted({uid for name in names for uid in tx.scalars(select(Study.study_instance_uid).where(_of(name)))})


def names_of(tx: Transaction, patient: PatientName) -> set[PatientName]:
    """Return every name of one who is called so: as whom it counts in the end, and all who count as that one."""
    return _counting_as(tx, survivor(tx, patient)) | {patient}


def issuers(tx: Transaction, patient_id: str) -> list[str]:
    """Return the issuers under which headers name a patient's ID; "" where they name none."""
    query = select(Study.issuer_of_patient_id).where(Study.patient_id == patient_id).distinct()
    return sorted(tx.scalars(query))


def composed(tx: Transaction, studies: Sequence[str]) -> list[tuple[str, str]]:
    """Return the pairs of study and model, of these studies, that were or are being composed; none that waits."""
    query = select(Job.study_instance_uid, Job.model).where(
        Job.kind == JobKind.COMPOSE, Job.state != State.WAITING, Job.study_instance_uid.in_(studies)
    )
    return [(study, model) for study, model in tx.execute(query.order_by(Job.study_instance_uid, Job.model))]


def _counting_as(tx: Transaction, patient: PatientName) -> set[PatientName]:
    known = [merge for merge in all(tx) if merge.ended_at is None]
    names = {patient}
    while more := {merge.patient for merge in known if merge.into in names} - names:
        names |= more
    return names


def _end_of(into: dict[PatientName, PatientName], patient: PatientName) -> PatientName:
    seen = set[PatientName]()
    while patient in into and patient not in seen:
        seen.add(patient)
        patient = into[patient]
    return patient


def _is(patient: PatientName) -> ColumnElement[bool]:
    return and_(PatientMerge.patient_id == patient.patient_id, PatientMerge.issuer_of_patient_id == patient.issuer)


def _of(patient: PatientName) -> ColumnElement[bool]:
    return and_(Study.patient_id == patient.patient_id, Study.issuer_of_patient_id == patient.issuer)


def _merge(row: PatientMerge) -> Merge:
    return Merge(
        row.id,
        PatientName(row.patient_id, row.issuer_of_patient_id),
        PatientName(row.into_patient_id, row.into_issuer_of_patient_id),
        row.merged_by,
        row.merged_at,
        row.after_analysis,
        row.ended_at,
        row.ended_by,
    )
