"""Patients who were merged, or whose study turned out to be another's, after their images were kept.

Where both were on one side, they are one patient by now. Where they were on two, nothing of either is used any more,
and every locked set that holds them gets a new version without them: what a training has seen can be locked no more.
"""

from collections import defaultdict
from datetime import datetime

from node.pipeline.learning.locked import freeze_without
from node.pipeline.learning.naming import Naming, naming
from node.pipeline.learning.places import Places
from node.store import audit
from node.store.arriving.merges import PatientName
from node.store.database import Database, Transaction
from node.store.learning import retrainings, splits, training_set

TORN = "the patient was merged with one of another side"


def settle_merges(database: Database, places: Places, salt: bytes, issuer: str, now: datetime) -> None:
    """Let what is kept be of those whom studies and merges name by now, labelled still or not."""
    torn = database.write(lambda tx: _settled(tx, naming(tx, salt, issuer), now))
    if torn:
        images = database.read(lambda tx: training_set.names_of(tx, torn))
        freeze_without(database, places, torn, TORN, now, images)


def _settled(tx: Transaction, whose: Naming, now: datetime) -> set[str]:
    """Move images to their patients, and return those of whom nothing is used from now on."""
    torn = _moved(tx, whose, now)
    torn |= _beside_left_out(tx, whose)
    splits.leave_out(tx, dict.fromkeys(torn, TORN))
    return torn


def _moved(tx: Transaction, whose: Naming, now: datetime) -> set[str]:
    """Move images to their patients, and return those who were on two sides."""
    moves: dict[tuple[str, str], list[str]] = defaultdict(list)
    named = training_set.patients(tx)
    for example in training_set.all(tx):
        if example.sop_instance_uid in named:
            patient = whose.pseudonym(named[example.sop_instance_uid])
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


def _beside_left_out(tx: Transaction, whose: Naming) -> set[str]:
    """Return those who are used although one with whom they are merged is left out, or is to be forgotten."""
    groups: dict[PatientName, set[PatientName]] = defaultdict(set)
    for patient in {*whose.survivors, *(training_set.patients(tx).values() if whose.issuer else ())}:
        groups[whose.counted(patient)] |= whose.also(patient)
    torn, placed = set[str](), splits.all(tx)
    for into, names in groups.items():
        known = [placed[one] for one in map(whose.plain, {into, *names}) if one in placed]
        if any(one.left_out for one in known):
            torn |= {one.patient for one in known if not one.left_out}
    return torn
