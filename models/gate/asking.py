"""A bundle asked about locked sets, and labelled images as the gate takes them.

It runs the bundle's exported networks as serving does: what is judged is what would serve. It knows no node.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from models.data.labelled import LabelledImages
from models.gate.gate_values import Answers, LockedSet, Said
from models.inference.reader import Reader


def answers(reader: Reader, version: str, said: Mapping[str, Said]) -> Answers:
    """Return a loaded bundle with what it said of every locked set.

    Parameters
    ----------
    reader
        The loaded bundle.
    version
        What the node calls it.
    said
        By the name of the locked set, as the function `said` returns it.
    """
    thresholds = {known.name: known.threshold for known in reader.manifest.classes}
    return Answers(reader.manifest.name, version, reader.manifest.device_uid, thresholds, said)


def said(reader: Reader, images: LabelledImages) -> Said:
    """Return what a loaded bundle says of labelled images: probabilities as served, and whether it lets them in."""
    manifest = reader.manifest
    values = np.asarray(reader.probabilities(images.views(manifest.classifier.size)), np.float64)
    by_class = {known.name: values[:, number] for number, known in enumerate(manifest.classes)}
    if manifest.admission is None:
        return Said(by_class)
    scores = [reader.admission_score(image) for image in images.views(manifest.admission.size)]
    return Said(by_class, np.asarray(np.array(scores) <= manifest.admission.limit))


def locked_set(
    name: str,
    version: str,
    digest: str,
    images: LabelledImages,
    classes: Sequence[str],
    *,
    target: bool,
    uses: int = 0,
) -> LockedSet:
    """Return labelled images as a locked set; of a single class the label 1 says that it is present.

    Parameters
    ----------
    name, version, digest, target, uses
        As of `LockedSet`.
    images
        Whose labels are indices of `classes`, or of the number after the last one where none is present.
    classes
        The names of the champion's classes, in its order.
    """
    subtypes = {"subtype": images.subtypes} if images.subtypes and "subtype" not in images.attributes else {}
    present = _present(images.labels, classes)
    return LockedSet(name, version, digest, present, images.groups, target, {**images.attributes, **subtypes}, uses)


def _present(labels: NDArray[np.int64], classes: Sequence[str]) -> dict[str, NDArray[np.bool_]]:
    if len(classes) == 1:
        return {classes[0]: labels == 1}
    return {name: labels == number for number, name in enumerate(classes)}
