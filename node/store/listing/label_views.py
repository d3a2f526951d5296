"""What is labelled, by whom, from which object, and what of it counts: the operator's listing.

It holds what readers wrote, which may name a patient; it is never logged. Times are ISO 8601 in UTC.
"""

from collections.abc import Iterator

from sqlalchemy import Select, and_, or_, select, true

from node.domain.label import SourceKind, Verdict
from node.domain.lifecycle import State
from node.domain.rejection import KEY_OBJECT_SELECTION
from node.store.database import Transaction
from node.store.labelling import standing
from node.store.labelling.standing import Standing
from node.store.listing.listings import Listed, iso
from node.store.tables.image_tables import Instance
from node.store.tables.label_tables import LabelObject, LabelRow

WITHDRAWN = "withdrawn"
UNFIT = "unfit"
REFUSED = "refused"
_SETTLED = (Verdict.IGNORED, Verdict.DISMISSED)
"""What is listed only where it is asked for by name."""


def labels(
    tx: Transaction, limit: int | None = None, *, state: str | None = None, study_uid: str | None = None
) -> list[Listed]:
    """List labels and the objects that gave none, the newest first.

    Parameters
    ----------
    tx
        A transaction.
    limit
        How many at most.
    state
        Only what stands so. Otherwise all but what was withdrawn, ignored or dismissed.
    study_uid
        Only what speaks of this study, or came in it.

    Returns
    -------
    list of dict
        - ``state``: of a label "current" (it counts), "conflict" (readers disagree), "superseded", "excluded" (its
          images were rejected or called unfit), "other_patient", "parked" (no image is here that it could count for)
          or "withdrawn"; of an object that gave none "unread", "unmapped" (no rule reads it), "refused" (it cannot be
          read), "unfit" (it calls images unfit), "ignored" or "dismissed"
        - ``id`` of the label, null of an object; ``class_name`` and ``present``, null of an object
        - ``reader``, ``made_at``, ``recorded_at``, ``recorded_by`` (who imported or settled it)
        - ``study_instance_uid``, ``series_instance_uid``, ``sop_instance_uid``, ``accession_number``: what it is for,
          "" where it does not say; of an object the study that it came in, and "" else
        - ``source_uid`` (SOP Instance UID of the object, or derived from the row), ``source_kind``, ``rule``
        - ``result_visible``: whether a result had been delivered when it was made, null where that is not known
        - ``images``: for how many images it counts; of an object how many it names
        - ``text``: what the reader wrote; ``reason``: why it gave no label, or not all that it says
    """
    stands = standing.standing(tx, study_uid)
    objects = {row.sop_instance_uid: row for row in tx.scalars(_objects(study_uid))}
    rows = [_label(row, stands, objects.get(row.source_uid)) for row in stands.rows]
    rows += [_withdrawn(row) for row in tx.scalars(_withdrawn_rows(study_uid))] if state == WITHDRAWN else []
    rows += list(_of_objects(tx, objects, {row.source_uid for row in stands.rows}))
    wanted = [row for row in rows if (row["state"] == state if state else row["state"] not in _SETTLED)]
    wanted.sort(key=lambda row: (row["recorded_at"] or "", row["id"] or 0), reverse=True)
    return wanted if limit is None else wanted[:limit]


def _objects(study_uid: str | None) -> Select[LabelObject]:
    of_study = true() if study_uid is None else LabelObject.study_instance_uid == study_uid
    if study_uid is not None:
        sources = select(LabelRow.source_uid).where(standing.speaks_of(study_uid))
        of_study = or_(of_study, LabelObject.sop_instance_uid.in_(sources))
    return select(LabelObject).where(of_study)


def _withdrawn_rows(study_uid: str | None) -> Select[LabelRow]:
    of_study = true() if study_uid is None else standing.speaks_of(study_uid)
    return select(LabelRow).where(and_(LabelRow.withdrawn_at.is_not(None), of_study))


def _label(row: LabelRow, stands: Standing, source: LabelObject | None) -> Listed:
    said = "" if source is None else source.said
    reason = "" if source is None else source.reason
    return _of_row(row, stands.states[row.id].value, stands.images.get(row.id, 0)) | {"text": said, "reason": reason}


def _withdrawn(row: LabelRow) -> Listed:
    when = f"withdrawn {iso(row.withdrawn_at)} by {row.withdrawn_by or 'its own object'}"
    return _of_row(row, WITHDRAWN, 0) | {"text": "", "reason": when}


def _of_row(row: LabelRow, state: str, images: int) -> Listed:
    return {
        "state": state,
        "id": row.id,
        "class_name": row.class_name,
        "present": row.present,
        "reader": row.reader,
        "made_at": iso(row.made_at),
        "recorded_at": iso(row.recorded_at),
        "recorded_by": row.recorded_by,
        "study_instance_uid": row.study_instance_uid,
        "series_instance_uid": row.series_instance_uid,
        "sop_instance_uid": row.sop_instance_uid,
        "accession_number": row.accession_number,
        "source_uid": row.source_uid,
        "source_kind": row.source_kind.value,
        "rule": row.rule.value,
        "result_visible": row.result_visible,
        "images": images,
    }


def _of_objects(tx: Transaction, objects: dict[str, LabelObject], labelled: set[str]) -> Iterator[Listed]:
    without = sorted(set(objects) - labelled)
    classes = dict[str, str]()
    for start in range(0, len(without), 500):
        some = Instance.sop_instance_uid.in_(without[start : start + 500])
        found = tx.execute(select(Instance.sop_instance_uid, Instance.sop_class_uid).where(some))
        classes |= dict(found.all())
    yield from (_object(objects[uid], classes.get(uid, "")) for uid in without)


def _object(row: LabelObject, sop_class: str) -> Listed:
    is_key_object = sop_class == KEY_OBJECT_SELECTION
    return {
        "state": _state(row),
        "id": None,
        "class_name": None,
        "present": None,
        "reader": row.reader,
        "made_at": iso(row.made_at),
        "recorded_at": iso(row.settled_at),
        "recorded_by": row.settled_by,
        "study_instance_uid": row.study_instance_uid,
        "series_instance_uid": "",
        "sop_instance_uid": "",
        "accession_number": "",
        "source_uid": row.sop_instance_uid,
        "source_kind": (SourceKind.KEY_OBJECT if is_key_object else SourceKind.REPORT).value,
        "rule": "",
        "result_visible": None,
        "images": len(row.images),
        "text": row.said,
        "reason": row.last_error or row.reason,
    }


def _state(row: LabelObject) -> str:
    if row.state is State.BURIED:
        return REFUSED
    # what was labelled and has no label any more was withdrawn with its rows
    words = {Verdict.EXCLUDED: UNFIT, Verdict.LABELLED: Verdict.DISMISSED.value}
    return words.get(row.verdict, row.verdict.value)
