"""Images in memory and in one npz file are checked as those in folders are."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from models.data.dataset import DataError, InMemory, LabelledImages, open_data
from models.data.trainable import refuse_untrainable


def labelled(labels: list[int], group: str, start: int = 0) -> LabelledImages:
    """Return tiny images that differ, each of a group of its own unless `group` says otherwise."""
    numbers = range(start, start + len(labels))
    pixels = tuple(np.full((2, 2), number, np.float32) for number in numbers)
    names = tuple(f"row {number}" for number in numbers)
    return LabelledImages(pixels, np.array(labels), tuple(f"{group}{number}" for number in numbers), names)


def test_images_in_memory_are_checked_as_those_on_disk_are() -> None:
    """Torn groups and repeated images are named; a digest follows labels, groups and contents."""
    train, val = labelled([0, 1], "t"), labelled([0, 1], "v", start=2)
    data = InMemory({"train": train, "val": val})
    assert data.splits == ("train", "val")
    assert data.images("val") is val
    assert data.digest(("train",)) != data.digest(("val",))
    assert data.digest(("train",)) != InMemory({"train": labelled([1, 1], "t")}).digest(("train",))
    with pytest.raises(DataError, match="'test'"):
        data.images("test")
    with pytest.raises(DataError, match=r"2 images belong to groups .*: row 1, row 1"):
        InMemory({"train": labelled([0], "t", 1), "val": labelled([0], "t", 1)})
    with pytest.raises(DataError, match=r"2 images stand in more than one split: row 1, row 1"):
        InMemory({"train": labelled([0], "t", 1), "val": labelled([0], "v", 1)})
    with pytest.raises(DataError, match="no image"):
        InMemory({})


def test_a_training_needs_every_class_known_labels_and_enough_patients() -> None:
    """Each refusal names split, class and images."""
    names = ("normal", "ill")
    enough = {"train": labelled([0, 1] * 20, "t"), "val": labelled([0, 1] * 5, "v", 40)}
    refuse_untrainable(enough, names)
    with pytest.raises(DataError, match=r"1 image of the split 'val' .* 0 to 1 \(normal, ill\): row 11"):
        refuse_untrainable({**enough, "val": labelled([0, 2] + [0, 1] * 5, "v", 10)}, names)
    with pytest.raises(DataError, match="'val' has the label ill"):
        refuse_untrainable({"val": labelled([0, 2] * 5, "v", 40)}, ("normal", "ill", "worse"))
    with pytest.raises(DataError, match="one label"):
        refuse_untrainable({**enough, "val": labelled([1] * 5, "v", 40)}, names)
    with pytest.raises(
        DataError, match=r"19 images with the label ill .* of 19 patients .* 20 are needed: row 1, row 3"
    ):
        refuse_untrainable({**enough, "train": labelled(([0, 1] * 20)[:-1], "t")}, names)
    one_patient = replace(labelled([0, 1] * 20, "t"), groups=("somebody",) * 40)
    with pytest.raises(DataError, match="of 1 patient or group where"):
        refuse_untrainable({**enough, "train": one_patient}, names)


def write_npz(path: Path, **changed: NDArray[np.generic]) -> Path:
    """Write a small data set as MNIST is handed around, with some arrays changed."""
    random = np.random.default_rng(0)
    arrays: dict[str, NDArray[np.generic]] = {
        "x_train": random.integers(0, 256, (200, 8, 8)).astype(np.uint8),
        "y_train": (np.arange(200) % 4).astype(np.uint8),
        "x_test": random.integers(0, 256, (12, 8, 8)).astype(np.uint8),
        "y_test": (np.arange(12) % 4).astype(np.uint8),
    }
    np.savez(path, **(arrays | changed))
    return path


def test_an_npz_gives_a_tenth_of_its_training_images_away_as_val(tmp_path: Path) -> None:
    """Always the same ones, whatever their order; equal images fall on the same side."""
    path = write_npz(tmp_path / "digits.npz")
    data = open_data(path)
    assert data.splits == ("train", "val", "test")
    train, val = data.images("train"), data.images("val")
    assert len(train) + len(val) == 200
    assert 8 <= len(val) <= 35
    assert train.labels.dtype == np.int64
    with np.load(path) as stored:
        backwards = {name: stored[name][::-1] for name in ("x_train", "y_train")}
        twice = {name: np.concatenate([stored[name], stored[name]]) for name in ("x_train", "y_train")}
    again = open_data(write_npz(tmp_path / "backwards.npz", **backwards)).images("val")
    assert {pixels.tobytes() for pixels in again.pixels} == {pixels.tobytes() for pixels in val.pixels}
    assert len(open_data(write_npz(tmp_path / "twice.npz", **twice)).images("val")) == 2 * len(val)


def test_an_npz_that_holds_something_else_is_refused(tmp_path: Path) -> None:
    """Missing, no archive, an array too few, no images, labels that do not fit: each is said; nothing is unpickled."""
    with pytest.raises(DataError, match=r"gone\.npz cannot be read"):
        open_data(tmp_path / "gone.npz")
    path = tmp_path / "odd.npz"
    path.write_bytes(b"no archive")
    with pytest.raises(DataError, match="no npz"):
        open_data(path)
    np.savez(path, x_train=np.zeros((4, 2, 2)))
    with pytest.raises(DataError, match="no array"):
        open_data(path)
    write_npz(path, x_test=np.array([{"a": 1}], object))
    with pytest.raises(DataError, match="no npz of plain numbers"):
        open_data(path)
    with pytest.raises(DataError, match=r"x_train is uint8 of shape \(3, 4\)"):
        open_data(write_npz(path, x_train=np.zeros((3, 4), np.uint8)))
    with pytest.raises(DataError, match=r"y_test is float64 of shape \(12,\)"):
        open_data(write_npz(path, y_test=np.zeros(12)))


@pytest.mark.data
def test_the_public_digits_open_with_ten_classes(public_data: Path) -> None:
    """60,000 and 10,000, nothing lost between train and val."""
    data = open_data(public_data / "mnist" / "mnist.npz")
    assert {split: len(data.images(split)) for split in data.splits} == {"train": 53792, "val": 6208, "test": 10000}
    refuse_untrainable({split: data.images(split) for split in data.splits}, tuple("0123456789"))
