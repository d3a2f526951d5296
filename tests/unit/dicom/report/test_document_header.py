"""The header of a report: whose it is, who made it, what it refers to, and in which letters."""

from dataclasses import replace
from datetime import timedelta, timezone
from pathlib import Path

import pytest
from highdicom.sr import srread
from pydicom import Dataset, dcmread
from pydicom.uid import ExplicitVRLittleEndian

from node.dicom.instance.part10 import IMPLEMENTATION_CLASS_UID, preamble_and_meta, read_part10
from node.domain.errors import Permanent
from node.domain.finding import Code
from tests.support.objects.studies import (
    MODEL,
    NAMES,
    study_of,
)
from tests.unit.dicom.report.parsed import items, parsed, rewrite, texts, values


def test_the_header_is_that_of_a_complete_unverified_report_of_the_study(tmp_path: Path) -> None:
    """Its own series, its times from the time that was handed in."""
    study = study_of(tmp_path, "positive")
    report = parsed(study)
    assert (report.SOPInstanceUID, report.SeriesInstanceUID) == (
        study.identity.sop_instance_uid,
        study.identity.series_instance_uid,
    )
    assert (report.Modality, report.CompletionFlag, report.VerificationFlag) == ("SR", "COMPLETE", "UNVERIFIED")
    assert (report.ContentDate, report.ContentTime, report.TimezoneOffsetFromUTC) == ("20261121", "083000", "+0000")
    assert (report.PatientID, report.AccessionNumber, report.StudyDescription) == ("P-1", "A-1", "Chest radiograph")
    assert report.ContentTemplateSequence[0].TemplateIdentifier == "1500"
    assert values(report, "121058") == ["363679005"]
    assert values(report, "121049") == ["en"]
    assert "PredecessorDocumentsSequence" not in report


def test_evidence_and_image_library_name_every_image(tmp_path: Path) -> None:
    """With modality, rows and columns: of images that are alike, once for all."""
    study = study_of(tmp_path, "two images")
    report = parsed(study)
    uids = [reading.sop_instance_uid for reading in study.content.readings]
    (of_study,) = report.CurrentRequestedProcedureEvidenceSequence
    (series,) = of_study.ReferencedSeriesSequence
    assert of_study.StudyInstanceUID == study.content.study_instance_uid
    assert [item.ReferencedSOPInstanceUID for item in series.ReferencedSOPSequence] == uids
    (library,) = items(report, "111028")
    entries = list(items(library, value_type="IMAGE"))
    assert [entry.ReferencedSOPSequence[0].ReferencedSOPInstanceUID for entry in entries] == uids
    described = [str(number.MeasuredValueSequence[0].NumericValue) for number in items(library, value_type="NUM")]
    assert described == ["40", "30"]
    assert values(library, "121139") == ["DX"]


def test_a_later_report_names_its_predecessor(tmp_path: Path) -> None:
    """By study, series and instance."""
    study = study_of(tmp_path, "predecessor")
    (of_study,) = parsed(study).PredecessorDocumentsSequence
    (series,) = of_study.ReferencedSeriesSequence
    assert series.ReferencedSOPSequence[0].ReferencedSOPInstanceUID == study.content.predecessors[0].sop_instance_uid


def test_no_report_names_itself_as_its_predecessor(tmp_path: Path) -> None:
    """The same inputs read again have the same identity."""
    study = study_of(tmp_path, "positive")
    assert "PredecessorDocumentsSequence" not in parsed(study.saying(predecessors=(study.identity,)))


def test_times_stand_in_the_zone_of_the_source(tmp_path: Path) -> None:
    """One offset holds for every time of a dataset, the study's own included."""
    study = study_of(tmp_path, "positive")
    rewrite(study.sources[0], TimezoneOffsetFromUTC="+0800")
    report = parsed(study)
    assert (report.ContentTime, report.TimezoneOffsetFromUTC) == ("163000", "+0800")
    elsewhere = study.content.created_at.astimezone(timezone(-timedelta(hours=3, minutes=30)))
    rewrite(study.sources[0], TimezoneOffsetFromUTC="nonsense")
    report = parsed(study.saying(created_at=elsewhere))
    assert (report.ContentTime, report.TimezoneOffsetFromUTC) == ("050000", "-0330")


def test_times_keep_the_zone_they_were_handed_in_where_the_source_names_none(tmp_path: Path) -> None:
    """The source's times are local, and an offset of its own choice would move them."""
    study = study_of(tmp_path, "positive")
    local = study.content.created_at.astimezone(timezone(timedelta(hours=8)))
    report = parsed(study.saying(created_at=local))
    assert (report.StudyTime, report.ContentTime, report.TimezoneOffsetFromUTC) == ("093000", "163000", "+0800")
    (equipment,) = report.ContributingEquipmentSequence
    assert equipment.ContributionDateTime == "20261121163000+0800"


def test_the_equipment_of_the_report_is_the_node(tmp_path: Path) -> None:
    """With a serial number that is no name; a model without weights of its own has none at all."""
    study = study_of(tmp_path, "positive", model=replace(MODEL, weights_digest=""))
    report = parsed(study)
    (equipment,) = report.ContributingEquipmentSequence
    assert report.DeviceSerialNumber == IMPLEMENTATION_CLASS_UID
    assert "DeviceSerialNumber" not in equipment
    assert texts(report, "121016") == []


@pytest.mark.filterwarnings("ignore")
def test_a_source_with_nothing_but_its_uids_gets_a_report(tmp_path: Path) -> None:
    """No name, no body part, no orientation, no laterality, no dates."""
    study = study_of(tmp_path, "positive")
    kept = {"SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID", "Rows", "Columns"}
    dataset = dcmread(study.sources[0])
    for element in list(dataset):
        if element.keyword not in kept:
            del dataset[element.tag]
    dataset.save_as(study.sources[0])
    report = parsed(study)
    assert (str(report.PatientName), report.PatientID, report.StudyDate) == ("", "", "")
    assert values(report, "121139") == []


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("keyword", "value", "expected"),
    [
        ("PatientBirthDate", "1970-01-01", ""),
        ("PatientBirthDate", "20261399", ""),
        ("PatientSex", "X", ""),
        ("StudyDate", "yesterday", ""),
        ("StudyTime", "99", ""),
        ("AccessionNumber", "12345678901234567", ""),
        ("StudyDescription", "x" * 70, "x" * 64),
        ("StudyID", "y" * 20, "y" * 16),
        ("PatientName", "z" * 70, "z" * 64),
        ("PatientName", "a^b^c^d^e^f=g", "a^b^c^d^e=g"),
    ],
)
def test_an_invalid_value_of_a_source_makes_no_invalid_report(
    tmp_path: Path, keyword: str, value: str, expected: str
) -> None:
    """It is left out or cut; another patient or another order is never made of it."""
    study = study_of(tmp_path, "positive")
    rewrite(study.sources[0], **{keyword: value})
    assert str(parsed(study)[keyword].value) == expected


@pytest.mark.filterwarnings("ignore")
def test_a_patient_id_that_no_report_can_hold_is_not_cut(tmp_path: Path) -> None:
    """A cut one would be another patient's."""
    study = study_of(tmp_path, "positive")
    rewrite(study.sources[0], PatientID="7" * 65)
    with pytest.raises(Permanent, match="Patient ID") as refusal:
        study.report()
    assert "777" not in str(refusal.value)


@pytest.mark.parametrize(
    ("declared", "raw", "name", "written"),
    [
        ("NO_SUCH_SET", "Doe^Jane", "Doe^Jane", ""),
        ("", "Müller", "Müller", "ISO_IR 192"),
        ("ISO_IR 100", "Müller", "Müller", "ISO_IR 100"),
        ("ISO_IR 144", "Люк", "Люк", "ISO_IR 144"),
        ("\\ISO 2022 IR 87", "Yamada=\x1b$B;3ED\x1b(B", "Yamada=山田", "ISO_IR 192"),
    ],
)
@pytest.mark.filterwarnings("ignore")
def test_the_character_set_is_the_sources_where_all_text_fits(
    tmp_path: Path, declared: str, raw: str, name: str, written: str
) -> None:
    """UTF-8 where it does not, or where the source's is unknown or uses code extensions."""
    study = study_of(tmp_path, "positive", patient_name="NAME", character_set="")
    part10 = read_part10(study.sources[0])
    encoded = raw.encode({"ISO_IR 144": "iso8859_5", "": "utf_8"}.get(declared, "latin_1"))
    encoded += b" " * (len(encoded) % 2)
    name_element = b"\x10\0\x10\0PN" + len(encoded).to_bytes(2, "little") + encoded
    padded = declared.encode() + b" " * (len(declared) % 2)
    declaration = b"\x08\0\x05\0CS" + len(padded).to_bytes(2, "little") + padded
    dataset = declaration * bool(declared) + part10.dataset.replace(b"\x10\0\x10\0PN\x04\0NAME", name_element)
    meta = preamble_and_meta(part10.sop_class_uid, part10.sop_instance_uid, part10.transfer_syntax_uid)
    study.sources[0].write_bytes(meta + dataset)
    report = parsed(study)
    assert (str(report.PatientName), report.get("SpecificCharacterSet", "")) == (name, written)


def test_procedure_codes_and_issuer_are_copied(tmp_path: Path) -> None:
    """A whole code is, a broken one is not."""
    study = study_of(tmp_path, "positive", "GB18030")
    whole, broken = Dataset(), Dataset()
    whole.CodeValue, whole.CodingSchemeDesignator, whole.CodeMeaning = "XR1", "L", "胸部"
    broken.CodeValue = "XR2"
    rewrite(study.sources[0], ProcedureCodeSequence=[whole, broken], IssuerOfPatientID="医院")
    report = parsed(study)
    assert [(item.CodeValue, item.CodeMeaning) for item in report.ProcedureCodeSequence] == [("XR1", "胸部")]
    assert report.IssuerOfPatientID == "医院"


def test_private_codes_are_declared(tmp_path: Path) -> None:
    """A scheme that the Standard does not name is named by the report."""
    private = Code("A1", "99NODE", "Something new")
    study = study_of(tmp_path, "positive")
    reading = study.content.readings[0]
    finding = replace(reading.findings[0], finding=private)
    report = parsed(study.saying(readings=(replace(reading, findings=(finding,)),)))
    assert [item.CodingSchemeDesignator for item in report.CodingSchemeIdentificationSequence] == ["99NODE"]


def test_a_report_can_be_read_in_another_transfer_syntax(tmp_path: Path) -> None:
    """What is encoded implicitly can be written explicitly."""
    study = study_of(tmp_path, "positive", "ISO_IR 192")
    report = dcmread(study.report_file(tmp_path))
    report.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    report.save_as(tmp_path / "explicit.dcm", implicit_vr=False)
    assert str(srread(tmp_path / "explicit.dcm").PatientName) == NAMES["ISO_IR 192"]
