"""What training must not start from is refused, and the rows are named."""

import csv
import zipfile
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from models.data.column_names import nearest, refuse_odd_columns
from models.data.dataset import DataError, LabelledImages, open_data
from models.data.trainable import refuse_single_class
from models.data.zips import read_images, read_rows
from models.images.preprocess import network_input


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


def without_digests(folder: Path) -> None:
    """Empty the optional column."""
    rewrite(folder, lambda rows: [row.update(sha256="") for row in rows] and None)


def put(folder: Path, split: str, name: str, content: bytes) -> None:
    """Give one file of a split's zip another content."""
    with zipfile.ZipFile(folder / f"{split}.zip") as archive:
        files = {one: archive.read(one) for one in archive.namelist()}
    with zipfile.ZipFile(folder / f"{split}.zip", "w") as archive:
        for one, kept in (files | {name: content}).items():
            archive.writestr(one, kept)


def content_of(folder: Path, split: str, name: str) -> bytes:
    """Return one file of a split's zip."""
    with zipfile.ZipFile(folder / f"{split}.zip") as archive:
        return archive.read(name)


def test_other_pixels_are_another_data_set_without_digests_too(small_dataset: Path) -> None:
    """The digest is that of a manifest with digests, and follows the contents of the zips."""
    before = open_data(small_dataset).digest(("train", "val"))
    without_digests(small_dataset)
    assert open_data(small_dataset).digest(("train", "val")) == before
    put(small_dataset, "train", "train-0.png", content_of(small_dataset, "train", "train-1.png"))
    assert open_data(small_dataset).digest(("train", "val")) != before


def test_a_file_across_splits_is_found_without_digests_too(small_dataset: Path) -> None:
    """Nobody had to write them down for that."""
    without_digests(small_dataset)
    put(small_dataset, "val", "val-0.png", content_of(small_dataset, "train", "train-0.png"))
    with pytest.raises(DataError, match=r"2 images stand in .*line 2 \(train-0.png\), line 10 \(val-0.png\)"):
        open_data(small_dataset)


def test_a_picture_that_was_compressed_anew_is_found_across_splits(small_dataset: Path) -> None:
    """Another file with the same pixels; it is found once both splits are read."""
    without_digests(small_dataset)
    pixels = cv2.imdecode(np.frombuffer(content_of(small_dataset, "train", "train-0.png"), np.uint8), 0)
    anew = cv2.imencode(".png", pixels, [cv2.IMWRITE_PNG_COMPRESSION, 0])[1].tobytes()
    put(small_dataset, "val", "val-0.png", anew)
    data = open_data(small_dataset)
    data.images("train")
    with pytest.raises(DataError, match=r"2 images show the same pixels .*\(train-0.png\), line 10 \(val-0.png\)"):
        data.images("val")


@pytest.mark.parametrize(
    ("name", "near"), [("Split", "split"), ("lable", "label"), ("patient_id", "patient"), ("sha-256", "sha256")]
)
def test_a_column_that_is_almost_a_known_one_is_refused(small_dataset: Path, name: str, near: str) -> None:
    """A slip would be a column to tell subgroups by, and what was meant would be missing."""
    rewrite(small_dataset, lambda rows: [row.update({name: "x"}) for row in rows] and None)
    with pytest.raises(DataError, match=f"the column '{name}': call it '{near}'"):
        open_data(small_dataset)


def test_columns_of_their_own_are_no_slips() -> None:
    """Names that real tables have; a column twice is refused."""
    known = {"file", "sop_instance_uid", "label", "group", "patient", "split", "subtype"}
    for name in ("official_split", "study_instance_uid", "series_instance_uid", "sex", "age", "site", "view", "size"):
        assert nearest(name, known) is None, name
    with pytest.raises(DataError, match="the column 'sex' 2 times"):
        refuse_odd_columns(Path("labels.csv"), ["file", "sex", "sex"], known)


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
    for label in ("yes", "-1", "1.0", "²", "99999"):
        rewrite(small_dataset, lambda rows, label=label: rows[2].update(label=label))
        with pytest.raises(DataError, match=f"line 4: .* not '{label}'"):
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
    before = open_data(small_dataset).digest(("train",))
    rewrite(small_dataset, lambda rows: rows.reverse())
    assert open_data(small_dataset).digest(("train",)) == before
    assert open_data(small_dataset).digest(("train", "val")) != before
    rewrite(small_dataset, lambda rows: rows[-1].update(label="1"))
    assert open_data(small_dataset).digest(("train",)) != before


def test_other_columns_tell_subgroups_apart_and_a_patient_is_none(small_dataset: Path) -> None:
    """What the manifest says beyond its own columns is there to be measured by."""
    rewrite(small_dataset, lambda rows: [row.update(detector="A", patient="7") for row in rows] and None)
    images = open_data(small_dataset).images("val")
    assert images.attributes == {"subtype": images.subtypes, "detector": ("A",) * 4}


def test_views_are_what_serving_sees_and_are_made_once() -> None:
    """Window and polarity of each image count."""
    pixels = np.arange(1024, dtype=np.uint16).reshape(32, 32)
    images = LabelledImages(
        (pixels, pixels, pixels), np.array([0, 1, 1]), tuple("abc"), tuple("abc"), (), (None, (100.0, 50.0), None),
        (False, False, True),
    )  # fmt: skip
    views = images.views(16)
    assert views.shape == (3, 16, 16, 1)
    assert views.dtype == np.float32
    for number, (window, inverted) in enumerate([(None, False), ((100.0, 50.0), False), (None, True)]):
        np.testing.assert_array_equal(views[number], network_input(pixels, window, inverted, 16))
    assert images.views(16) is views
