"""Patients who were merged, or whose study turned out to be another's, after their images were kept.

Where both were on one side, they are one patient by now. Where they were on two, nothing of either is used any more,
and every locked set that holds them gets a new version without them: what a training has seen can be locked no more.
"""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime

from node.domain.label import CurrentLabel
from node.pipeline.learning.locked import freeze_without
from node.pipeline.learning.places import Places
from node.store import audit, splits, training_set
from node.store.database import Database, Transaction

TORN = "the patient was merged with one of another side"


def settle_merges(
    database: Database, places: Places, labels: Sequence[CurrentLabel], salt: bytes, now: datetime
) -> None:
    """Let what is kept be of those whom the labels name by now."""
    named = {one.sop_instance_uid: splits.patient_of(salt, one.issuer_of_patient_id, one.patient_id) for one in labels}
    torn = database.write(lambda tx: _moved(tx, named, now))
    if torn:
        freeze_without(database, places, torn, TORN, now)


def _moved(tx: Transaction, named: dict[str, str], now: datetime) -> set[str]:
    """Move images to their patients, and return those who were on two sides."""
    moves: dict[tuple[str, str], list[str]] = defaultdict(list)
    for example in training_set.all(tx):
        patient = named.get(example.sop_instance_uid, example.patient)
        if patient != example.patient:
            moves[example.patient, patient].append(example.sop_instance_uid)
    torn = set[str]()
    for (before, after), images in sorted(moves.items()):
        torn |= _moved_one(tx, before, after, images, now)
    splits.leave_out(tx, dict.fromkeys(torn, TORN))
    return torn


def _moved_one(tx: Transaction, before: str, after: str, images: list[str], now: datetime) -> set[str]:
    old, new = splits.get(tx, before), splits.get(tx, after)
    if old is None or (new is not None and old.left_out and new.left_out):
        return set()
    if new is None:  # the assignment that there is stands
        new = splits.assign(tx, after, old.side, old.group, now)
    if new.side is not old.side:
        audit.add(tx, now, "patients of two sides merged", sides=sorted({old.side.value, new.side.value}))
        return {before, after}
    splits.join(tx, {old.group}, new.group)
    training_set.move(tx, images, after)
    return set()
