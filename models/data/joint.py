"""A site's images together with what is replayed, so that what was learned before is not forgotten.

It knows labelled images and hashes. Of what is replayed, nothing is taken that shows a picture of a locked set, or one
that stands on another side here, or in a folder that is replayed before it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import compress

import numpy as np
from numpy.typing import NDArray

from models.data.labelled import DataSet, InMemory, LabelledImages
from models.images.alike import perceptual_hash
from models.images.likeness import NOTHING, any_alike

SIDES = ("train", "val")
SOURCE, UNKNOWN = "source", "unknown"


@dataclass(frozen=True, slots=True)
class Joined:
    """All that one training learns from and chooses on."""

    data: InMemory
    dropped: int  #: replayed images that show a picture of a locked set, or of another side


def joined(site: DataSet, replayed: Mapping[str, DataSet], locked: Sequence[str]) -> Joined:
    """Return the site's images and what is replayed beside them.

    Parameters
    ----------
    site
        Labelled images with the splits train and val.
    replayed
        Data sets by name; of each, train and val are used where it has them, and test never is.
    locked
        Hashes of all locked images (`models.images.alike`).

    Raises
    ------
    DataError
        As of the data sets; also where one group stands in more than one split.
    """
    own = {split: site.images(split) for split in SIDES}
    columns = sorted({name for some in own.values() for name in some.attributes} | {SOURCE})
    seen = {split: hashes_of(some) for split, some in own.items()} if replayed else {}
    barred = _numbers(locked)
    parts = {split: [_with_columns(some, "site", columns)] for split, some in own.items()}
    dropped = 0
    for name, data in replayed.items():
        taken: dict[str, list[str]] = {}
        for split in (one for one in SIDES if one in data.splits):
            images = data.images(split)
            against = barred + [one for other, some in seen.items() if other != split for one in _numbers(some)]
            hashes = hashes_of(images)
            free = np.array([not any_alike(one, against) for one in hashes], np.bool_)
            taken[split] = list(compress(hashes, free))
            dropped += int((~free).sum())
            parts[split].append(_with_columns(_named(_chosen(images, free), name), name, columns))
        for split, hashes in taken.items():  # only now: a folder's own sides are its own business
            seen[split] += hashes
    return Joined(InMemory({split: together(some) for split, some in parts.items()}), dropped)


def together(parts: Sequence[LabelledImages]) -> LabelledImages:
    """Return the images of several parts, which have the same attributes, as one."""
    return LabelledImages(
        pixels=tuple(one for some in parts for one in some.pixels),
        labels=np.concatenate([some.labels for some in parts]),
        groups=tuple(one for some in parts for one in some.groups),
        names=tuple(one for some in parts for one in some.names),
        windows=tuple(one for some in parts for one in some.windows or (None,) * len(some)),
        inverted=tuple(one for some in parts for one in some.inverted or (False,) * len(some)),
        attributes={name: tuple(v for some in parts for v in some.attributes[name]) for name in parts[0].attributes},
    )


def of_source(images: LabelledImages, source: str) -> LabelledImages:
    """Return the images of one source, in their order."""
    return _chosen(images, np.array([one == source for one in images.attributes[SOURCE]], np.bool_))


def _chosen(images: LabelledImages, which: NDArray[np.bool_]) -> LabelledImages:
    numbers = np.flatnonzero(which)
    return LabelledImages(
        pixels=tuple(images.pixels[number] for number in numbers),
        labels=images.labels[numbers],
        groups=tuple(images.groups[number] for number in numbers),
        names=tuple(images.names[number] for number in numbers),
        windows=tuple(images.windows[number] for number in numbers) if images.windows else (),
        inverted=tuple(images.inverted[number] for number in numbers) if images.inverted else (),
        attributes={name: tuple(some[number] for number in numbers) for name, some in images.attributes.items()},
    )


def _named(images: LabelledImages, source: str) -> LabelledImages:
    """Return the images with groups that no other source has."""
    return replace(images, groups=tuple(f"{source}/{group}" for group in images.groups))


def _with_columns(images: LabelledImages, source: str, columns: Sequence[str]) -> LabelledImages:
    lacking = (UNKNOWN,) * len(images)
    filled = {name: images.attributes.get(name, lacking) for name in columns}
    return replace(images, attributes=filled | {SOURCE: (source,) * len(images)}, subtypes=())


def hashes_of(images: LabelledImages) -> list[str]:
    """Return what each image shows, as a hash (`models.images.alike`)."""
    windows, inverted = images.windows or (None,) * len(images), images.inverted or (False,) * len(images)
    return [perceptual_hash(*one) for one in zip(images.pixels, windows, inverted, strict=True)]


def _numbers(hashes: Sequence[str]) -> list[int]:
    return [int(one, 16) for one in hashes if one != NOTHING]
