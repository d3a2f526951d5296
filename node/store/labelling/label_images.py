"""Which images that are known here a label reaches: the one it names, or those of its series or study that are read.

An image stays known when its file was removed for its age: what was kept of it to learn from is labelled as before.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import ClauseElement, Select, exists, or_, select

from node.store.arriving.merges import PatientName
from node.store.connection.driver_statement import Among, Lookup
from node.store.database import Transaction
from node.store.tables.choices import InstanceKind, JobKind
from node.store.tables.image_tables import Instance, Study
from node.store.tables.label_tables import LabelRow
from node.store.tables.learning_tables import TrainingExample
from node.store.tables.work_tables import Job


@dataclass(frozen=True, slots=True)
class Image:
    """An image that came."""

    sop_instance_uid: str
    series_instance_uid: str
    study_instance_uid: str
    patient: PatientName

    def of(self, patient: PatientName) -> "Image":
        """Return it as one of another patient."""
        return replace(self, patient=patient)


def reached(tx: Transaction, rows: Sequence[LabelRow]) -> Mapping[int, Sequence[Image]]:
    """Return by the number of each label the images that it reaches, by their UIDs; none of a label without any.

    An accession number that several studies bear reaches nothing: which of them is meant, nobody can tell.
    """
    numbers = _study_of_number(tx, {row.accession_number for row in rows} - {""})
    named = {row.id: _place(row, numbers) for row in rows}
    of_place = dict[tuple[str, str], list[Image]]()
    for kind, lookup in (("instance", _BY_INSTANCE), ("series", _BY_SERIES), ("study", _BY_STUDY)):
        wanted = sorted({uid for place, uid in named.values() if place == kind and uid})
        found = _images(tx, lookup, wanted)
        of_place |= {(kind, uid): images for uid, images in found.items()}
    return {number: of_place[place] for number, place in named.items() if place in of_place}


def _place(row: LabelRow, numbers: Mapping[str, str]) -> tuple[str, str]:
    if row.sop_instance_uid:
        return "instance", row.sop_instance_uid
    if row.series_instance_uid:
        return "series", row.series_instance_uid
    return "study", row.study_instance_uid or numbers.get(row.accession_number, "")


def _study_of_number(tx: Transaction, numbers: Iterable[str]) -> dict[str, str]:
    """Return the study of each accession number that one study alone bears."""
    found = defaultdict[str, list[str]](list)
    for number, uid in _BY_NUMBER.rows(tx, sorted(numbers)):
        found[number].append(uid)
    return {number: uids[0] for number, uids in found.items() if len(uids) == 1}


def _images(tx: Transaction, lookup: Lookup, uids: Sequence[str]) -> dict[str, list[Image]]:
    found = defaultdict[str, list[Image]](list)
    for place, sop_uid, series_uid, study_uid, patient_id, issuer in sorted(lookup.rows(tx, uids)):
        found[place].append(Image(sop_uid, series_uid, study_uid, PatientName(patient_id, issuer)))
    return found


def _by(column: Any, *, only_read: bool) -> Lookup:
    """Return the query for images by one of their UIDs: all, or those that a model's rule lets be read."""
    # what is kept to learn from outlives the file
    kept = exists().where(TrainingExample.sop_instance_uid == Instance.sop_instance_uid, TrainingExample.digest != "")

    def build(among: Among) -> ClauseElement:
        query: Select[Any] = (
            select(
                column,
                Instance.sop_instance_uid,
                Instance.series_instance_uid,
                Instance.study_instance_uid,
                Study.patient_id,
                Study.issuer_of_patient_id,
            )
            .join(Study, Study.study_instance_uid == Instance.study_instance_uid)
            .where(among(column), Instance.kind == InstanceKind.IMAGE, or_(Instance.removed_at.is_(None), kept))
        )
        is_read = exists().where(Job.kind == JobKind.READ, Job.subject_uid == Instance.sop_instance_uid)
        return query.where(is_read) if only_read else query

    return Lookup(build)


_BY_INSTANCE = _by(Instance.sop_instance_uid, only_read=False)
_BY_SERIES = _by(Instance.series_instance_uid, only_read=True)
_BY_STUDY = _by(Instance.study_instance_uid, only_read=True)
_BY_NUMBER = Lookup(
    lambda among: select(Study.accession_number, Study.study_instance_uid).where(among(Study.accession_number))
)
