"""What no rule could read, and what readers disagree on, settled by an operator's word.

Who said it and when is kept; what it takes the place of stays on record.
"""

from dataclasses import dataclass, replace
from datetime import datetime

from node.config import Settings
from node.domain.errors import OperatorError
from node.domain.identifiers import derived_uid
from node.domain.label import LabelRule, SourceKind, Verdict
from node.domain.label_document import NamedImage
from node.domain.rejection import KEY_OBJECT_SELECTION
from node.pipeline.labels.label_policy import policy_of
from node.pipeline.labels.labels_from_words import Source, labels_of, note
from node.pipeline.labels.report_findings import Word
from node.pipeline.opened import write_once
from node.store import audit
from node.store.arriving import instances
from node.store.arriving.merges import PatientName
from node.store.database import Transaction
from node.store.labelling import label_inbox, labels, own_reports, standing
from node.store.tables.label_tables import LabelObject

_NOBODY = PatientName("")


@dataclass(frozen=True, slots=True)
class Ruling:
    """What an operator says."""

    class_name: str
    present: bool
    who: str
    at: datetime


def resolve(settings: Settings, uid: str, class_name: str, who: str, now: datetime, *, present: bool) -> str:
    """Say of a class that it is there, or not: in an object that no rule could read, or where readers disagree.

    Parameters
    ----------
    settings
        The configuration.
    uid
        SOP Instance UID of the object, or of the image; or the UID of the study.
    class_name
        A class that the configuration or the shipped vocabulary knows.
    who, now
        On whose word, and when.
    present
        Whether it is there.

    Raises
    ------
    OperatorError
        Where the class is not known, or nothing under this UID is to be settled.
    """
    known = policy_of(settings).vocabulary.classes
    if class_name not in known:
        raise OperatorError(f"--class {class_name} is not known; known: {', '.join(sorted(known))}", exit_code=2)
    ruling = Ruling(class_name, present, who, now)

    def work(tx: Transaction) -> str:
        found = label_inbox.get(tx, uid)
        return _conflict(tx, uid, ruling) if found is None else _object(tx, found, ruling)

    return write_once(settings, work)


def dismiss(settings: Settings, uid: str, who: str, now: datetime) -> str:
    """Say of an object, or of an imported row, that it labels nothing.

    Raises
    ------
    OperatorError
        Where nothing came under this UID.
    """

    def work(tx: Transaction) -> str:
        found = label_inbox.get(tx, uid)
        if found is None and not labels.known_sources(tx, [uid]):
            raise OperatorError(f"{uid}: no such object or row labels anything: `pacs-node labels` lists them all")
        gone = labels.withdraw(tx, uid, now, who)
        if found is not None:
            label_inbox.settle_by_hand(tx, uid, Verdict.DISMISSED, who, now)
        audit.add(tx, now, "labels dismissed", found.study_instance_uid if found else "", uid, by=who, labels=gone)
        return f"{uid} labels nothing any more: {gone} labels were withdrawn"

    return write_once(settings, work)


def _object(tx: Transaction, found: LabelObject, ruling: Ruling) -> str:
    uid = found.sop_instance_uid
    if found.made_at is None:
        raise OperatorError(f"{uid} is not read yet, or could not be: `pacs-node labels read-again {uid}` tries again")
    reports = own_reports.among(tx, [sop_uid for _, _, sop_uid in found.images])
    named = (NamedImage(study, series, sop_uid) for study, series, sop_uid in found.images)
    images = tuple(image for image in named if image.sop_instance_uid not in reports)
    studies = () if images else (found.study_instance_uid,)
    held = instances.held(tx, uid)
    is_key_object = held is not None and held.header.sop_class_uid == KEY_OBJECT_SELECTION
    kind = SourceKind.KEY_OBJECT if is_key_object else SourceKind.REPORT
    said = Word(ruling.class_name, ruling.present, LabelRule.OPERATOR, images, studies)
    each = labels_of(said, Source(uid, kind, found.reader, found.made_at))
    seen = [replace(label, result_visible=labels.result_visible(tx, label)) for label in each]
    others = [label for label in labels.of_source(tx, uid) if label.class_name != ruling.class_name]
    patient = _NOBODY if held is None else PatientName(held.header.patient_id, held.header.issuer_of_patient_id)
    recorded = labels.record(tx, uid, [*others, *seen], patient, ruling.at, ruling.who)
    label_inbox.settle_by_hand(tx, uid, Verdict.LABELLED, ruling.who, ruling.at)
    note(tx, ruling.at, recorded.added, ruling.who)
    return f"{uid} counts as {_said(ruling)} by {found.reader}: {len(seen)} labels"


def _conflict(tx: Transaction, uid: str, ruling: Ruling) -> str:
    """Put an operator's label over those of the readers who disagree on an image, or on images of a study."""
    place = _place(tx, uid)
    if not place.sop_instance_uid and not instances.of_study(tx, uid):
        raise OperatorError(f"{uid}: no object, image or study of this UID is here: `pacs-node labels` lists them")
    stands = standing.standing(tx, place.study_instance_uid)
    images = {sop_uid for (sop_uid, name) in stands.conflicts if name == ruling.class_name}
    wanted = images & {uid} if place.sop_instance_uid else images
    if not wanted:
        raise OperatorError(
            f"{uid}: readers do not disagree on {ruling.class_name} there: `pacs-node labels --state conflict` lists "
            "where they do, and `pacs-node labels import` brings labels in"
        )
    own_uid = derived_uid("label settled", uid, ruling.class_name, str(ruling.present), ruling.at.isoformat())
    source = Source(own_uid, SourceKind.OPERATOR, f"operator {ruling.who}", ruling.at)
    named = {"images": (place,)} if place.sop_instance_uid else {"studies": (uid,)}
    each = labels_of(Word(ruling.class_name, ruling.present, LabelRule.OPERATOR, **named), source)
    seen = [replace(label, result_visible=labels.result_visible(tx, label)) for label in each]
    recorded = labels.record(tx, own_uid, seen, _NOBODY, ruling.at, ruling.who)
    note(tx, ruling.at, recorded.added, ruling.who)
    return f"{uid} counts as {_said(ruling)}, on your word: {len(wanted)} images"


def _place(tx: Transaction, uid: str) -> NamedImage:
    """Return where an instance stands, or the study of this UID."""
    held = instances.held(tx, uid)
    if held is None:
        return NamedImage(uid, "", "")
    return NamedImage(held.header.study_instance_uid, held.header.series_instance_uid, uid)


def _said(ruling: Ruling) -> str:
    return ruling.class_name if ruling.present else f"no {ruling.class_name}"
