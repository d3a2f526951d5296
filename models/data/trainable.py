"""What no network is trained on: images without all classes, with labels that mean nothing, or of too few patients.

It knows labels and groups, no pixels.
"""

from collections.abc import Mapping

import numpy as np

from models.data.labelled import DataError, LabelledImages, refuse_images

FEWEST_GROUPS = {"train": 20, "val": 5}
"""How many groups (patients) each class needs in a split, so that learning is more than remembering them, and an
operating point more than a coin's fall: with 5 of 5 found, sensitivity is above 0.48 with 95 % confidence
(Clopper-Pearson), with fewer it could be anything."""


def refuse_untrainable(images: Mapping[str, LabelledImages], names: tuple[str, ...]) -> None:
    """Refuse splits that a training must not start from.

    Parameters
    ----------
    images
        Labelled images by split.
    names
        What each label stands for, by its index.

    Raises
    ------
    DataError
        Where a label is unknown, a class is missing, or too few groups show one; split, class and images are named.
    """
    for split, some in images.items():
        refuse_unknown_labels(some, split, names)
        refuse_missing_classes(some, split, names)
        refuse_few_groups(some, split, names)


def refuse_unknown_labels(images: LabelledImages, split: str, names: tuple[str, ...]) -> None:
    """Refuse labels that are no index of a class."""
    unknown = np.flatnonzero((images.labels < 0) | (images.labels >= len(names)))
    fault = f"of the split {split!r} with a label that is not one of 0 to {len(names) - 1} ({', '.join(names)})"
    refuse_images(fault, [images.names[number] for number in unknown])


def refuse_single_class(images: LabelledImages, split: str) -> None:
    """Refuse a split with one label only: nothing can be learned from it or measured on it."""
    if len(set(images.labels.tolist())) < 2:
        raise DataError(f"all images of the split {split!r} ({len(images)}) have one label: both are needed")


def refuse_missing_classes(images: LabelledImages, split: str, names: tuple[str, ...]) -> None:
    """Refuse a split in which a class has no image."""
    refuse_single_class(images, split)
    missing = [name for label, name in enumerate(names) if not (images.labels == label).any()]
    if missing:
        raise DataError(f"none of the {len(images)} images of the split {split!r} has the label {', '.join(missing)}")


def refuse_few_groups(images: LabelledImages, split: str, names: tuple[str, ...]) -> None:
    """Refuse a split in which a class is shown by fewer groups than `FEWEST_GROUPS` asks for."""
    needed = FEWEST_GROUPS.get(split, 1)
    for label, name in enumerate(names):
        chosen = np.flatnonzero(images.labels == label)
        groups = {images.groups[number] for number in chosen}
        if len(groups) < needed:
            patients = "patient or group" if len(groups) == 1 else "patients or groups"
            fault = f"with the label {name} in the split {split!r}, of {len(groups)} {patients}"
            refuse_images(f"{fault} where {needed} are needed", [images.names[number] for number in chosen])
