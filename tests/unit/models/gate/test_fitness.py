"""What is not trained on: one class, few patients, torn patients and pictures, lost data, labels that contradict."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from models.data.labelled import LabelledImages
from models.gate.fitness import Agreement, agreement, contradicted, shrunk, unfit

NAMES = ("normal", "ill")


def _images(first: int, count: int) -> LabelledImages:
    """Return images of `count` patients, half of them ill; those of other numbers show other things."""
    numbers = range(first, first + count)
    pixels = tuple(_picture(number) for number in numbers)
    labels = np.arange(count, dtype=np.int64) % 2
    return LabelledImages(pixels, labels, tuple(f"p{n}" for n in numbers), tuple(f"i{n}" for n in numbers))


def _picture(number: int) -> np.ndarray:
    field = np.random.default_rng(number).normal(size=(16, 16)).astype(np.float32)
    return np.uint8(255 * cv2.normalize(cv2.resize(field, (64, 64)), None, 0.0, 1.0, cv2.NORM_MINMAX))


@pytest.fixture(scope="module")
def sides() -> dict[str, LabelledImages]:
    """Give what may be trained on."""
    return {"train": _images(0, 60), "val": _images(100, 20)}


@pytest.fixture(scope="module")
def locked() -> dict[str, LabelledImages]:
    """Give a locked set of other patients."""
    return {"site": _images(200, 20)}


def test_what_is_whole_may_be_trained_on(sides: dict[str, LabelledImages], locked: dict[str, LabelledImages]) -> None:
    """Two classes, patients enough, nobody and nothing twice."""
    assert unfit(sides, locked, NAMES) == []


def test_one_class_and_few_patients_are_not_trained_on(
    sides: dict[str, LabelledImages], locked: dict[str, LabelledImages]
) -> None:
    """With what is missing."""
    ill = {**sides, "train": replace(sides["train"], labels=np.ones(60, np.int64), _views={})}
    (found,) = unfit(ill, locked, NAMES)
    assert (found.rule, "have one label" in found.text) == ("untrainable", True)
    (found,) = unfit({**sides, "val": _images(100, 6)}, locked, NAMES)
    assert "of 3 patients or groups where 5 are needed" in found.text


def test_a_patient_on_two_sides_is_found(sides: dict[str, LabelledImages], locked: dict[str, LabelledImages]) -> None:
    """Also one of the locked set."""
    groups = ("p200", *sides["train"].groups[1:])
    (found,) = unfit({**sides, "train": replace(sides["train"], groups=groups)}, locked, NAMES)
    assert (found.rule, found.text) == ("patients", "1 patient on two sides: train and locked set site")


def test_a_picture_on_two_sides_is_found_however_it_was_compressed(
    sides: dict[str, LabelledImages], locked: dict[str, LabelledImages]
) -> None:
    """Under another name, as another patient's; in two locked sets it may be."""
    _, content = cv2.imencode(".jpg", locked["site"].pixels[3], [cv2.IMWRITE_JPEG_QUALITY, 50])
    again = np.asarray(cv2.imdecode(content, cv2.IMREAD_GRAYSCALE), np.uint8)
    val = replace(sides["val"], pixels=(again, *sides["val"].pixels[1:]))
    (found,) = unfit({**sides, "val": val}, {**locked, "again": locked["site"]}, NAMES)[:1]
    assert (found.rule, found.text) == ("pictures", "1 picture on two sides: val and locked set site")
    assert unfit(sides, {**locked, "again": locked["site"]}, NAMES) == []


def test_lost_data_are_found() -> None:
    """More, or a little less, is none lost."""
    assert shrunk(400, 400) is shrunk(320, 400) is shrunk(600, 400) is None
    found = shrunk(200, 400)
    assert found is not None
    assert found.text.startswith("200 images to learn from where the champion had 400")


def test_labels_that_contradict_the_champion_are_found() -> None:
    """Beyond what the locked set and chance explain; a champion that knows nothing of the site tells nothing."""
    found = contradicted(Agreement(148, 200), Agreement(190, 200))
    assert found is not None
    assert found.text.startswith("the champion calls what the labels say for 74.0% of 200 new patients")
    assert contradicted(Agreement(15, 20), Agreement(190, 200)) is None
    assert contradicted(Agreement(90, 200), Agreement(95, 200)) is None
    assert contradicted(Agreement(0, 0), Agreement(190, 200)) is None


def test_a_patient_agrees_when_all_images_do() -> None:
    """Ten images of one child are one child."""
    images = replace(_images(0, 4), groups=("a", "a", "b", "c"))
    assert agreement(images, np.array([False, True, True, True])) == Agreement(2, 3)
