"""Locked sets at an operator's word: the site's own frozen now, and a data folder that is judged by beside it.

With the starter's own test images as a locked set, every challenger is asked whether it has forgotten them.
"""

import hashlib
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from node.config import Settings
from node.domain.errors import OperatorError, Permanent, Transient
from node.domain.split import Side, pseudonym
from node.pipeline.apart import in_child
from node.pipeline.learning import training_folder
from node.pipeline.learning.collect import standing_images
from node.pipeline.learning.frozen import SPLIT, Facts
from node.pipeline.learning.grouping import linked
from node.pipeline.learning.locked import DATA, SITE, Labelled, freeze, site_set
from node.pipeline.learning.places import Places
from node.pipeline.learning.salt import minted
from node.pipeline.learning.training_request import model_to_train
from node.pipeline.opened import open_database
from node.pipeline.registry.catalogue import opened
from node.store.database import Database, Transaction
from node.store.labelling import labels
from node.store.learning import model_versions
from node.store.tables.version_tables import VersionState

if TYPE_CHECKING:
    from models.data.labelled import LabelledImages

_DEADLINE_S = 1800.0
_COLUMNS = ("modality", "view", "sex", "age", "sender", "subtype")
"""Columns of a data folder that are kept to tell subgroups by; any other may name somebody."""


@dataclass(frozen=True, slots=True)
class Read:
    """One image of a data folder, its pixels kept in a file."""

    name: str
    label: int
    group: str
    digest: str
    image_hash: str
    attributes: dict[str, str]
    replayed: bool = False  #: whether it shows a picture of what is replayed


@dataclass(frozen=True, slots=True)
class FolderToLock:
    """What is to be locked, and what it must not have been used for."""

    data: Path
    split: str
    place: Path  #: where its pixels are put
    kinds: int  #: labels are below it
    replay: tuple[Path, ...]  #: folders that trainings learn from beside the site's images
    learned: Mapping[str, str]  #: which version has learned from data, by their digest


def freeze_now(settings: Settings, model: str, now: datetime) -> str:
    """Freeze a new version of the site's own set, and say so.

    Raises
    ------
    OperatorError
        Where no image of the locked side is kept and labelled.
    """
    places = Places(settings.node.data_dir)
    with open_database(settings) as database:
        row = database.read(lambda tx: model_to_train(tx, settings, model))
        classes = tuple(one.name for one in opened(row.bundle).classes)
        known = database.read(lambda tx: training_folder.known(tx, classes, labels.current(tx)))
        images = known.images[Side.LOCKED]
        if not images:
            raise OperatorError("no image of the locked side is kept and labelled: a training, or a day, keeps them")
        facts = Facts(site_set(row.name), 0, SITE, training_folder.label_names(classes))
        made = freeze(database, places, facts, images, None, "an operator's word", now)
    return f"locked set {made.name} version {made.version}: {made.images} images of {made.patients} patients"


def lock_folder(settings: Settings, name: str, data: Path, split: str, model: str, now: datetime) -> str:
    """Freeze the images of a data folder as a locked set, and say so.

    Images that show a picture which is trained on here, or replayed, are left out: what was seen can be locked no more.

    Parameters
    ----------
    settings
        The configuration.
    name
        Of the set; a further version where there is one.
    data, split
        As for `train`, and which of its splits.
    model
        Whose classes its labels are.
    now
        Aware.

    Raises
    ------
    OperatorError
        Where the name is one of the site's own sets, the folder cannot be used, or a version has learned from it.
    """
    if not name.replace("-", "").replace("_", "").isalnum() or name.startswith(SITE):
        raise OperatorError(f"{name!r} cannot name a locked set: letters, digits, - and _, not {SITE}...", exit_code=2)
    places = Places(settings.node.data_dir)
    coming = places.locked / f".{name}-coming"
    with open_database(settings) as database:
        row = database.read(lambda tx: model_to_train(tx, settings, model))
        names = training_folder.label_names(tuple(one.name for one in opened(row.bundle).classes))
        try:
            folder = FolderToLock(data, split, coming, len(names), settings.retrain.replay, database.read(_learned))
            read: list[Read] = in_child(_DEADLINE_S, keep_folder, folder, minted(database, now))
            fit = _fit(database, read)
            contents: dict[str, Path | bytes] = {one.name: coming / f"{one.name}.npz" for one in fit}
            facts = Facts(name, 0, DATA, names)
            made = freeze(
                database, places, facts, [_labelled(one, name) for one in fit], contents, f"from {data.name}", now
            )
        except (Permanent, Transient) as error:
            raise OperatorError(f"the locked set is not made: {error}") from error
        finally:
            shutil.rmtree(coming, ignore_errors=True)
    less = f"; {len(read) - len(fit)} left out: they show pictures that are trained on" if len(fit) < len(read) else ""
    return f"locked set {made.name} version {made.version}: {made.images} images of {made.patients} groups{less}"


def keep_folder(folder: FolderToLock, salt: bytes) -> list[Read]:
    """Keep the pixels of a split in files, in a child process, and return what they are.

    Raises
    ------
    Permanent
        Where there is no such data or split, a label means nothing, or a version has learned from it.
    """
    from models.data.examples import packed  # noqa: PLC0415 - the same
    from models.data.joint import hashes_of  # noqa: PLC0415 - only a child process imports the learned part
    from models.data.labelled import DataError  # noqa: PLC0415 - the same
    from models.images.likeness import any_alike  # noqa: PLC0415 - the same

    data, split, place = folder.data, folder.split, folder.place
    try:
        images, seen = _opened(folder), list(_replayed(folder.replay))
    except DataError as error:
        raise Permanent(str(error)) from error
    if images.labels.min() < 0 or images.labels.max() >= folder.kinds:
        raise Permanent(f"{data} has labels that are not from 0 to {folder.kinds - 1}: they are another model's")
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(mode=0o700, parents=True)
    windows, inverted = images.windows or (None,) * len(images), images.inverted or (False,) * len(images)
    read = []
    hashes = hashes_of(images)
    for number, image in enumerate(zip(images.pixels, windows, inverted, strict=True)):
        content, own = packed(*image), pseudonym(salt, "image", data.name, split, images.names[number])
        (place / f"{own}.npz").write_bytes(content)
        group = pseudonym(salt, "group", data.name, images.groups[number])
        columns = {name: images.attributes.get(name, ("unknown",) * len(images))[number] for name in _COLUMNS}
        digest = hashlib.sha256(content).hexdigest()
        label, replayed = int(images.labels[number]), any_alike(hashes[number], seen)
        read.append(Read(own, label, group, digest, hashes[number], columns, replayed))
    return read


def _opened(folder: FolderToLock) -> "LabelledImages":
    from models.data.joint import SIDES  # noqa: PLC0415 - as above
    from node.pipeline.registry.labelled_dicom import open_labelled  # noqa: PLC0415 - the same

    found = open_labelled(folder.data, lambda *_: None)
    learned = folder.learned.get(found.digest(SIDES))
    if learned and folder.split in SIDES:
        raise Permanent(f"{learned} has learned from train and val of {folder.data}: lock its test images")
    return found.images(folder.split)


def _replayed(folders: Sequence[Path]) -> Iterator[int]:
    """Yield what is shown by all that trainings learn from beside the site's images, as whole numbers."""
    from models.data.joint import SIDES, hashes_of  # noqa: PLC0415 - as above
    from models.images.likeness import NOTHING  # noqa: PLC0415 - the same
    from node.pipeline.registry.labelled_dicom import open_labelled  # noqa: PLC0415 - the same

    for path in folders:
        found = open_labelled(path, lambda *_: None)
        for split in (one for one in SIDES if one in found.splits):
            yield from (int(one, 16) for one in hashes_of(found.images(split)) if one != NOTHING)


def _learned(tx: Transaction) -> dict[str, str]:
    """Return which version has learned from data, by their digest; a refused one serves nobody."""
    known = (one for one in model_versions.all(tx) if one.state is not VersionState.REFUSED)
    return {digest: f"version {one.version} of {one.model}" for one in known for digest in one.data_digests.values()}


def _fit(database: Database, read: list[Read]) -> list[Read]:
    """Return the images that show no picture which a training here may have seen."""
    seen = [one for one in database.read(standing_images) if one.side is not Side.LOCKED]
    fit = [one for one in read if not one.replayed and not linked(one.image_hash, Side.LOCKED, seen).left_out]
    if not fit:
        raise Permanent(f"all {len(read)} images show pictures that are trained on")
    return fit


def _labelled(one: Read, source: str) -> Labelled:
    from models.data.examples import Example  # noqa: PLC0415 - for learning alone

    columns = {"source": source, **one.attributes, "blind": "unknown"}
    return Labelled(Example(one.name, one.label, one.group, SPLIT, one.digest, columns), one.group, one.image_hash)
