"""Admission against other body parts: every image is compared as it is served, whatever unit it came in."""

import csv
import zipfile
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from models import STARTER
from models.data.labelled import LabelledImages
from models.evaluation.strangers import admission_scores, measure_admission, reduced
from models.inference.reader import load

NAMES = tuple(map(str, range(4)))


@pytest.fixture
def chests(draw_chest: Callable[..., NDArray[np.uint8]]) -> LabelledImages:
    """Return four drawn chests of 8 bits."""
    random = np.random.default_rng(0)
    return LabelledImages(
        tuple(draw_chest(random, ill=number > 1) for number in range(4)), np.arange(4) // 2, NAMES, NAMES
    )


def wrapped(chests: LabelledImages) -> LabelledImages:
    """Return the chests as a modality may send them: 12 bits, low values bright, with a window."""
    pixels = []
    for image in chests.pixels:
        turned = (4000 - image.astype(np.int32) * 8).astype(np.uint16)
        pixels.append(turned)
    window = (4000 - 127.5 * 8 + 0.5, 255 * 8 + 1.0)
    return LabelledImages(tuple(pixels), chests.labels, NAMES, NAMES, windows=(window,) * 4, inverted=(True,) * 4)


def test_a_chest_of_twelve_bits_scores_like_the_same_chest_of_eight(chests: LabelledImages) -> None:
    """Neither its unit nor its polarity is lost on the way through the strangers' size."""
    reader = load(STARTER)
    expected = admission_scores(reader, reduced(chests))
    assert admission_scores(reader, reduced(wrapped(chests))) == pytest.approx(expected, abs=1e-3)


def test_windows_and_polarity_pass_through_the_strangers_size(chests: LabelledImages) -> None:
    """The reduced images are as large as the strangers, and say of themselves what the others said."""
    small = reduced(wrapped(chests))
    assert {image.shape for image in small.pixels} == {(64, 64)}
    assert (small.windows, small.inverted) == (wrapped(chests).windows, (True,) * 4)
    assert max(image.max() for image in small.pixels) > 255


def test_strangers_and_adults_are_told_apart(chests: LabelledImages, tmp_path: Path) -> None:
    """Noise is not let in where chests are, and chests of adults are counted by themselves."""
    noise = np.random.default_rng(1).integers(0, 256, (3, 64, 64), np.uint8)
    with (
        zipfile.ZipFile(tmp_path / "ood.zip", "w") as archive,
        (tmp_path / "manifest.csv").open("w", newline="", encoding="utf-8") as lines,
    ):
        rows = csv.writer(lines)
        rows.writerow(["file", "label"])
        for number, image in enumerate(noise):
            archive.writestr(f"{number}.png", cv2.imencode(".png", image)[1].tobytes())
            rows.writerow([f"{number}.png", "CXR" if number == 2 else "Hand"])
    measured = measure_admission(load(STARTER), chests, tmp_path)
    assert measured is not None
    assert (measured["n"], measured["adult_chests"], measured["admitted_strangers"]) == (2, 1, 0.0)
    assert measured["auc"] == 1.0
