"""What training must not start from is refused, and the rows are named."""

import csv
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from models.data.dataset import DataError, dataset_digest, read_images, read_rows, refuse_single_class


def rewrite(folder: Path, change: Callable[[list[dict[str, str]]], None]) -> None:
    """Change the rows of a manifest in place."""
    path = folder / "manifest.csv"
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    change(rows)
    with path.open("w", newline="", encoding="utf-8") as file:
        lines = csv.DictWriter(file, list(rows[0]))
        lines.writeheader()
        lines.writerows(rows)


def test_a_split_comes_out_in_the_manifests_order(small_dataset: Path) -> None:
    """Pixels, labels, subtypes and groups belong together."""
    images = read_images(small_dataset, "train", read_rows(small_dataset))
    assert len(images) == 8
    assert images.pixels[0].dtype == np.uint8
    assert images.labels.tolist() == [0, 0, 1, 1, 0, 0, 1, 1]
    assert images.subtypes[2] == "opacity"
    assert images.groups[:3] == ("train-0", "train-0", "train-1")


def test_a_group_across_splits_is_refused_with_its_rows(small_dataset: Path) -> None:
    """The same patient on both sides would make every figure a lie."""
    rewrite(small_dataset, lambda rows: rows[8].update(group="train-0"))
    with pytest.raises(DataError, match=r"3 images .*line 2 \(train-0.png\).*line 10 \(val-0.png\)"):
        read_rows(small_dataset)


def test_an_image_across_splits_is_refused_with_its_rows(small_dataset: Path) -> None:
    """The same picture under another name and group would be learned by heart and then asked for."""
    rewrite(small_dataset, lambda rows: rows[8].update(sha256=rows[0]["sha256"].upper()))
    with pytest.raises(DataError, match=r"2 images stand in .*line 2 \(train-0.png\), line 10 \(val-0.png\)"):
        read_rows(small_dataset)


def test_images_without_a_digest_are_not_taken_for_the_same(small_dataset: Path) -> None:
    """The column may be empty."""
    rewrite(small_dataset, lambda rows: [row.update(sha256="") for row in rows] and None)
    assert len(read_rows(small_dataset)) == 16


def test_a_manifest_that_is_no_text_is_refused(small_dataset: Path) -> None:
    """A spreadsheet's own encoding is named, not crashed on; so is a line that broke off."""
    path = small_dataset / "manifest.csv"
    text = path.read_bytes()
    path.write_bytes(text + "é.png,0,normal,ü,train,\n".encode("latin_1"))
    with pytest.raises(DataError, match=r"manifest\.csv is no CSV in UTF-8"):
        read_rows(small_dataset)
    path.write_bytes(text + b"train-9.png,0\n")
    with pytest.raises(DataError, match="line 18"):
        read_rows(small_dataset)


def test_an_image_that_does_not_decode_is_named(small_dataset: Path) -> None:
    """A file that is no picture stops the training before it begins."""
    with zipfile.ZipFile(small_dataset / "val.zip", "w") as archive:
        for number in range(4):
            archive.writestr(f"val-{number}.png", b"no picture")
    rewrite(small_dataset, lambda rows: [row.update(sha256="") for row in rows if row["split"] == "val"] and None)
    with pytest.raises(DataError, match=r"4 images cannot be read.*val-0.png"):
        read_images(small_dataset, "val", read_rows(small_dataset))


def test_an_image_that_changed_is_named(small_dataset: Path) -> None:
    """The manifest's digest vouches for every image."""
    rewrite(small_dataset, lambda rows: rows[1].update(sha256="0" * 64))
    with pytest.raises(DataError, match=r"line 3 \(train-1.png\)"):
        read_images(small_dataset, "train", read_rows(small_dataset))


def test_an_image_that_is_missing_is_named(small_dataset: Path) -> None:
    """A row without its file is a fault of the data set."""
    rewrite(small_dataset, lambda rows: rows[0].update(file="gone.png"))
    with pytest.raises(DataError, match=r"line 2 \(gone.png\)"):
        read_images(small_dataset, "train", read_rows(small_dataset))


def test_a_single_class_is_refused(small_dataset: Path) -> None:
    """Nothing can be learned from normals alone, or measured on them."""
    rewrite(small_dataset, lambda rows: [row.update(label="0") for row in rows] and None)
    with pytest.raises(DataError, match="one label"):
        refuse_single_class(read_images(small_dataset, "test", read_rows(small_dataset)), "test")


def test_a_label_that_is_neither_is_refused_with_its_line(small_dataset: Path) -> None:
    """A typing error in a label is not a class."""
    rewrite(small_dataset, lambda rows: rows[2].update(label="yes"))
    with pytest.raises(DataError, match="line 4"):
        read_rows(small_dataset)


def test_folders_that_hold_no_data_set_are_refused(tmp_path: Path, small_dataset: Path) -> None:
    """No manifest, no such split, no zip: each is said."""
    with pytest.raises(DataError, match=r"manifest\.csv cannot be read"):
        read_rows(tmp_path / "nowhere")
    rows = read_rows(small_dataset)
    with pytest.raises(DataError, match="'adapt'"):
        read_images(small_dataset, "adapt", rows)
    (small_dataset / "val.zip").unlink()
    with pytest.raises(DataError, match=r"val\.zip cannot be read"):
        read_images(small_dataset, "val", rows)


def test_the_digest_follows_labels_and_not_the_order_of_rows(small_dataset: Path) -> None:
    """Two bundles with one digest were trained on the same images with the same labels."""
    rows = read_rows(small_dataset)
    before = dataset_digest(rows, ("train",))
    assert dataset_digest(tuple(reversed(rows)), ("train",)) == before
    rewrite(small_dataset, lambda changed: changed[0].update(label="1"))
    assert dataset_digest(read_rows(small_dataset), ("train",)) != before
