"""A folder of DICOM files with labels.csv becomes labelled images, and no message names a patient."""

import csv
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread

from models.bundle.parse import SIZES
from models.data.labelled import DataError, shrunk
from models.images.preprocess import network_input
from node.dicom.instance.header import inspect
from node.dicom.instance.part10 import read_part10
from node.dicom.samples.wrap import Subject, wrap_as_dx
from node.domain.identifiers import derived_uid
from node.pipeline.registry.labelled_dicom import group_of, open_labelled, read_labelled, split_of
from tests.support.objects.images import sample_file

FAMILY_NAME = "Hidden"


def silent(_stage: str, _done: int, _total: int) -> None:
    """Tell nobody."""


def write_dicom(path: Path, number: int, patient: str, **wrapping: object) -> str:
    """Write a small radiograph of its own, and return its SOP Instance UID."""
    subject = Subject(
        patient_id=patient,
        patient_name=f"{FAMILY_NAME}^{patient}",
        study_instance_uid=derived_uid("study", str(number)),
        series_instance_uid=derived_uid("series", str(number)),
        sop_instance_uid=derived_uid("instance", str(number)),
    )
    pixels = np.random.default_rng(number).integers(0, 256, (20, 24)).astype(np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(wrap_as_dx(pixels, subject, **wrapping))  # type: ignore[arg-type] # window, inverted
    return str(subject.sop_instance_uid)


def write_labels(folder: Path, rows: Sequence[dict[str, object]]) -> None:
    """Write labels.csv with the columns of the first row."""
    with (folder / "labels.csv").open("w", newline="", encoding="utf-8") as file:
        lines = csv.DictWriter(file, list(rows[0]))
        lines.writeheader()
        lines.writerows(rows)


def test_files_labels_windows_and_polarity_belong_together(tmp_path: Path) -> None:
    """By path or by UID; two images of one patient have one group and one split."""
    write_dicom(tmp_path / "a.dcm", 1, "P1")
    write_dicom(tmp_path / "deep" / "b.dcm", 2, "P1", window=(100.0, 60.0))
    uid = write_dicom(tmp_path / "deep" / "c", 3, "P2", inverted=True)
    rows = [("a.dcm", "", 0), ("deep/b.dcm", "", 1), ("", uid, 2)]
    write_labels(tmp_path, [{"file": file, "sop_instance_uid": uid, "label": label} for file, uid, label in rows])
    told: list[tuple[str, int, int]] = []
    data = open_labelled(tmp_path, lambda *step: told.append(step))
    images = [data.images(split) for split in data.splits]
    assert sorted(label for some in images for label in some.labels.tolist()) == [0, 1, 2]
    (first,) = (some for some in images if 0 in some.labels)
    assert first.labels.tolist()[:2] == [0, 1]
    assert first.groups[0] == first.groups[1]
    assert first.windows[1] == (100.0, 60.0)
    assert first.pixels[0].shape == (20, 24)
    (last,) = (some for some in images if 2 in some.labels)
    place = last.labels.tolist().index(2)
    assert last.inverted[place]
    assert last.names[place] == "labels.csv line 4"
    assert last.attributes["modality"][place] == "DX"
    assert told[-1] == ("files", 3, 3)


def test_a_group_and_a_split_that_are_given_count(tmp_path: Path) -> None:
    """And a group that is torn by them is refused by line."""
    for number in range(2):
        write_dicom(tmp_path / f"{number}.dcm", number, f"P{number}")
    rows: list[dict[str, object]] = [
        {"file": f"{number}.dcm", "label": number, "group": f"g{number}", "split": split}
        for number, split in enumerate(["train", "val"])
    ]
    write_labels(tmp_path, rows)
    data = read_labelled(tmp_path, silent)
    assert data.splits == ("train", "val")
    assert data.images("val").groups == ("g1",)
    write_labels(tmp_path, [{**row, "group": "g"} for row in rows])
    with pytest.raises(DataError, match=r"2 images belong to groups .*: labels\.csv line 2, labels\.csv line 3"):
        read_labelled(tmp_path, silent)


@pytest.mark.parametrize(
    ("groups", "splits", "kind"), [("ab", ("train", "test"), "split"), ("ab", ("train", "train"), "group")]
)
def test_a_patient_that_given_groups_tear_apart_is_refused(
    tmp_path: Path, groups: str, splits: tuple[str, str], kind: str
) -> None:
    """A group is not believed against the Patient ID; the refusal names lines and nobody."""
    for number, patient in enumerate(("4711", "4712", "4711")):
        write_dicom(tmp_path / f"{number}.dcm", number, patient)
    rows: list[dict[str, object]] = [
        {"file": "0.dcm", "label": 0, "group": groups[0], "split": splits[0]},
        {"file": "1.dcm", "label": 0, "group": groups[0], "split": splits[0]},
        {"file": "2.dcm", "label": 1, "group": groups[1], "split": splits[1]},
    ]
    write_labels(tmp_path, rows)
    with pytest.raises(
        DataError, match=rf"2 images .* more than one {kind};.*: labels\.csv line 2, .* line 4$"
    ) as caught:
        read_labelled(tmp_path, silent)
    for told in (FAMILY_NAME, "4711"):
        assert told not in str(caught.value)
    write_labels(tmp_path, [{**row, "group": groups[0], "split": splits[0]} for row in rows])
    assert len(read_labelled(tmp_path, silent).images("train")) == 3


def test_a_column_patient_is_a_patient(tmp_path: Path) -> None:
    """It makes an opaque group, where the file names nobody too, and is torn apart by no group."""
    for number in range(2):
        write_dicom(tmp_path / f"{number}.dcm", number, "")
    rows: list[dict[str, object]] = [
        {"file": f"{number}.dcm", "label": number, "patient": "4711", "split": "train"} for number in range(2)
    ]
    write_labels(tmp_path, rows)
    groups = read_labelled(tmp_path, silent).images("train").groups
    assert groups[0] == groups[1]
    assert "4711" not in groups[0]
    write_labels(tmp_path, [{**row, "group": f"g{row['label']}"} for row in rows])
    with pytest.raises(DataError, match=r"2 images .* more than one group;"):
        read_labelled(tmp_path, silent)


def test_other_columns_tell_subgroups_apart_and_slips_are_none(tmp_path: Path) -> None:
    """A column counts for more than the header; one that is almost a known one is refused with that name."""
    write_dicom(tmp_path / "a.dcm", 1, "P1")
    row: dict[str, object] = {"file": "a.dcm", "label": 0, "split": "train", "sex": "F", "manufacturer": "as painted"}
    write_labels(tmp_path, [row])
    attributes = read_labelled(tmp_path, silent).images("train").attributes
    assert (attributes["sex"], attributes["manufacturer"], attributes["modality"]) == (("F",), ("as painted",), ("DX",))
    assert not {"file", "label", "split", "patient"} & set(attributes)
    for name, near in (("Split", "split"), ("lable", "label"), ("PatientID", "patient")):
        write_labels(tmp_path, [{**row, name: "x"}])
        with pytest.raises(DataError, match=f"the column '{name}': call it '{near}'"):
            read_labelled(tmp_path, silent)


def test_a_large_radiograph_is_kept_as_large_as_any_network_reads(tmp_path: Path) -> None:
    """What an imported network of 1024 pixels is measured on is what it is served."""
    detail = np.random.default_rng(0).integers(0, 256, (1100, 1300)).astype(np.float32)
    seen = network_input(shrunk(detail), None, inverted=False, size=SIZES[-1])
    assert shrunk(detail).shape == (SIZES[-1], SIZES[-1])
    np.testing.assert_allclose(seen, network_input(detail, None, inverted=False, size=SIZES[-1]), atol=1e-5)
    assert shrunk(detail[:700, :900]).shape == (700, 900)


def test_groups_fall_into_the_splits_eight_to_one_to_one() -> None:
    """Always the same way."""
    splits = [split_of(f"group {number}") for number in range(2000)]
    assert splits == [split_of(f"group {number}") for number in range(2000)]
    assert {name: round(splits.count(name) / 200) for name in set(splits)} == {"train": 8, "val": 1, "test": 1}


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda folder: (folder / "1.dcm").unlink(), r"line 3 \(its file cannot be read: No such file"),
        (lambda folder: (folder / "1.dcm").write_bytes(b"no DICOM"), r"line 3 \(its file is no DICOM file\)"),
        (lambda folder: (folder / "1.dcm").write_bytes((folder / "1.dcm").read_bytes()[:-99]), r"line 3 \("),
        (
            lambda folder: write_dicom(folder / "1.dcm", 1, ""),
            r"line 3 \(its file has no Patient ID: give it a group\)",
        ),
        (
            lambda folder: (folder / "1.dcm").write_bytes(sample_file("examples_ybr_color.dcm").read_bytes()),
            r"line 3 \(it has \d+ frames where one is needed\)",
        ),
    ],
)
def test_what_cannot_be_read_is_refused_by_line_and_names_nobody(
    tmp_path: Path, spoil: Callable[[Path], object], said: str
) -> None:
    """Not even by its path, which may hold a name."""
    for number in range(3):
        write_dicom(tmp_path / f"{number}.dcm", number, f"ID{number}")
    write_labels(tmp_path, [{"file": f"{number}.dcm", "label": 0} for number in range(3)])
    spoil(tmp_path)
    with pytest.raises(DataError, match=rf"1 line of labels\.csv cannot be used: {said}") as caught:
        read_labelled(tmp_path, silent)
    for told in (FAMILY_NAME, "ID1", "1.dcm"):
        assert told not in str(caught.value)


def test_a_cine_is_refused_by_its_header_before_a_frame_is_decoded(tmp_path: Path) -> None:
    """A thousand frames that are declared, and no bytes for them: decoding would have told of that."""
    cine = dcmread(sample_file("examples_ybr_color.dcm"))
    cine.NumberOfFrames, cine.PatientID = 1000, "ID0"
    cine.save_as(tmp_path / "cine.dcm")
    write_labels(tmp_path, [{"file": "cine.dcm", "label": 0}])
    with pytest.raises(DataError, match=r"line 2 \(it has 1000 frames where one is needed\)"):
        read_labelled(tmp_path, silent)


def test_a_line_that_says_nothing_is_refused(tmp_path: Path) -> None:
    """No label, no file, an unknown UID; all lines are looked at before the refusal."""
    write_dicom(tmp_path / "a.dcm", 1, "P1")
    rows = [("a.dcm", "", "ill"), ("", "", "0"), ("", "1.2.3", "0"), ("a.dcm", "", "0")]
    write_labels(tmp_path, [{"file": file, "sop_instance_uid": uid, "label": label} for file, uid, label in rows])
    with pytest.raises(DataError, match=r"3 lines .*line 2 \(its label.*line 3 \(it names.*line 4 \(no file"):
        read_labelled(tmp_path, silent)


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"", "needs the column"), (b"file\na.dcm\n", "needs the column label"), (b"file,label\n", "lists no image"),
     (b"file,label\n\xfc,1\n", "no CSV in UTF-8"), (b"file,label\na.dcm\n", "line 2 .it has more or fewer values")],
)  # fmt: skip
def test_a_table_of_another_form_is_refused(tmp_path: Path, content: bytes, said: str) -> None:
    """Empty, a column short, of another encoding."""
    (tmp_path / "labels.csv").write_bytes(content)
    with pytest.raises(DataError, match=said):
        read_labelled(tmp_path, silent)


def test_a_group_hides_the_patient_and_keeps_issuers_apart(tmp_path: Path) -> None:
    """The same number at two hospitals is two people."""
    write_dicom(tmp_path / "a.dcm", 1, "4711")
    part10 = read_part10(tmp_path / "a.dcm")
    header = inspect(part10.dataset, part10.transfer_syntax_uid)
    assert "4711" not in group_of(header)
    assert group_of(header) != group_of(replace(header, issuer_of_patient_id="elsewhere"))
