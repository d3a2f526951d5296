"""Sources that break the Standard: their report is valid all the same, or the study is buried with the reason."""

import io
from collections.abc import Callable

import pytest
from pydicom import Dataset, dcmread
from pydicom.dataelem import RawDataElement
from pydicom.tag import Tag

from node.dicom.check.content_tree import check_tree
from node.dicom.check.encoded_object import check_object
from node.dicom.samples.wrap import as_file, wrap_as_dx
from node.network.incoming import IncomingInstance
from node.store.listing import views
from tests.support.houses.house import PIXELS, SUBJECT, House, incoming
from tests.support.houses.line import Line, positive, refused

pytestmark = [
    pytest.mark.database("any"),
    pytest.mark.filterwarnings("ignore"),  # pydicom's, while such sources are made
]

_Change = Callable[[Dataset], None]


def _source(change: _Change) -> IncomingInstance:
    dataset = dcmread(io.BytesIO(wrap_as_dx(PIXELS, SUBJECT)))
    change(dataset)
    return incoming(as_file(Dataset(dataset)))


def _raw(**values: bytes) -> _Change:
    """Return what puts bytes in the place of values, as no library would write them."""

    def change(dataset: Dataset) -> None:
        for keyword, value in values.items():
            vr = dataset[keyword].VR if keyword in dataset else {"SpecificCharacterSet": "CS"}[keyword]
            dataset[Tag(keyword)] = RawDataElement(Tag(keyword), vr, len(value), value, 0, False, True)

    return change


def _without(*keywords: str) -> _Change:
    def change(dataset: Dataset) -> None:
        for keyword in keywords:
            dataset.pop(keyword, None)

    return change


_NAME = "王^小东".encode("gb18030")
_NOT_ALL = b"\xff\xfe\x80^\xc3\x28\x00 "

SOURCES: dict[str, _Change] = {
    "a character set that is none": _raw(SpecificCharacterSet=b"ISO_IR 999", PatientName=_NAME + b" "),
    "a character set in small letters": _raw(SpecificCharacterSet=b"utf-8 ", PatientName="Müller^J ".encode()),
    "eight character sets": _raw(SpecificCharacterSet=b"\\".join([b"ISO 2022 IR 87"] * 8), PatientName=_NAME + b" "),
    "escape sequences of no character set": _raw(SpecificCharacterSet=b"ISO 2022 IR 6 ", PatientName=b"\x1b$)Z\xff "),
    "no character set, and a name in one": _raw(PatientName=_NAME + b" "),
    "a name that is not of its character set": _raw(SpecificCharacterSet=b"ISO_IR 192", PatientName=_NOT_ALL),
    "a name of control characters": _raw(PatientName=b"\x01\x02^\x07\x1b[31m"),
    "a name of a thousand characters": _raw(PatientName=b"N" * 1000),
    "a name of nine groups": _raw(PatientName=b"A=B=C=D=E=F=G=H=I "),
    "no body part": _without("BodyPartExamined", "ImageLaterality", "Laterality", "ViewPosition", "PatientOrientation"),
    "no name, no dates, no sex": _without("PatientName", "StudyDate", "StudyTime", "PatientSex", "PatientBirthDate"),
    "dates and times that are none": _raw(StudyDate=b"20261341", StudyTime=b"99:99 "),
    "an accession number of 40 characters": _raw(AccessionNumber=b"A" * 40),
    "0 x 0 pixels": lambda dataset: dataset.update({"Rows": 0, "Columns": 0}),
    "0 x 0 pixels, and none": lambda dataset: dataset.update({"Rows": 0, "Columns": 0, "PixelData": b""}),
    "empty Pixel Data": lambda dataset: dataset.update({"PixelData": b""}),
    "no Pixel Data": _without("PixelData"),
}  # fmt: skip


@pytest.mark.parametrize("name", SOURCES)
def test_a_report_on_such_a_source_is_valid(house: House, name: str) -> None:
    """By the node's own last look; the validators look at such reports too. Nothing can be read of no pixels."""
    line = Line(house, says=refused if "ixel" in name else positive)
    assert house.receive(_source(SOURCES[name])) == 0
    assert line.report() == 1
    encoded = _renditions(line)[0]
    check_tree(check_object(encoded))
    assert [delivery["state"] for delivery in line.deliveries()] == ["waiting"]


BURIED: dict[str, tuple[_Change, str]] = {
    "a Patient ID of 70 characters": (_raw(PatientID=b"P" * 70), "Patient ID"),
    "a Patient ID of two values": (_raw(PatientID=b"P-1\\P-2 "), "Patient ID"),
}


@pytest.mark.parametrize("name", BURIED)
def test_a_study_of_which_no_valid_report_can_be_made_is_buried_with_the_reason(house: House, name: str) -> None:
    """Nothing is sent, and the reason holds nothing of the patient's."""
    change, reason = BURIED[name]
    line = Line(house)
    assert house.receive(_source(change)) == 0
    assert line.report() == 0
    (job,) = house.database.read(lambda tx: [job for job in views.jobs(tx) if job["kind"] == "compose"])
    assert job["state"] == "buried"
    assert reason in job["last_error"]
    assert "P-1" not in job["last_error"]
    assert "PPP" not in job["last_error"]
    assert _renditions(line) == line.deliveries() == []


def test_a_report_that_turns_out_invalid_is_buried(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever made it so: it never enters the outbox."""
    monkeypatch.setattr("node.dicom.report.tree.separate", lambda _: None)
    line = Line(house, says=lambda uid: positive(uid, 0.77))
    house.receive(_source(lambda _: None))
    assert line.report() == 0
    (job,) = house.database.read(lambda tx: [job for job in views.jobs(tx) if job["kind"] == "compose"])
    assert (job["state"], "would not be whole" in job["last_error"]) == ("buried", True)
    assert _renditions(line) == line.deliveries() == []


def _renditions(line: Line) -> list[bytes]:
    return line.house.database.read(line._renditions)
