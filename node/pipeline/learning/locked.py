"""Locked sets made: of the site's locked side, of a data folder, and anew without some patients.

A folder is complete before its row is written: a kill in between leaves a folder that the next freezing replaces.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from node.domain.split import Side
from node.pipeline.learning.frozen import SPLIT, Facts, read_facts, write_frozen
from node.pipeline.learning.places import Places
from node.store.database import Database, Transaction
from node.store.learning import locked_sets
from node.store.learning.locked_sets import Frozen, LockedVersion, Member

if TYPE_CHECKING:
    from models.data.examples import Example

SITE, DATA = "site", "data"
GROWN = 2.0
"""A site's locked side is frozen anew once it has so many times the images of its newest version."""


@dataclass(frozen=True, slots=True)
class LockedFolder:
    """The newest version of a set, with where its images lie."""

    row: LockedVersion
    path: Path
    label_names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Labelled:
    """An example and what it shows as a hash."""

    example: "Example"
    patient: str  #: pseudonym; its group may be that of several patients
    image_hash: str


def site_set(model: str) -> str:
    """Return the name of the set of this site's images, with labels for one model."""
    return f"{SITE}-{model}"


def folders(tx: Transaction, places: Places, label_names: Sequence[str] | None = None) -> list[LockedFolder]:
    """Return the newest versions, those whose labels mean this alone where that is given."""
    found = []
    for row in locked_sets.newest(tx):
        path = places.locked_set(row.name, row.version)
        facts = read_facts(path)
        if label_names is None or facts.label_names == tuple(label_names):
            found.append(LockedFolder(row, path, facts.label_names))
    return found


def freeze(
    database: Database,
    places: Places,
    facts: Facts,
    images: Sequence[Labelled],
    contents: Mapping[str, Path | bytes] | None,
    reason: str,
    now: datetime,
) -> LockedVersion:
    """Freeze a new version of a set.

    Parameters
    ----------
    database, places
        Where rows and files are kept.
    facts
        Its number is given anew.
    images
        All of it.
    contents
        Files of pixels, or what they hold, by name; None: they lie among what the site keeps on its locked side.
    reason
        Why there is this version.
    now
        Aware.
    """
    from models.data.examples import digest_of_examples  # noqa: PLC0415 - for learning alone

    version = database.read(lambda tx: locked_sets.next_version(tx, facts.name))
    examples = [one.example for one in images]

    def pixels(example: "Example") -> Path | bytes:
        return places.pixels(Side.LOCKED, example.name) if contents is None else contents[example.name]

    write_frozen(places.locked_set(facts.name, version), replace(facts, version=version), examples, pixels)
    members = [Member(one.example.name, one.patient, one.image_hash) for one in images]
    frozen = Frozen(facts.name, facts.origin, digest_of_examples(examples, (SPLIT,)), members, reason)
    return database.write(lambda tx: locked_sets.freeze(tx, frozen, version, now))


def freeze_site(
    database: Database,
    places: Places,
    model: str,
    label_names: tuple[str, ...],
    images: Sequence[Labelled],
    now: datetime,
) -> LockedVersion | None:
    """Freeze the site's locked side where it was not yet, or where it has grown to `GROWN` times its newest version."""
    name = site_set(model)
    newest = next((one for one in database.read(locked_sets.newest) if one.name == name), None)
    if not images or (newest is not None and len(images) < GROWN * newest.images):
        return None
    reason = "the first of this site's" if newest is None else f"the locked side has grown to {len(images)} images"
    return freeze(database, places, Facts(name, 0, SITE, label_names), images, None, reason, now)


def freeze_without(
    database: Database,
    places: Places,
    patients: Collection[str],
    reason: str,
    now: datetime,
    names: Collection[str] = (),
) -> list[LockedVersion]:
    """Freeze a new version of every set that holds images of some patients, without them.

    What was frozen keeps the pseudonym of then: `names` are of images that are theirs whoever they were of then.
    """
    from models.data.examples import PIXELS, read_examples  # noqa: PLC0415 - for learning alone

    made = []
    for row in database.read(locked_sets.newest):
        members = database.read(lambda tx, row=row: locked_sets.members(tx, [row.id]))[row.id]  # type: ignore[misc]
        staying = {one.name: one for one in members if one.patient not in patients and one.name not in names}
        if len(staying) == len(members):
            continue
        if not staying:
            database.write(lambda tx, row=row: locked_sets.remove(tx, row.id, now))  # type: ignore[misc]
            continue
        before = places.locked_set(row.name, row.version)
        examples = [one for one in read_examples(before) if one.name in staying]
        contents: dict[str, Path | bytes] = {one.name: before / PIXELS / f"{one.name}.npz" for one in examples}
        images = [Labelled(one, staying[one.name].patient, staying[one.name].image_hash) for one in examples]
        made.append(freeze(database, places, read_facts(before), images, contents, reason, now))
    return made
