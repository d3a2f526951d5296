"""Objects in which persons mark images, read as they stand; whatever is wrong with them is said and nothing else."""

import random
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from pydicom import Dataset

from node.dicom.documents.label_object import read_label_object
from node.domain.errors import Permanent
from node.domain.label import SourceKind
from node.domain.label_document import LabelDocument
from tests.support.objects.labels import (
    IMAGE,
    PRESENT,
    assessment,
    at,
    coded,
    of_device,
    ohif,
    standard,
    verified,
    weasis,
)
from tests.support.objects.notes import file_of

SECOND = "1.2.3.1.2"


def _read(folder: Path, dataset: Dataset) -> LabelDocument:
    path = folder / "object.dcm"
    path.write_bytes(file_of(dataset))
    return read_label_object(path)


def test_a_key_object_of_weasis_tells_its_text_and_the_images_of_its_evidence(tmp_path: Path) -> None:
    """They stand nowhere else, and nobody is named."""
    said = _read(tmp_path, weasis("右下肺肺炎", [IMAGE, SECOND]))
    assert (said.kind, said.texts, said.persons) == (SourceKind.KEY_OBJECT, ("右下肺肺炎",), ())
    assert [(one.study_instance_uid, one.series_instance_uid, one.sop_instance_uid) for one in said.images] == [
        ("1.2.3", "1.2.3.1", IMAGE),
        ("1.2.3", "1.2.3.1", SECOND),
    ]
    assert said.made_at == datetime(2026, 1, 2, 12)  # noqa: DTZ001 - it names no zone


@pytest.mark.filterwarnings("ignore:The value length")
def test_an_annotation_of_ohif_tells_the_typed_text_and_the_image_below_its_region(tmp_path: Path) -> None:
    """Its user is unknown^unknown, who is nobody."""
    said = _read(tmp_path, ohif("no pneumonia"))
    (finding,) = said.findings
    assert [code.meaning for code in finding.codes] == ["no pneumonia"]
    assert [one.sop_instance_uid for one in finding.images] == [IMAGE]
    assert (finding.tracking_uid, said.says_person, said.persons) == ("2.25.99", True, ())


def test_a_report_tells_who_speaks_and_whether_it_is_verified(tmp_path: Path) -> None:
    """Whoever verified it comes first, with the time of that; a device is told from a person."""
    said = _read(tmp_path, verified(coded(PRESENT, reader="House^Gregory"), "Grey^Meredith", "20260102121500+0100"))
    assert (said.persons, said.verified, said.says_device) == (("Grey^Meredith", "House^Gregory"), True, False)
    assert said.made_at == datetime(2026, 1, 2, 11, 15, tzinfo=UTC)
    device = _read(tmp_path, of_device())
    assert (device.says_person, device.says_device, device.device_uids) == (False, True, ("1.2.88",))


def test_the_zone_of_an_object_counts_where_it_has_one(tmp_path: Path) -> None:
    """One offset stands for every time of a dataset."""
    east = timezone(timedelta(hours=5, minutes=30))
    assert _read(tmp_path, at(standard("113000"), datetime(2026, 1, 2, 12, tzinfo=east))).made_at == datetime(
        2026, 1, 2, 6, 30, tzinfo=UTC
    )


def test_what_a_person_says_of_a_report_stands_among_the_coded_values(tmp_path: Path) -> None:
    """With the report among what is named."""
    said = _read(tmp_path, assessment(PRESENT, "1.2.55"))
    assert PRESENT.CodeValue in {code.value for code in said.verdicts}
    assert [image.sop_instance_uid for image in said.images] == ["1.2.55"]


@pytest.mark.filterwarnings("ignore")
def test_whatever_bytes_are_wrong_the_object_is_read_or_refused_with_a_reason(tmp_path: Path) -> None:
    """Bytes changed, lost, added and copied: nothing but `Permanent` comes out, and no text of the object in it."""
    chance, path, reasons = random.Random(3), tmp_path / "object.dcm", list[str]()
    whole = [file_of(one) for one in (weasis("Doe^Jane"), ohif("Doe^Jane"), verified(of_device(), "Doe^Jane"))]
    for _ in range(300):
        spoilt = bytearray(chance.choice(whole))
        for _ in range(chance.randint(1, 5)):
            place, other = chance.randrange(140, len(spoilt)), chance.randrange(140, len(spoilt))
            spoilt[place : place + chance.randint(0, 8)] = spoilt[other : other + chance.randint(0, 8)]
        path.write_bytes(spoilt)
        try:
            read_label_object(path)
        except Permanent as reason:
            reasons.append(str(reason))
    assert 0 < len(reasons) < 300
    assert not any("Jane" in reason for reason in reasons)
