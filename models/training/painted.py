"""Painted images in a training: an arm that the validation keeps or drops, remembered over a kill.

It knows a generator and labelled images; what is compared, `models.training.synthetic_arm` says.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from models.data.joint import SOURCE, UNKNOWN, together
from models.data.labelled import InMemory, LabelledImages
from models.inference.generator import Generator
from models.training.checkpoints import replace_file
from models.training.recipe import ClassifierRecipe
from models.training.synthetic_arm import SHORT, compare

KEPT = "painted.json"
SEEDS, SHARE = 2, 4
"""Trainings in each arm; one painted image of each label for so many real ones of both."""


@dataclass(frozen=True, slots=True)
class Tried:
    """The data that the training goes on with, and what was found."""

    data: InMemory
    said: str


def with_painted(
    generator: Generator, data: InMemory, present: str, seed: int, folder: Path, plan: ClassifierRecipe = SHORT
) -> Tried:
    """Return the data with painted images where they help on hard validation images with every seed, else as they are.

    Parameters
    ----------
    generator
        Paints; it knows two labels, and the second is the class.
    data
        Labelled images of one class with train and val.
    present
        The class's name.
    seed
        Of the trainings and of what is painted.
    folder
        Where the finding is remembered.
    plan
        The training of either arm.
    """
    if len(generator.labels) != 2 or generator.labels[1] != present:
        return Tried(data, f"painted images not tried: the generator paints {', '.join(generator.labels)}")
    train, val = data.images("train"), data.images("val")
    count = max(len(train) // SHARE, 1)
    gain, helped = _remembered(train, seed, folder) or _found(generator, train, val, seed, folder, plan)
    said = f"{count} painted images of each label changed the AUC on hard validation images by {gain:+.4f}"
    if not helped:
        return Tried(data, f"{said}: left out")
    splits = {"train": together([train, _painted(generator, train, count, seed)]), "val": val}
    return Tried(InMemory(splits), f"{said}: learned from")


def _remembered(train: LabelledImages, seed: int, folder: Path) -> tuple[float, bool] | None:
    try:
        kept = json.loads((folder / KEPT).read_bytes())
        return (float(kept["gain"]), bool(kept["helped"])) if kept["key"] == _key(train, seed) else None
    except (OSError, ValueError, KeyError):
        return None


def _key(train: LabelledImages, seed: int) -> dict[str, Any]:
    return {"train": list(train.image_digests()[:1]), "images": len(train), "seed": seed}


def _found(
    generator: Generator,
    train: LabelledImages,
    val: LabelledImages,
    seed: int,
    folder: Path,
    plan: ClassifierRecipe,
) -> tuple[float, bool]:
    count = max(len(train) // SHARE, 1)
    arm = compare(generator, train, val, count, tuple(range(seed, seed + SEEDS)), lambda *_: None, plan)
    folder.mkdir(parents=True, exist_ok=True)
    finding = {"key": _key(train, seed), "gain": arm.gain, "helped": arm.helped}
    replace_file(folder / KEPT, json.dumps(finding).encode())
    return arm.gain, arm.helped


def _painted(generator: Generator, like: LabelledImages, count: int, seed: int) -> LabelledImages:
    """Return painted images in the form of others, each a group of its own, weighing with the site's."""
    images = [image for label in generator.labels for image in generator.images(label, count, seed)]
    names = tuple(f"painted/{number}" for number in range(len(images)))
    columns = dict.fromkeys(like.attributes, (UNKNOWN,) * len(images)) | {SOURCE: ("site",) * len(images)}
    labels = np.repeat(np.arange(len(generator.labels)), count)
    return LabelledImages(tuple(images), labels, names, names, attributes=columns)
