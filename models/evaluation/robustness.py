"""What a bundle makes of images that are not as they should be: how many it reads, and what it then says.

Every change is made to all images of a data set. It knows pixels, a loaded bundle of one class, and measures.
"""

from collections.abc import Callable, Iterator
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from models.data.labelled import LabelledImages
from models.evaluation import metrics
from models.evaluation.metrics import Scores
from models.images.preprocess import Values
from models.inference.reader import Reader

Change = Callable[[Values], NDArray[Any]]
Tell = Callable[[str, int, int], None]

ADULTS = "adults' chests of another hospital"


def turned(degrees: float) -> Change:
    """Return a rotation about the middle; black comes in at the corners."""

    def change(pixels: Values) -> NDArray[Any]:
        rows, columns = pixels.shape
        matrix = cv2.getRotationMatrix2D((columns / 2, rows / 2), degrees, 1.0)
        return np.asarray(cv2.warpAffine(pixels, matrix, (columns, rows)))

    return change


def centre(share: float) -> Change:
    """Return a crop to the middle of both axes."""

    def change(pixels: Values) -> NDArray[Any]:
        kept = [round(length * share) for length in pixels.shape]
        top, left = ((length - part) // 2 for length, part in zip(pixels.shape, kept, strict=True))
        return pixels[top : top + kept[0], left : left + kept[1]]

    return change


def framed(pixels: Values) -> NDArray[Any]:
    """Put a black border of a fifth of each side around the image."""
    rows, columns = (length // 5 for length in pixels.shape)
    return np.pad(pixels, ((rows, rows), (columns, columns)))


CHANGES: dict[str, Change] = {
    "as they are": lambda pixels: pixels,
    "mirrored left to right": lambda pixels: pixels[:, ::-1],
    "rotated by 10 degrees": turned(10),
    "rotated by 20 degrees": turned(20),
    "rotated by 90 degrees": np.rot90,
    "upside down": lambda pixels: pixels[::-1],
    "polarity inverted, and the header does not say so": lambda pixels: pixels.max() - pixels,
    "middle three quarters of each side": centre(0.75),
    "upper half only": lambda pixels: pixels[: len(pixels) // 2],
    "lower half only": lambda pixels: pixels[len(pixels) // 2 :],
    "one lung only": lambda pixels: pixels[:, : pixels.shape[1] // 2],
    "black border of a fifth of each side": framed,
}


def rows(reader: Reader, images: LabelledImages, adults: LabelledImages | None, tell: Tell) -> Iterator[dict[str, Any]]:
    """Yield what comes out for each change of the images, and for adults' chests as they are.

    Parameters
    ----------
    reader
        A loaded bundle of one class.
    images
        What it was made for.
    adults
        Of another hospital; None leaves them out.
    tell
        Called with stage, done and total.

    Yields
    ------
    dict
        `name`, `n`, `admitted` (share), and about those admitted: `auc` and `auc_interval` (None without both kinds),
        `positive`, `of_ill`, `of_healthy` (shares called positive; None where there is nobody).
    """
    total = len(CHANGES) + (adults is not None)
    for done, (name, change) in enumerate(CHANGES.items()):
        tell("robustness", done, total)
        yield {"name": name, **measured(reader, changed(images, change))}
    if adults is not None:
        tell("robustness", len(CHANGES), total)
        yield {"name": ADULTS, **measured(reader, adults)}
    tell("robustness", total, total)


def changed(images: LabelledImages, change: Change) -> LabelledImages:
    """Return labelled images with other pixels."""
    pixels = tuple(np.ascontiguousarray(change(one)) for one in images.pixels)
    return LabelledImages(
        pixels, images.labels, images.groups, images.names, windows=images.windows, inverted=images.inverted
    )


def measured(reader: Reader, images: LabelledImages) -> dict[str, Any]:
    """Return what the bundle reads, as the node reads it: first admission, then the operating point."""
    known, admission = reader.manifest, reader.manifest.admission
    admitted = np.ones(len(images), bool)
    if admission is not None:
        admitted = (
            np.array([reader.admission_score(image) for image in images.views(admission.size)]) <= admission.limit
        )
    labels = images.labels[admitted]
    said = reader.probabilities(images.views(known.classifier.size)[admitted])[:, 0] if len(labels) else np.zeros(0)
    called = said >= known.classes[0].threshold
    return {
        "n": len(images),
        "admitted": float(admitted.mean()),
        **_area(labels, said, tuple(np.asarray(images.groups)[admitted].tolist())),
        "positive": _share(called),
        "of_ill": _share(called[labels == 1]),
        "of_healthy": _share(called[labels == 0]),
    }


def _area(labels: NDArray[np.int64], said: Scores, groups: tuple[str, ...]) -> dict[str, Any]:
    if len(set(labels.tolist())) < 2:
        return {"auc": None, "auc_interval": None}
    return {"auc": metrics.auc(labels, said), "auc_interval": list(metrics.auc_interval(labels, said, groups))}


def _share(called: NDArray[np.bool_]) -> float | None:
    return float(called.mean()) if len(called) else None
