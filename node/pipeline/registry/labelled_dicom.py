"""A folder of DICOM files with labels.csv, read into labelled images: the node's own kind of data set.

What patient an image belongs to becomes an opaque group, and no message names a patient, an identifier or a file: a
fault is named by its line in labels.csv. The learned part is imported late.
"""

import csv
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from node.dicom.encoding.transfer_syntax import NotParsable
from node.dicom.instance.header import inspect
from node.dicom.instance.part10 import NotPart10, read_part10
from node.dicom.pixels.modality_values import PixelsUnreadable, PixelValues, TooManyFrames, read_pixels
from node.domain.instance import InstanceHeader
from node.pipeline.progress import Reporter

if TYPE_CHECKING:
    from models.data.labelled import DataSet, InMemory, LabelledImages

LABELS = "labels.csv"
SPLITS = ("train",) * 8 + ("val", "test")
"""Which split a group falls into, by a tenth of its digest, where labels.csv does not say."""

KNOWN_COLUMNS = frozenset({"file", "sop_instance_uid", "label", "group", "patient", "split", "subtype"})
"""Columns of labels.csv with a meaning of their own; every other one tells subgroups apart."""

NAMED_LINES = 10
"""How many faulty lines a refusal spells out; the rest it counts."""


class _Unusable(Exception):  # noqa: N818 - a finding about one line
    """A line that nothing can be learned from; the message says why, without patient data."""


@dataclass(frozen=True, slots=True)
class LabelledInstance:
    """One line of labels.csv with what its file holds."""

    line: int
    label: int
    group: str
    split: str
    patients: tuple[str, ...]  #: opaque names of the patient, by the header and by the column patient
    attributes: dict[str, str]  #: what it is told apart by: header, subtype and the other columns
    pixels: PixelValues  #: of a single frame

    @property
    def name(self) -> str:
        """How a message names the image."""
        return f"{LABELS} line {self.line}"


def open_labelled(path: Path, report: Reporter) -> "DataSet":
    """Return the data set at a path: zips with manifest.csv, an npz, or DICOM files with labels.csv.

    Parameters
    ----------
    path
        A folder, or a file that ends in .npz.
    report
        Told of the DICOM files that are read.

    Raises
    ------
    DataError
        Where there is none of them, or what is there must not be learned from; lines are named.
    """
    from models.data.dataset import open_data  # noqa: PLC0415 - for those who train or evaluate alone

    return read_labelled(path, report) if (path / LABELS).is_file() else open_data(path)


def read_labelled(folder: Path, report: Reporter) -> "InMemory":
    """Return the labelled images of a folder of DICOM files.

    Parameters
    ----------
    folder
        Holds labels.csv with the columns `file` (a path in the folder) or `sop_instance_uid`, and `label` (0 to n - 1);
        where they are known, `group` (else a digest of `patient`, else of issuer and Patient ID), `split` (else train,
        val or test by a digest of the group, eight, one and one of ten), `subtype`, and others to tell subgroups by.
    report
        Told of the files that are read.

    Raises
    ------
    DataError
        Where labels.csv is no such table, lines of it cannot be used (all of them are looked at, and they are named),
        or an image, a group or a patient stands in more than one split, or a patient in more than one group.
    """
    from models.data.labelled import DataError, InMemory  # noqa: PLC0415 - as above

    lines, folder_index = _lines(folder), _Folder(folder)
    read: list[LabelledInstance] = []
    faults: list[str] = []
    for done, (number, line) in enumerate(lines):
        report("files", done, len(lines))
        try:
            read.append(_instance(folder_index, number, line))
        except _Unusable as reason:
            faults.append(f"line {number} ({reason})")
    report("files", len(lines), len(lines))
    if faults:
        more = f" and {len(faults) - NAMED_LINES} more" if len(faults) > NAMED_LINES else ""
        lines_of = f"{len(faults)} line{'s' if len(faults) > 1 else ''} of {LABELS}"
        raise DataError(f"{lines_of} cannot be used: {', '.join(faults[:NAMED_LINES])}{more}")
    splits = dict.fromkeys(one.split for one in read)
    data = InMemory({split: _images([one for one in read if one.split == split]) for split in splits})
    _refuse_torn_patients("split", [(one, one.split) for one in read])
    _refuse_torn_patients("group", [(one, one.group) for one in read])
    return data


def group_of(header: InstanceHeader) -> str:
    """Return an opaque name for the patient, the same for all images with this Patient ID of this issuer."""
    return _opaque(header.issuer_of_patient_id, header.patient_id)


def split_of(group: str) -> str:
    """Return the split that a group falls into, always the same one."""
    digest = hashlib.sha256(f"pacs-node split\0{group}".encode()).hexdigest()
    return SPLITS[int(digest[:8], 16) % len(SPLITS)]


def _opaque(issuer: str, patient: str) -> str:
    return hashlib.sha256(f"pacs-node group\0{issuer}\0{patient}".encode()).hexdigest()[:24]


def _refuse_torn_patients(kind: str, placed: list[tuple[LabelledInstance, str]]) -> None:
    """Refuse patients that a given group or split tears apart: neither is believed against the Patient ID."""
    from models.data.labelled import refuse_images  # noqa: PLC0415 - as above
    from models.data.torn_groups import torn_groups  # noqa: PLC0415 - as above

    torn = torn_groups((patient, place) for one, place in placed for patient in one.patients)
    fault = (
        f"belong to patients (Patient ID or column patient) that stand in more than one {kind}; give each one {kind}"
    )
    refuse_images(fault, [one.name for one, _ in placed if not torn.keys().isdisjoint(one.patients)])


class _Folder:
    """The DICOM files of a folder, by path and by SOP Instance UID."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def find(self, line: Mapping[str, str]) -> Path:
        """Return the file of a line."""
        if name := line.get("file"):
            return self._folder / name
        if not (uid := line.get("sop_instance_uid")):
            raise _Unusable("it names neither a file nor a SOP Instance UID")
        if uid not in self._by_uid:
            raise _Unusable("no file of the folder has this SOP Instance UID")
        return self._by_uid[uid]

    @cached_property
    def _by_uid(self) -> dict[str, Path]:
        found = {}
        for path in sorted(path for path in self._folder.rglob("*") if path.is_file() and path.name != LABELS):
            try:
                found[read_part10(path).sop_instance_uid] = path
            except (NotPart10, OSError):
                continue  # what is no DICOM file has no UID, and a line that means it finds nothing
        return found


def _lines(folder: Path) -> list[tuple[int, dict[str, str]]]:
    from models.data.column_names import refuse_odd_columns  # noqa: PLC0415 - as above
    from models.data.labelled import DataError  # noqa: PLC0415 - as above

    path = folder / LABELS
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            table = csv.DictReader(file)
            columns, lines = tuple(table.fieldnames or ()), list(enumerate(table, start=2))
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path} is no CSV in UTF-8: {error}") from error
    refuse_odd_columns(path, columns, KNOWN_COLUMNS)
    if "label" not in columns or {"file", "sop_instance_uid"}.isdisjoint(columns):
        raise DataError(f"{path} needs the column label, and file or sop_instance_uid")
    if not lines:
        raise DataError(f"{path} lists no image")
    return lines


def _instance(folder: _Folder, number: int, line: Mapping[str, str]) -> LabelledInstance:
    if None in line or None in line.values():
        raise _Unusable("it has more or fewer values than the header has columns")
    label = line["label"]
    if not (label.isascii() and label.isdigit() and len(label) <= 4):
        raise _Unusable("its label is no number of a class from 0")
    path = folder.find(line)
    header, pixels = _contents(path)
    patients = _patients(line, header)
    if not (group := line.get("group") or next(iter(patients), "")):
        raise _Unusable("its file has no Patient ID: give it a group")
    split = line.get("split") or split_of(group)
    return LabelledInstance(number, int(label), group, split, patients, _attributes(line, header), pixels)


def _patients(line: Mapping[str, str], header: InstanceHeader) -> tuple[str, ...]:
    """Return opaque names of a line's patient; what the operator says comes first."""
    said = (_opaque("", line["patient"]),) if line.get("patient") else ()
    return (*said, group_of(header)) if header.patient_id else said


def _attributes(line: Mapping[str, str], header: InstanceHeader) -> dict[str, str]:
    """Return what a line is told apart by; a column counts for more than the header's value of that name."""
    stored = {name: getattr(header, name) for name in ("modality", "manufacturer", "view_position")}
    others = {name: value for name, value in line.items() if name.strip() and name not in KNOWN_COLUMNS}
    return {"subtype": line.get("subtype", ""), **stored, **others}


def _contents(path: Path) -> tuple[InstanceHeader, PixelValues]:
    """Return header and pixels of a file with a single frame."""
    try:
        part10 = read_part10(path)
        header = inspect(part10.dataset, part10.transfer_syntax_uid)
        pixels = read_pixels(path, max_frames=1)
    except OSError as error:
        raise _Unusable(f"its file cannot be read: {error.strerror}") from error
    except (NotPart10, NotParsable) as error:
        raise _Unusable("its file is no DICOM file") from error
    except TooManyFrames as error:
        raise _Unusable(f"it has {error.frames} frames where one is needed") from error
    except PixelsUnreadable as error:
        raise _Unusable(f"its pixels cannot be decoded: {error}") from error
    return header, pixels


def _images(instances: list[LabelledInstance]) -> "LabelledImages":
    import numpy as np  # noqa: PLC0415 - as above

    from models.data.labelled import LabelledImages, shrunk  # noqa: PLC0415 - as above

    return LabelledImages(
        pixels=tuple(shrunk(one.pixels.values[0]) for one in instances),
        labels=np.array([one.label for one in instances], np.int64),
        groups=tuple(one.group for one in instances),
        names=tuple(one.name for one in instances),
        subtypes=tuple(one.attributes["subtype"] for one in instances),
        windows=tuple(one.pixels.window for one in instances),
        inverted=tuple(one.pixels.inverted for one in instances),
        attributes={name: tuple(one.attributes[name] for one in instances) for name in instances[0].attributes},
    )
