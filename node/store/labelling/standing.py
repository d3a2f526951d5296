"""What stands after all that readers said: label by label, and image by image.

Nothing of it is kept. It follows from the labels, the images that are here, what was rejected, and who counts as whom.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy import ColumnElement, and_, or_, select, true

from node.domain.label import UNNAMED, CurrentLabel, LabelLevel, LabelRule, LabelState, SourceKind
from node.store.arriving import merges
from node.store.arriving.merges import PatientName
from node.store.connection.driver_statement import Lookup
from node.store.database import Transaction
from node.store.labelling import label_images
from node.store.labelling.label_images import Image
from node.store.stopping import rejection_notes
from node.store.tables.image_tables import Instance, Study
from node.store.tables.label_tables import LabelExclusion, LabelRow
from node.store.tables.operation_tables import Rejection

Subject = tuple[str, str]
"""SOP Instance UID of an image, and a class."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What stands of all labels that were not withdrawn."""

    rows: Sequence[LabelRow]  #: in the order in which they were recorded
    states: Mapping[int, LabelState]  #: by the number of the row
    images: Mapping[int, int]  #: for how many images each counts
    current: list[CurrentLabel]
    conflicts: Mapping[Subject, tuple[int, ...]]  #: the rows that disagree


@dataclass
class _Sorted:
    """The labels that reach images, by image and class, and the states of all others."""

    of_subject: dict[Subject, list[LabelRow]] = field(default_factory=lambda: defaultdict(list))
    states: dict[int, LabelState] = field(default_factory=dict)
    images: dict[str, Image] = field(default_factory=dict)
    series: dict[str, str] = field(default_factory=dict)  #: of objects that name no reader, by their UID


def standing(tx: Transaction, study_uid: str | None = None, *, among: Collection[str] | None = None) -> Standing:
    """Return what stands of all labels, or of those that speak of one study, or of one among several."""
    studies = among if study_uid is None else [study_uid]
    of_studies = true() if studies is None else speaks_of(*studies)
    counts = and_(LabelRow.withdrawn_at.is_(None), of_studies)
    rows = tx.scalars(select(LabelRow).where(counts).order_by(LabelRow.id)).all()
    found = _sorted(tx, rows)
    current, conflicts = list[CurrentLabel](), dict[Subject, tuple[int, ...]]()
    counted, states = defaultdict[int, int](int), dict(found.states)
    for subject, said in sorted(found.of_subject.items()):
        newest = _newest_by_reader(said, found.series)
        agreed = len({row.present for row in newest}) == 1
        for row in said:
            state = (LabelState.CURRENT if agreed else LabelState.CONFLICT) if row in newest else LabelState.SUPERSEDED
            counted[row.id] += state is LabelState.CURRENT
            states[row.id] = min(state, states.get(row.id, state), key=_ORDER.index)
        if agreed:
            current.append(_current(found.images[subject[0]], newest))
        else:
            conflicts[subject] = tuple(row.id for row in newest)
    return Standing(rows, states, counted, current, conflicts)


def unfit(tx: Transaction) -> set[str]:
    """Return the SOP Instance UIDs of images that readers called unfit, or that a rejection note names."""
    left_out = set(tx.scalars(select(LabelExclusion.sop_instance_uid).where(LabelExclusion.withdrawn_at.is_(None))))
    rejected = select(Rejection.sop_instance_uid).join(
        Instance, Instance.sop_instance_uid == Rejection.sop_instance_uid
    )
    return left_out | set(tx.scalars(rejected.where(rejection_notes.counts())))


def speaks_of(*study_uids: str) -> ColumnElement[bool]:
    """Return the condition for a label to speak of one of these studies, or of something in it."""
    inside = select(Instance.sop_instance_uid).where(Instance.study_instance_uid.in_(study_uids))
    series = select(Instance.series_instance_uid).where(Instance.study_instance_uid.in_(study_uids))
    mine = Study.study_instance_uid.in_(study_uids), Study.accession_number != ""
    number = select(Study.accession_number).where(*mine)
    return or_(
        LabelRow.study_instance_uid.in_(study_uids),
        and_(LabelRow.sop_instance_uid != "", LabelRow.sop_instance_uid.in_(inside)),
        and_(LabelRow.series_instance_uid != "", LabelRow.series_instance_uid.in_(series)),
        and_(LabelRow.accession_number != "", LabelRow.accession_number.in_(number)),
    )


_ORDER = (LabelState.CURRENT, LabelState.CONFLICT, LabelState.SUPERSEDED)
"""Of a label that stands differently for several images, the first of these is told."""


def _sorted(tx: Transaction, rows: Sequence[LabelRow]) -> _Sorted:
    reach, whom, left_out = label_images.reached(tx, rows), _Patients(tx), unfit(tx)
    found = _Sorted(series=_series_of_unnamed(tx, rows))
    for row in rows:
        images = reach.get(row.id, ())
        own = [image for image in images if whom.are_one(row, image)]
        fit = [image for image in own if image.sop_instance_uid not in left_out]
        for image in fit:
            found.of_subject[image.sop_instance_uid, row.class_name].append(row)
            if image.sop_instance_uid not in found.images:
                found.images[image.sop_instance_uid] = whom.counted(image)
        if not fit:
            missing = LabelState.EXCLUDED if own else LabelState.OTHER_PATIENT
            found.states[row.id] = missing if images else LabelState.PARKED
    return found


class _Patients:
    """Who counts as whom, asked once."""

    def __init__(self, tx: Transaction) -> None:
        self._into = {merge.patient: merge.into for merge in merges.all(tx) if merge.ended_at is None}

    def counted(self, image: Image) -> Image:
        """Return an image with the patient as whom its study's counts."""
        return image.of(self._survivor(image.patient))

    def are_one(self, row: LabelRow, image: Image) -> bool:
        """Return whether a label's source names the image's patient, as far as it names one."""
        if not row.patient_id:
            return True
        said = PatientName(row.patient_id, row.issuer_of_patient_id or image.patient.issuer)
        theirs = PatientName(image.patient.patient_id, image.patient.issuer or row.issuer_of_patient_id)
        names = {self._survivor(PatientName(row.patient_id, row.issuer_of_patient_id)), self._survivor(said)}
        return bool(names & {self._survivor(image.patient), self._survivor(theirs)})

    def _survivor(self, patient: PatientName) -> PatientName:
        seen = set[PatientName]()
        while patient in self._into and patient not in seen:
            seen.add(patient)
            patient = self._into[patient]
        return patient


def _series_of_unnamed(tx: Transaction, rows: Iterable[LabelRow]) -> dict[str, str]:
    unnamed = {row.source_uid for row in rows if row.reader.startswith(UNNAMED)}
    return dict(_SERIES.rows(tx, sorted(unnamed)))


def _newest_by_reader(said: Iterable[LabelRow], series: Mapping[str, str]) -> list[LabelRow]:
    """Return each reader's newest label; what was recorded before an operator settled it does not count any more.

    Of readers without a name those are one whose objects are of one series.
    """
    rows = sorted(said, key=lambda row: row.id)
    settled = max((row.id for row in rows if row.source_kind is SourceKind.OPERATOR), default=0)
    of_reader = dict[str, LabelRow]()
    for row in rows:
        name = f"{_known_as(row.reader)} {series.get(row.source_uid, '')}"
        before = of_reader.get(name)
        if row.id >= settled and (before is None or (row.made_at, row.id) > (before.made_at, before.id)):
            of_reader[name] = row
    return list(of_reader.values())


_SERIES = Lookup(
    lambda among: select(Instance.sop_instance_uid, Instance.series_instance_uid).where(
        among(Instance.sop_instance_uid)
    )
)


def _known_as(reader: str) -> str:
    """Return a reader's name as it is compared: without case, spaces and other scripts (PS3.5 6.2)."""
    return "".join(reader.partition("=")[0].casefold().split()).rstrip("^") or reader


def _current(image: Image, agreeing: Sequence[LabelRow]) -> CurrentLabel:
    newest = max(agreeing, key=lambda row: (row.made_at, row.id))
    visible = {row.result_visible for row in agreeing}
    return CurrentLabel(
        sop_instance_uid=image.sop_instance_uid,
        series_instance_uid=image.series_instance_uid,
        study_instance_uid=image.study_instance_uid,
        patient_id=image.patient.patient_id,
        issuer_of_patient_id=image.patient.issuer,
        class_name=newest.class_name,
        present=newest.present,
        readers=tuple(sorted({row.reader for row in agreeing})),
        made_at=newest.made_at,
        recorded_at=max(row.recorded_at for row in agreeing),
        level=_level(newest),
        source_uids=tuple(sorted({row.source_uid for row in agreeing})),
        rules=tuple(sorted({LabelRule(row.rule) for row in agreeing})),
        result_visible=True if True in visible else None if None in visible else False,
    )


def _level(row: LabelRow) -> LabelLevel:
    if row.sop_instance_uid:
        return LabelLevel.INSTANCE
    return LabelLevel.SERIES if row.series_instance_uid else LabelLevel.STUDY
