"""The deletion test of a bundle's own maps: of its classifier, of its anomaly score, and of Grad-CAM where it has none.

It joins the loaded bundle, the rule that outlines a region, and `models.evaluation.deletion`.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.data.dataset import LabelledImages
from models.evaluation import metrics
from models.evaluation.deletion import deletion_test, from_other_side
from models.evaluation.grad_cam import bundle_maps
from models.images.preprocess import network_input
from models.inference.anomaly import placed
from models.inference.explain import ANOMALY, Outline, above_median, contributions, strongest_region, weighed
from models.inference.reader import Images, Reader

MOST_IMAGES = 200
"""Images of one deletion test, evenly spread over the data set: enough for an interval, and seconds long."""

UNUSUAL_PERCENTILE = 90.0
"""Place among held-out normals from which an image is unusual enough to ask where."""

Scores = NDArray[np.float64]


def measure_maps(
    reader: Reader, bundle: Path, images: LabelledImages, probabilities: Scores
) -> dict[str, dict[str, Any]]:
    """Return the deletion tests of a bundle, with `method` and `unit` of the score in each.

    Returns
    -------
    dict
        By class name for the images in which it is called, and "anomaly" for the unusual ones. What has no map, or no
        such image, is left out.
    """
    tests: dict[str, dict[str, Any] | None] = {}
    method, maps_of = map_source(reader, bundle)
    if maps_of is not None:
        tests |= _class_tests(reader, images, maps_of, called(reader, probabilities))
    shown = {name: {"method": method, "unit": "logits", **test} for name, test in tests.items() if test}
    if (anomaly := _anomaly_test(reader, images)) is not None:
        shown[ANOMALY] = {"method": "error map", "unit": "standard deviations of normals", **anomaly}
    return shown


def map_source(reader: Reader, bundle: Path) -> tuple[str, Callable[[Images], NDArray[np.float32]] | None]:
    """Return where maps come from, and the function that makes them (images, h, w, classes); None without any."""
    if reader.manifest.classifier.map:
        return "closed form", lambda some: np.asarray(reader.maps(some))
    return "Grad-CAM", bundle_maps(bundle, reader.manifest)


def called(reader: Reader, probabilities: Scores) -> NDArray[np.bool_]:
    """Return in which images which class is called, shape (images, classes)."""
    return metrics.called(probabilities, [known.threshold for known in reader.manifest.classes])


def spread(chosen: NDArray[np.int_]) -> NDArray[np.int_]:
    """Return at most `MOST_IMAGES` of some numbers, evenly spread."""
    if len(chosen) <= MOST_IMAGES:
        return chosen
    return np.asarray(chosen[np.linspace(0, len(chosen) - 1, MOST_IMAGES).round().astype(int)])


def _class_tests(
    reader: Reader,
    images: LabelledImages,
    maps_of: Callable[[Images], NDArray[np.float32]],
    shown: NDArray[np.bool_],
) -> dict[str, dict[str, Any] | None]:
    """Return a test for each class; of several classes the score is what a logit has above the mean of all."""
    classifier, size = reader.manifest.classifier, reader.manifest.classifier.size
    errors = reader.error_maps(images.views)
    tests = {}
    for place, known in enumerate(reader.manifest.classes):
        chosen = spread(np.flatnonzero(shown[:, place]))
        if not len(chosen):
            continue
        seen = images.views(size)[chosen]
        odd = [None] * len(chosen) if errors is None else [above_median(errors[number]) for number in chosen]
        maps = [
            weighed(contributions(one, classifier)[..., place], other)
            for one, other in zip(maps_of(seen), odd, strict=True)
        ]

        def score(some: Images, place: int = place) -> Scores:
            return contributions(reader.logits(some).astype(np.float32), classifier)[:, place].astype(np.float64)

        groups = [images.groups[number] for number in chosen]
        tests[known.name] = deletion_test(score, seen, _outlines(maps, size), groups)
    return tests


def _anomaly_test(reader: Reader, images: LabelledImages) -> dict[str, Any] | None:
    """Return the test of the error map, on the images that the score finds unusual."""
    normals = reader.manifest.anomaly
    maps = reader.error_maps(images.views) if normals else None
    if normals is None or maps is None:
        return None
    scores = reader.anomaly_scores(images.views)
    assert scores is not None  # noqa: S101 a bundle with an anomaly part has scores
    percentiles = np.array([placed(float(score), normals)[1] for score in scores])
    chosen = spread(np.flatnonzero(percentiles >= UNUSUAL_PERCENTILE))
    if not len(chosen):
        return None
    size = max(part.size for part in normals.parts)

    def score(some: Images) -> Scores:
        again = reader.anomaly_scores(lambda side: _resized(some, side))
        return (np.asarray(again, np.float64) - normals.mean) / normals.deviation

    odd = [above_median(one) for one in maps[chosen]]
    groups = [images.groups[number] for number in chosen]
    return deletion_test(score, images.views(size)[chosen], _outlines(odd, size), groups, from_other_side)


def _resized(images: Images, side: int) -> Images:
    return np.stack([network_input(image[..., 0], None, False, side) for image in images])


def _outlines(maps: list[NDArray[np.float32]], size: int) -> list[Outline]:
    return [strongest_region(one, size, size) for one in maps]
