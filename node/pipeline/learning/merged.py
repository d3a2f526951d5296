"""Patients who were merged, or whose study turned out to be another's, after their images were kept.

Where both were on one side, they are one patient by now. Where they were on two, nothing of either is used any more,
and every locked set that holds them gets a new version without them: what a training has seen can be locked no more.
"""

from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime

from node.pipeline.learning.locked import freeze_without
from node.pipeline.learning.places import Places
from node.store import audit
from node.store.arriving import merges
from node.store.arriving.merges import PatientName
from node.store.database import Database, Transaction
from node.store.learning import retrainings, splits, training_set

TORN = "the patient was merged with one of another side"


def settle_merges(database: Database, places: Places, salt: bytes, now: datetime) -> None:
    """Let what is kept be of those whom studies and merges name by now, labelled still or not."""
    torn = database.write(lambda tx: _settled(tx, salt, now))
    if torn:
        images = database.read(lambda tx: training_set.names_of(tx, torn))
        freeze_without(database, places, torn, TORN, now, images)


def _settled(tx: Transaction, salt: bytes, now: datetime) -> set[str]:
    """Move images to their patients, and return those of whom nothing is used from now on."""
    survivors = merges.survivors(tx)
    torn = _moved(tx, salt, survivors, now)
    torn |= _beside_left_out(tx, salt, survivors)
    splits.leave_out(tx, dict.fromkeys(torn, TORN))
    return torn


def _moved(tx: Transaction, salt: bytes, survivors: Mapping[PatientName, PatientName], now: datetime) -> set[str]:
    """Move images to their patients, and return those who were on two sides."""
    moves: dict[tuple[str, str], list[str]] = defaultdict(list)
    named = training_set.patients(tx)
    for example in training_set.all(tx):
        if example.sop_instance_uid in named:
            header = named[example.sop_instance_uid]
            patient = _pseudonym(salt, survivors.get(header, header))
            if patient != example.patient:
                moves[example.patient, patient].append(example.sop_instance_uid)
    torn = set[str]()
    for (before, after), images in sorted(moves.items()):
        torn |= _moved_one(tx, before, after, images, now)
    return torn


def _moved_one(tx: Transaction, before: str, after: str, images: list[str], now: datetime) -> set[str]:
    old, new = splits.get(tx, before), splits.get(tx, after)
    if old is None or (new is not None and old.left_out and new.left_out):
        return set()
    if new is None:  # the assignment that there is stands
        new = splits.assign(tx, after, old.side, old.group, now)
    if old.left_out or new.left_out:  # whoever is left out stays so, whatever the name by now
        return {before, after}
    if new.side is not old.side:
        audit.add(tx, now, "patients of two sides merged", sides=sorted({old.side.value, new.side.value}))
        return {before, after}
    splits.join(tx, {old.group}, new.group)
    training_set.move(tx, images, after)
    retrainings.also_of(tx, before, after)
    return set()


def _beside_left_out(tx: Transaction, salt: bytes, survivors: Mapping[PatientName, PatientName]) -> set[str]:
    """Return those who are used although one with whom they are merged is left out, or is to be forgotten."""
    groups: dict[PatientName, set[PatientName]] = defaultdict(set)
    for patient, into in survivors.items():
        groups[into] |= {patient, into}
    torn = set[str]()
    for names in groups.values():
        placed = [splits.get(tx, _pseudonym(salt, name)) for name in names]
        if any(one is not None and one.left_out for one in placed):
            torn |= {one.patient for one in placed if one is not None and not one.left_out}
    return torn


def _pseudonym(salt: bytes, patient: PatientName) -> str:
    return splits.patient_of(salt, patient.issuer, patient.patient_id)
