"""Images as a site keeps them to learn from."""

from pathlib import Path

import numpy as np
import pytest

from models.data.dataset import DataError
from models.data.examples import Example, KeptFolder, packed, unpacked, write_examples
from models.data.joint import joined
from models.data.labelled import InMemory, LabelledImages
from models.images.alike import perceptual_hash
from models.training.draws import draws_of
from models.training.suspects import suspects
from tests.support.learning.site import chest


def _folder(folder: Path, rows: list[tuple[int, int, str, str]]) -> Path:
    """Write a kept folder of drawn chests: number, label, group, split."""
    import hashlib  # noqa: PLC0415 - here alone

    (folder / "pixels").mkdir(parents=True)
    examples = []
    for number, label, group, split in rows:
        content = packed(chest(number, ill=bool(label)), None, False)
        (folder / "pixels" / f"n{number}.npz").write_bytes(content)
        digest = hashlib.sha256(content).hexdigest()
        examples.append(Example(f"n{number}", label, group, split, digest, {"source": "site", "view": "AP"}))
    write_examples(folder, examples)
    return folder


@pytest.mark.parametrize("kind", [np.uint8, np.int16, np.uint16, np.float32])
def test_what_is_kept_comes_back_to_the_last_bit(kind: type) -> None:
    """Values, window and polarity; whole numbers take no more bytes than they need."""
    values = (np.arange(600).reshape(20, 30) * (0.5 if kind is np.float32 else 1) % 250).astype(kind)
    back, window, inverted = unpacked(packed(values, (40.0, 80.5), True))
    assert np.array_equal(back, values)
    assert (window, inverted) == ((40.0, 80.5), True)


def test_a_changed_file_of_pixels_is_refused_by_its_name(tmp_path: Path) -> None:
    """A digest stands in the table."""
    folder = _folder(tmp_path / "kept", [(1, 0, "a", "train"), (2, 1, "b", "train")])
    (folder / "pixels" / "n2.npz").write_bytes(packed(chest(9, ill=True), None, False))
    with pytest.raises(DataError, match=r"1 image cannot be read, or did not match the digest.*n2"):
        KeptFolder(folder).images("train")


def test_a_group_on_two_sides_is_refused(tmp_path: Path) -> None:
    """Whatever wrote the table."""
    folder = _folder(tmp_path / "kept", [(1, 0, "a", "train"), (2, 1, "a", "val")])
    with pytest.raises(DataError, match="stand in more than one split"):
        KeptFolder(folder)


def _replayed(numbers: dict[str, list[int]]) -> InMemory:
    return InMemory(
        {
            split: LabelledImages(
                tuple(chest(number, ill=number % 2 == 1) for number in some),
                np.array([number % 2 for number in some]),
                tuple(f"g{number}" for number in some),
                tuple(f"r{number}" for number in some),
            )
            for split, some in numbers.items()
        }
    )


def test_nothing_is_replayed_that_is_locked_or_on_another_side_here(tmp_path: Path) -> None:
    """And nothing of its test split, whatever is in it."""
    site = KeptFolder(_folder(tmp_path / "kept", [(1, 0, "a", "train"), (2, 1, "b", "val")]))
    replayed = _replayed({"train": [2, 3, 4, 5], "val": [6, 7], "test": [8, 9]})
    locked = [perceptual_hash(chest(4, ill=False), None, False)]

    found = joined(site, {"old": replayed, "older": _replayed({"train": [11]})}, locked)

    train, val = found.data.images("train"), found.data.images("val")
    assert found.data.splits == ("train", "val")
    assert train.names == ("n1", "r2", "r3", "r5", "r11")  # number 2 is ill on the site, and another picture
    assert val.names == ("n2", "r6", "r7")
    assert found.dropped == 1
    assert train.attributes["source"] == ("site", "old", "old", "old", "older")
    assert train.attributes["view"] == ("AP", "unknown", "unknown", "unknown", "unknown")


def test_a_picture_of_two_replayed_folders_stands_on_one_side(tmp_path: Path) -> None:
    """The folder that is named first keeps it; within one folder its own sides stand."""
    site = KeptFolder(_folder(tmp_path / "kept", [(1, 0, "a", "train"), (2, 1, "b", "val")]))
    first, second = _replayed({"train": [3], "val": [4]}), _replayed({"train": [4, 5], "val": [3, 6]})
    found = joined(site, {"first": first, "second": second}, [])
    assert [found.data.images(split).names for split in ("train", "val")] == [("n1", "r3", "r5"), ("n2", "r4", "r6")]
    assert found.dropped == 2


def test_within_a_class_every_place_weighs_the_same() -> None:
    """By repetition up to a bound, and by weights for the rest."""
    sources, labels = ["old"] * 40 + ["site"] * 3, [0, 1] * 20 + [0, 0, 1]
    images = LabelledImages(
        tuple(np.zeros((2, 2)) for _ in labels), np.array(labels), ("g",) * 43, ("n",) * 43,
        attributes={"source": tuple(sources)},
    )  # fmt: skip
    draws = draws_of(images)
    times = np.bincount(draws.numbers)
    shown = times * draws.weights
    assert times.max() == 8
    for label in (0, 1):
        weight = {
            name: shown[[own == label and source == name for own, source in zip(labels, sources, strict=True)]].sum()
            for name in ("old", "site")
        }
        assert weight["old"] == pytest.approx(weight["site"])


def test_images_of_one_place_are_shown_once() -> None:
    """As every training did before."""
    images = LabelledImages((np.zeros((2, 2)),) * 3, np.array([0, 1, 1]), ("g",) * 3, ("n",) * 3)
    draws = draws_of(images)
    assert draws.numbers.tolist() == [0, 1, 2]
    assert draws.weights.tolist() == [1, 1, 1]


def test_flipped_labels_are_found() -> None:
    """Most of four among a hundred, and few others."""
    labels = np.array([number % 2 for number in range(100)])
    flipped = {10, 25, 40, 77}
    said = np.array([1 - label if number in flipped else label for number, label in enumerate(labels)])
    images = LabelledImages(
        tuple(chest(number, ill=bool(label)) for number, label in enumerate(labels)), said,
        tuple(f"p{number}" for number in range(100)), tuple(str(number) for number in range(100)),
    )  # fmt: skip
    found = {int(one.name) for one in suspects(images)}
    assert len(found & flipped) >= 3
    assert len(found - flipped) <= 4


def test_too_few_images_are_no_ground_for_suspicion() -> None:
    """A classifier of ten images knows nothing."""
    images = _replayed({"train": list(range(10))}).images("train")
    assert suspects(images) == ()
