"""Painted images in a training: an arm that the validation keeps or drops, remembered over a kill.

It knows a generator and labelled images; what is compared, `models.training.synthetic_arm` says.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from models.data.joint import SOURCE, UNKNOWN, together
from models.data.labelled import InMemory, LabelledImages
from models.inference.generator import Generator
from models.training.checkpoints import replace_file
from models.training.synthetic_arm import compare

KEPT = "painted.json"
SEEDS, SHARE = 2, 4
"""Trainings in each arm; one painted image of each label for so many real ones of both."""


@dataclass(frozen=True, slots=True)
class Tried:
    """The data that the training goes on with, and what was found."""

    data: InMemory
    said: str


def with_painted(generator: Generator, data: InMemory, present: str, seed: int, folder: Path) -> Tried:
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
    """
    if len(generator.labels) != 2 or generator.labels[1] != present:
        return Tried(data, f"painted images not tried: the generator paints {', '.join(generator.labels)}")
    train, val = data.images("train"), data.images("val")
    count = max(len(train) // SHARE, 1)
    gain, helped = _found(generator, train, val, count, seed, folder)
    said = f"{count} painted images of each label changed the AUC on hard validation images by {gain:+.4f}"
    if not helped:
        return Tried(data, f"{said}: left out")
    splits = {"train": together([train, _painted(generator, train, count, seed)]), "val": val}
    return Tried(InMemory(splits), f"{said}: learned from")


def _found(
    generator: Generator, train: LabelledImages, val: LabelledImages, count: int, seed: int, folder: Path
) -> tuple[float, bool]:
    key = {"train": train.image_digests()[:1], "images": len(train), "seed": seed}
    try:
        kept = json.loads((folder / KEPT).read_bytes())
        if kept["key"] == json.loads(json.dumps(key)):
            return float(kept["gain"]), bool(kept["helped"])
    except (OSError, ValueError, KeyError):
        pass
    arm = compare(generator, train, val, count, tuple(range(seed, seed + SEEDS)), lambda *_: None)
    folder.mkdir(parents=True, exist_ok=True)
    replace_file(folder / KEPT, json.dumps({"key": key, "gain": arm.gain, "helped": arm.helped}).encode())
    return arm.gain, arm.helped


def _painted(generator: Generator, like: LabelledImages, count: int, seed: int) -> LabelledImages:
    """Return painted images in the form of others, each a group of its own, weighing with the site's."""
    images = [image for label in generator.labels for image in generator.images(label, count, seed)]
    names = tuple(f"painted/{number}" for number in range(len(images)))
    columns = dict.fromkeys(like.attributes, (UNKNOWN,) * len(images)) | {SOURCE: ("site",) * len(images)}
    labels = np.repeat(np.arange(len(generator.labels)), count)
    return LabelledImages(tuple(images), labels, names, names, attributes=columns)
