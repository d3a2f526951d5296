"""Labels as rows: recorded with their source, withdrawn, and what stands after all that readers said.

`current` is what a training builds on. What came later never changes a row: whether a label counts follows from all of
them whenever it is asked, so that images that come later, merges, rejections and their undoing need no repair.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from sqlalchemy import and_, bindparam, func, insert, select, update

from node.domain.label import CurrentLabel, Label
from node.domain.label_document import NamedImage
from node.store.arriving.merges import PatientName
from node.store.connection.driver_statement import Statement
from node.store.connection.upsert import insert_into
from node.store.database import Transaction
from node.store.labelling import standing
from node.store.tables.choices import DeliveryKind
from node.store.tables.label_tables import LabelExclusion, LabelRow
from node.store.tables.result_tables import Analysis, Delivery


@dataclass(frozen=True, slots=True)
class Recorded:
    """What recording the labels of a source changed."""

    added: tuple[Label, ...]
    withdrawn: int


def current(tx: Transaction, among: Collection[str] | None = None) -> list[CurrentLabel]:
    """Return what counts for each image that is here and each class, in the order of images and classes.

    With `among`, Study Instance UIDs, only labels that speak of these studies are looked at.

    A label for a series or a study counts for those of its images that a model's rule lets be read. Of one reader the
    newest label counts; where readers disagree, none does. Images that were rejected, or that a reader called unfit,
    have no labels, and a label whose source names another patient than the study counts for nothing. An image whose
    file was removed for its age keeps its labels: what was kept of it to learn from may need them.
    """
    return standing.standing(tx, among=among).current


def record(
    tx: Transaction, source_uid: str, labels: Sequence[Label], patient: PatientName, now: datetime, who: str = ""
) -> Recorded:
    """Let exactly these labels stand of one source; those that it said before and says no more are withdrawn.

    Doing it twice changes nothing.

    Parameters
    ----------
    tx
        The transaction that also settles the source.
    source_uid
        Of all these labels.
    labels
        What it says; no image and class twice.
    patient
        As the source names the patient; empty where it does not.
    now
        Aware.
    who
        Whoever imported or settled them; "" of an object that was read.
    """
    known = {_key(row): row for row in _of_source(tx, source_uid)}
    wanted = {_key(label): label for label in labels}
    gone = [row.id for key, row in known.items() if key not in wanted or row.present != wanted[key].present]
    _withdraw(tx, gone, now, who)
    fresh = [label for key, label in wanted.items() if key not in known or known[key].id in gone]
    add_all(tx, fresh, patient, now, who)
    return Recorded(tuple(fresh), len(gone))


def add_all(tx: Transaction, fresh: Sequence[Label], patient: PatientName, now: datetime, who: str = "") -> None:
    """Add labels of sources that have none yet; the parameters are those of `record`."""
    if fresh:
        tx.execute(insert(LabelRow), [_columns(label, patient, now, who) for label in fresh])


def withdraw(tx: Transaction, source_uid: str, now: datetime, who: str) -> int:
    """Let nothing count any more that a source said, images that it left out among it; return how many labels."""
    gone = [row.id for row in _of_source(tx, source_uid)]
    _withdraw(tx, gone, now, who)
    left_out = and_(LabelExclusion.source_uid == source_uid, LabelExclusion.withdrawn_at.is_(None))
    tx.execute(update(LabelExclusion).where(left_out).values(withdrawn_at=now, withdrawn_by=who))
    return len(gone)


def exclude(tx: Transaction, source_uid: str, images: Sequence[NamedImage], reader: str, now: datetime) -> None:
    """Keep exactly these images out of training that a source calls unfit; the same twice is harmless."""
    before = and_(LabelExclusion.source_uid == source_uid, LabelExclusion.withdrawn_at.is_(None))
    others = LabelExclusion.sop_instance_uid.not_in([image.sop_instance_uid for image in images])
    tx.execute(update(LabelExclusion).where(before, others).values(withdrawn_at=now, withdrawn_by=""))
    if not images:
        return
    row = {"source_uid": source_uid, "reader": reader, "excluded_at": now, "withdrawn_at": None, "withdrawn_by": ""}
    again = {"withdrawn_at": None, "withdrawn_by": ""}
    once = ["sop_instance_uid", "source_uid"]
    put = insert_into(tx, LabelExclusion).on_conflict_do_update(index_elements=once, set_=again)
    tx.execute(put, [row | {"sop_instance_uid": image.sop_instance_uid} for image in images])


def of_source(tx: Transaction, source_uid: str) -> list[Label]:
    """Return the labels of a source that count."""
    names = [one.name for one in fields(Label)]
    return [Label(**{name: getattr(row, name) for name in names}) for row in _of_source(tx, source_uid)]


def known_sources(tx: Transaction, source_uids: Collection[str]) -> frozenset[str]:
    """Return which of these sources have labels that count."""
    found = set[str]()
    wanted = sorted(source_uids)
    for start in range(0, len(wanted), 500):
        some = and_(LabelRow.source_uid.in_(wanted[start : start + 500]), LabelRow.withdrawn_at.is_(None))
        found |= set(tx.scalars(select(LabelRow.source_uid).where(some)))
    return frozenset(found)


def result_visible(tx: Transaction, label: Label, *, time_is_known: bool = True) -> bool | None:
    """Return whether a result on the study of a label had been delivered when it was made.

    None where it cannot be known: a report had left, and whether it arrived is not known, or the label's own time is
    not. Of a study that is not here there was none.
    """
    sent, offered = _DELIVERED.rows(tx, {"study": label.study_instance_uid})[0]
    if sent is not None and sent <= label.made_at:
        return True if time_is_known else None
    return None if offered is not None and offered <= label.made_at else False


def _of_source(tx: Transaction, source_uid: str) -> Sequence[LabelRow]:
    counts = and_(LabelRow.source_uid == source_uid, LabelRow.withdrawn_at.is_(None))
    return tx.scalars(select(LabelRow).where(counts).order_by(LabelRow.id)).all()


def _withdraw(tx: Transaction, numbers: Collection[int], now: datetime, who: str) -> None:
    ended = update(LabelRow).where(LabelRow.id.in_(numbers)).values(withdrawn_at=now, withdrawn_by=who)
    tx.execute(ended)


def _key(label: LabelRow | Label) -> tuple[str, str, str, str, str]:
    place = label.study_instance_uid, label.series_instance_uid, label.sop_instance_uid
    return *place, label.accession_number, label.class_name


def _columns(label: Label, patient: PatientName, now: datetime, who: str) -> dict[str, Any]:
    return {
        "study_instance_uid": label.study_instance_uid,
        "series_instance_uid": label.series_instance_uid,
        "sop_instance_uid": label.sop_instance_uid,
        "accession_number": label.accession_number,
        "class_name": label.class_name,
        "present": label.present,
        "reader": label.reader,
        "made_at": label.made_at,
        "recorded_at": now,
        "source_uid": label.source_uid,
        "source_kind": label.source_kind,
        "rule": label.rule,
        "result_visible": label.result_visible,
        "patient_id": patient.patient_id,
        "issuer_of_patient_id": patient.issuer,
        "recorded_by": who,
        "withdrawn_at": None,
        "withdrawn_by": "",
    }


_DELIVERED = Statement(
    lambda _: (
        select(func.min(Delivery.sent_at), func.min(Delivery.offered_at))
        .join(Analysis, Analysis.id == Delivery.analysis_id)
        .where(Delivery.kind == DeliveryKind.REPORT, Analysis.study_instance_uid == bindparam("study"))
    )
)
