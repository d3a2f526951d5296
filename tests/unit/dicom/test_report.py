"""Reports: every item of the content tree, whoever's images they were made from."""

import io
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from highdicom.sr import srread
from pydicom import Dataset, dcmread
from pydicom.filereader import read_dataset
from pydicom.uid import ExplicitVRLittleEndian

from node.dicom.header import inspect
from node.dicom.part10 import IMPLEMENTATION_CLASS_UID, preamble_and_meta, read_part10
from node.dicom.report import build_report
from node.dicom.report_choice import MOST_DETAILED
from node.domain.errors import Permanent
from node.domain.finding import Anomaly, Code, Finding, Outcome
from node.domain.identifiers import SOPInstanceUID, derived_uid
from tests.unit.dicom.studies import (
    CASES,
    IMPLICIT_VR_LITTLE_ENDIAN,
    LUNG,
    MODEL,
    NAMES,
    OUTSIDE_LIMITS,
    PNEUMONIA,
    Study,
    read_as,
    slices,
    study_of,
)

_FIRST_LINES = [
    "RESEARCH RESULT by starter 1.0.0.",
    "Not a cleared medical device.",
    "Not for diagnosis or treatment. Unverified.",
]
_FIRST_LINE = " ".join(_FIRST_LINES)


def _parsed(study: Study) -> Dataset:
    dataset = read_dataset(io.BytesIO(study.report()), is_implicit_VR=True, is_little_endian=True)
    dataset.walk(lambda *_: None)  # decode all of it while the character set of the top level is at hand
    return dataset


def _items(item: Dataset, name: str = "", value_type: str = "") -> Iterator[Dataset]:
    for child in item.get("ContentSequence", ()):
        if name in {"", _name(child)} and value_type in {"", child.ValueType}:
            yield child
        yield from _items(child, name, value_type)


def _name(item: Dataset) -> str:
    return str(item.ConceptNameCodeSequence[0].CodeValue)


def _value(item: Dataset) -> str:
    return str(item.ConceptCodeSequence[0].CodeValue)


def _values(item: Dataset, name: str) -> list[str]:
    return [_value(found) for found in _items(item, name, "CODE")]


def _texts(item: Dataset, name: str) -> list[str]:
    return [str(found.TextValue) for found in _items(item, name, "TEXT")]


def _groups(report: Dataset) -> list[Dataset]:
    return list(_items(report, "125007"))


@pytest.mark.parametrize("character_set", NAMES)
@pytest.mark.parametrize("case", CASES)
def test_highdicom_reads_every_report_back(tmp_path: Path, case: str, character_set: str) -> None:
    """And the name of the patient is the one that the images carry."""
    study = study_of(tmp_path, case, character_set)
    report = srread(study.report_file(tmp_path))
    assert str(report.PatientName) == NAMES[character_set]
    assert report.get("SpecificCharacterSet", "") == character_set
    assert len(report.content.get_image_measurement_groups()) == len(_groups(report))


@pytest.mark.parametrize("case", CASES)
def test_the_same_arguments_give_the_same_bytes(tmp_path: Path, case: str) -> None:
    """Nothing is drawn at random or read from a clock, so sending twice is harmless."""
    study = study_of(tmp_path, case)
    assert study.report() == study.report()


@pytest.mark.parametrize("case", CASES)
def test_every_container_is_separate(tmp_path: Path, case: str) -> None:
    """CONTINUOUS hides concept names in viewers."""
    report = _parsed(study_of(tmp_path, case))
    containers = [report, *_items(report, value_type="CONTAINER")]
    assert {container.ContinuityOfContent for container in containers} == {"SEPARATE"}


@pytest.mark.parametrize(("case", "present", "certainty"), [("positive", "52101004", 87.3), ("negative", "2667000", 4)])
def test_certainty_is_always_the_probability_of_presence(
    tmp_path: Path, case: str, present: str, certainty: float
) -> None:
    """Also where the finding is absent."""
    report = _parsed(study_of(tmp_path, case))
    (number,) = _items(report, "111012", "NUM")
    measured = number.MeasuredValueSequence[0]
    assert (float(measured.NumericValue), measured.MeasurementUnitsCodeSequence[0].CodeValue) == (certainty, "%")
    assert _values(report, PNEUMONIA.value) == [present]
    assert _values(report, "121071") == [PNEUMONIA.value, "C9440"]
    assert _values(report, "363698007") == [LUNG.value]
    assert _values(report, "111065") == ["111222"]


def test_the_anomaly_score_is_a_z_score(tmp_path: Path) -> None:
    """Without a unit, with its percentile in the comment."""
    report = _parsed(study_of(tmp_path, "negative"))
    (number,) = _items(report, "113071", "NUM")
    measured = number.MeasuredValueSequence[0]
    assert (float(measured.NumericValue), measured.MeasurementUnitsCodeSequence[0].CodeValue) == (2.31, "1")
    assert _texts(report, "121106")[-2:] == [
        "Abnormality: z-score 2.31, above 98.7 of 100 normals",
        "Normals: held out in training, or a site's; some may be altered.",
    ]


def test_a_not_assessed_report_says_why_and_carries_no_score(tmp_path: Path) -> None:
    """Coded, and as a sentence; no probability, no finding."""
    report = _parsed(study_of(tmp_path, "not assessed"))
    assert _values(report, "111065") == ["111225", "111225"]
    assert _values(report, "121077") == ["128619", "128619"]
    assert not list(_items(report, "111012")) + list(_items(report, "113071")) + list(_items(report, "121071"))
    assert {_name(number) for number in _items(report, value_type="NUM")} == {"110910", "110911", "not-assessed"}
    (groups,) = _items(report, "126010")
    assert _texts(groups, "121106") == [
        *_FIRST_LINES,
        "Not assessed: unlike the images that the model was trained on.",
        "The study is not assessed (images assessed: 0 of 1).",
        "Admission score 9.00, limit 3.00.",
    ]


def test_a_reading_that_failed_is_failed_and_says_why(tmp_path: Path) -> None:
    """It was attempted, and nothing says that the image is outside of anything."""
    report = _parsed(study_of(tmp_path, "failed"))
    assert _values(report, "111065") == ["111224", "111224"]
    assert _values(report, "121077") == ["110521", "110521"]
    assert not list(_items(report, "111012")) + list(_items(report, "113071")) + list(_items(report, "121071"))
    (groups,) = _items(report, "126010")
    assert _texts(groups, "121106") == [
        *_FIRST_LINES,
        "Not assessed: its pixels cannot be decoded.",
        "The study is not assessed (images assessed: 0 of 1).",
    ]


@pytest.mark.parametrize(
    ("said", "summary"),
    [
        ([0.1, None], "111223"),
        ([OUTSIDE_LIMITS, None], "111224"),
        ([OUTSIDE_LIMITS, OUTSIDE_LIMITS], "111225"),
        ([0.1, 0.1], "111222"),
    ],
)
def test_the_status_of_a_study_follows_from_that_of_its_images(
    tmp_path: Path, said: list[float | Code | None], summary: str
) -> None:
    """Partly succeeded, failed where one failed and none succeeded, not attempted where all were refused."""
    study = study_of(tmp_path, "two images")
    readings = tuple(
        replace(read_as(of_image), sop_instance_uid=reading.sop_instance_uid)
        for of_image, reading in zip(said, study.content.readings, strict=True)
    )
    outcome = Outcome.NEGATIVE if 0.1 in said else Outcome.NOT_ASSESSED
    assert _values(_parsed(study.saying(readings=readings, outcome=outcome)), "111065")[0] == summary


def test_a_study_read_in_part_says_so(tmp_path: Path) -> None:
    """One image assessed, one not."""
    report = _parsed(study_of(tmp_path, "one of two images"))
    assert _values(report, "111065") == ["111223", "111225"]
    assert _texts(report, "121106")[1] == "No finding is flagged (images assessed: 1 of 2)."


@pytest.mark.parametrize("case", CASES)
def test_the_first_comment_of_every_image_says_what_this_is(tmp_path: Path, case: str) -> None:
    """And so does the comment for the whole report, in one line, where it stands beside no image."""
    report = _parsed(study_of(tmp_path, case))
    images = len(CASES[case][1])
    lines = _texts(report, "121106")
    (of_report,) = _items(report, "C0034375")
    assert lines[0] == _texts(of_report, "121106")[0] == _FIRST_LINE
    assert _texts(_groups(report)[0], "121106")[:3] == _FIRST_LINES
    assert [lines.count(line) for line in _FIRST_LINES] == [images] * 3
    assert not any("\n" in line for line in lines)


def test_the_line_of_a_finding_is_calm_and_never_contradicts_itself(tmp_path: Path) -> None:
    """Flagged or not, score and threshold; more digits where two would show the wrong side."""
    lines = _texts(_parsed(study_of(tmp_path, "positive")), "121106")
    assert "Pneumonia: flagged, score 0.87 (threshold 0.50)" in lines
    study = study_of(tmp_path, "negative")
    near = replace(study.content.readings[0].findings[0], probability=0.4996)
    near_reading = replace(study.content.readings[0], findings=(near,))
    lines = _texts(_parsed(study.saying(readings=(near_reading,))), "121106")
    assert "Pneumonia: not flagged, score 0.4996 (threshold 0.5000)" in lines


def test_the_model_is_named_alike_wherever_it_is_named(tmp_path: Path) -> None:
    """Contributing Equipment, TID 4019 and TID 1004 give equal values, and the receiver finds the Device UID."""
    study = study_of(tmp_path, "positive")
    report = _parsed(study)
    (equipment,) = report.ContributingEquipmentSequence
    assert equipment.PurposeOfReferenceCodeSequence[0].CodeValue == "109102"
    assert {equipment.ManufacturerModelName, *_texts(report, "111001"), *_texts(report, "121015")} == {"starter"}
    assert {equipment.SoftwareVersions, *_texts(report, "111003")} == {"1.0.0"}
    assert {equipment.Manufacturer, *_texts(report, "121014")} == {"pacs-node"}
    assert {equipment.DeviceUID, *(item.UID for item in _items(report, "121012"))} == {MODEL.device_uid}
    assert {equipment.DeviceSerialNumber, *_texts(report, "121016")} == {MODEL.weights_digest[:16]}
    assert inspect(study.report(), IMPLICIT_VR_LITTLE_ENDIAN).device_uids == (MODEL.device_uid,)
    assert "threshold 0.5" in _texts(report, "111002")
    assert f"weights SHA-256 {MODEL.weights_digest}" in _texts(report, "111002")
    assert set(_values(report, "111000")) == {"123110"}


def test_tracking_uids_persist_over_versions_and_differ_between_images(tmp_path: Path) -> None:
    """They follow study, image, class and model name alone."""

    def tracked(study: Study) -> list[str]:
        return [str(item.UID) for item in _items(_parsed(study), "112040")]

    before = study_of(tmp_path, "two images")
    after = before.saying(model=replace(MODEL, version="2.0.0", device_uid=derived_uid("device", "2")))
    assert tracked(before) == tracked(after)
    assert len(set(tracked(before))) == 4


def test_the_header_is_that_of_a_complete_unverified_report_of_the_study(tmp_path: Path) -> None:
    """Its own series, its times from the time that was handed in."""
    study = study_of(tmp_path, "positive")
    report = _parsed(study)
    assert (report.SOPInstanceUID, report.SeriesInstanceUID) == (
        study.identity.sop_instance_uid,
        study.identity.series_instance_uid,
    )
    assert (report.Modality, report.CompletionFlag, report.VerificationFlag) == ("SR", "COMPLETE", "UNVERIFIED")
    assert (report.ContentDate, report.ContentTime, report.TimezoneOffsetFromUTC) == ("20261121", "083000", "+0000")
    assert (report.PatientID, report.AccessionNumber, report.StudyDescription) == ("P-1", "A-1", "Chest radiograph")
    assert report.ContentTemplateSequence[0].TemplateIdentifier == "1500"
    assert _values(report, "121058") == ["363679005"]
    assert _values(report, "121049") == ["en"]
    assert "PredecessorDocumentsSequence" not in report


def test_evidence_and_image_library_name_every_image(tmp_path: Path) -> None:
    """With modality, rows and columns: of images that are alike, once for all."""
    study = study_of(tmp_path, "two images")
    report = _parsed(study)
    uids = [reading.sop_instance_uid for reading in study.content.readings]
    (of_study,) = report.CurrentRequestedProcedureEvidenceSequence
    (series,) = of_study.ReferencedSeriesSequence
    assert of_study.StudyInstanceUID == study.content.study_instance_uid
    assert [item.ReferencedSOPInstanceUID for item in series.ReferencedSOPSequence] == uids
    (library,) = _items(report, "111028")
    entries = list(_items(library, value_type="IMAGE"))
    assert [entry.ReferencedSOPSequence[0].ReferencedSOPInstanceUID for entry in entries] == uids
    described = [str(number.MeasuredValueSequence[0].NumericValue) for number in _items(library, value_type="NUM")]
    assert described == ["40", "30"]
    assert _values(library, "121139") == ["DX"]


def test_a_later_report_names_its_predecessor(tmp_path: Path) -> None:
    """By study, series and instance."""
    study = study_of(tmp_path, "predecessor")
    (of_study,) = _parsed(study).PredecessorDocumentsSequence
    (series,) = of_study.ReferencedSeriesSequence
    assert series.ReferencedSOPSequence[0].ReferencedSOPInstanceUID == study.content.predecessors[0].sop_instance_uid


def test_no_report_names_itself_as_its_predecessor(tmp_path: Path) -> None:
    """The same inputs read again have the same identity."""
    study = study_of(tmp_path, "positive")
    assert "PredecessorDocumentsSequence" not in _parsed(study.saying(predecessors=(study.identity,)))


def test_times_stand_in_the_zone_of_the_source(tmp_path: Path) -> None:
    """One offset holds for every time of a dataset, the study's own included."""
    study = study_of(tmp_path, "positive")
    _rewrite(study.sources[0], TimezoneOffsetFromUTC="+0800")
    report = _parsed(study)
    assert (report.ContentTime, report.TimezoneOffsetFromUTC) == ("163000", "+0800")
    elsewhere = study.content.created_at.astimezone(timezone(-timedelta(hours=3, minutes=30)))
    _rewrite(study.sources[0], TimezoneOffsetFromUTC="nonsense")
    report = _parsed(study.saying(created_at=elsewhere))
    assert (report.ContentTime, report.TimezoneOffsetFromUTC) == ("050000", "-0330")


def test_times_keep_the_zone_they_were_handed_in_where_the_source_names_none(tmp_path: Path) -> None:
    """The source's times are local, and an offset of its own choice would move them."""
    study = study_of(tmp_path, "positive")
    local = study.content.created_at.astimezone(timezone(timedelta(hours=8)))
    report = _parsed(study.saying(created_at=local))
    assert (report.StudyTime, report.ContentTime, report.TimezoneOffsetFromUTC) == ("093000", "163000", "+0800")
    (equipment,) = report.ContributingEquipmentSequence
    assert equipment.ContributionDateTime == "20261121163000+0800"


def test_the_equipment_of_the_report_is_the_node(tmp_path: Path) -> None:
    """With a serial number that is no name; a model without weights of its own has none at all."""
    study = study_of(tmp_path, "positive", model=replace(MODEL, weights_digest=""))
    report = _parsed(study)
    (equipment,) = report.ContributingEquipmentSequence
    assert report.DeviceSerialNumber == IMPLEMENTATION_CLASS_UID
    assert "DeviceSerialNumber" not in equipment
    assert _texts(report, "121016") == []


def _rewrite(path: Path, **changed: Any) -> None:
    dataset = dcmread(path)
    for keyword, value in changed.items():
        if value is None:
            delattr(dataset, keyword)
        else:
            setattr(dataset, keyword, value)
    dataset.save_as(path)


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
    report = _parsed(study)
    assert (str(report.PatientName), report.PatientID, report.StudyDate) == ("", "", "")
    assert _values(report, "121139") == []


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
    _rewrite(study.sources[0], **{keyword: value})
    assert str(_parsed(study)[keyword].value) == expected


@pytest.mark.filterwarnings("ignore")
def test_a_patient_id_that_no_report_can_hold_is_not_cut(tmp_path: Path) -> None:
    """A cut one would be another patient's."""
    study = study_of(tmp_path, "positive")
    _rewrite(study.sources[0], PatientID="7" * 65)
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
    report = _parsed(study)
    assert (str(report.PatientName), report.get("SpecificCharacterSet", "")) == (name, written)


def test_procedure_codes_and_issuer_are_copied(tmp_path: Path) -> None:
    """A whole code is, a broken one is not."""
    study = study_of(tmp_path, "positive", "GB18030")
    whole, broken = Dataset(), Dataset()
    whole.CodeValue, whole.CodingSchemeDesignator, whole.CodeMeaning = "XR1", "L", "胸部"
    broken.CodeValue = "XR2"
    _rewrite(study.sources[0], ProcedureCodeSequence=[whole, broken], IssuerOfPatientID="医院")
    report = _parsed(study)
    assert [(item.CodeValue, item.CodeMeaning) for item in report.ProcedureCodeSequence] == [("XR1", "胸部")]
    assert report.IssuerOfPatientID == "医院"


def test_private_codes_are_declared(tmp_path: Path) -> None:
    """A scheme that the Standard does not name is named by the report."""
    private = Code("A1", "99NODE", "Something new")
    study = study_of(tmp_path, "positive")
    reading = study.content.readings[0]
    finding = replace(reading.findings[0], finding=private)
    report = _parsed(study.saying(readings=(replace(reading, findings=(finding,)),)))
    assert [item.CodingSchemeDesignator for item in report.CodingSchemeIdentificationSequence] == ["99NODE"]


def test_a_report_can_be_read_in_another_transfer_syntax(tmp_path: Path) -> None:
    """What is encoded implicitly can be written explicitly."""
    study = study_of(tmp_path, "positive", "ISO_IR 192")
    report = dcmread(study.report_file(tmp_path))
    report.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    report.save_as(tmp_path / "explicit.dcm", implicit_vr=False)
    assert str(srread(tmp_path / "explicit.dcm").PatientName) == NAMES["ISO_IR 192"]


def _finding(probability: float) -> tuple[Finding, ...]:
    return (Finding("pneumonia", PNEUMONIA, LUNG, probability, 0.5),)


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"outcome": Outcome.NOT_ASSESSED}, "does not fit"),
        ({"study_instance_uid": "1.2.3"}, "another study"),
        ({"created_at": datetime(2026, 1, 1)}, "zone"),  # noqa: DTZ001 - that it has none is the case
        ({"readings": ()}, "not of the source images"),
        ({"model": replace(MODEL, device_uid="1..2")}, "no UID"),
        ({"model": replace(MODEL, name="x" * 65)}, "1 to 64"),
        ({"model": replace(MODEL, version="")}, "1 to 64"),
    ],
)
@pytest.mark.filterwarnings("ignore:Invalid value")
def test_no_report_is_made_of_what_does_not_fit_together(tmp_path: Path, changed: dict[str, Any], reason: str) -> None:
    """It is buried with its reason, and nothing invalid leaves."""
    with pytest.raises(Permanent, match=reason):
        study_of(tmp_path, "positive").saying(**changed).report()


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"findings": _finding(1.5)}, "within 0 and 1"),
        ({"findings": _finding(float("nan"))}, "within 0 and 1"),
        ({"findings": (replace(_finding(0.9)[0], finding=Code("", "SCT", "x")),)}, "code"),
        ({"anomaly": Anomaly(float("inf"), 1.0)}, "finite"),
        ({"findings": (), "anomaly": None}, "says nothing"),
        ({"sop_instance_uid": SOPInstanceUID("1.2")}, "not of the source images"),
    ],
)
def test_no_report_is_made_of_an_impossible_reading(tmp_path: Path, changed: dict[str, Any], reason: str) -> None:
    """A probability is one, a code is one, and an admitted image has a finding."""
    study = study_of(tmp_path, "positive")
    readings = (replace(study.content.readings[0], **changed),)
    with pytest.raises(Permanent, match=reason):
        study.saying(readings=readings).report()


def test_no_report_is_made_without_sources(tmp_path: Path) -> None:
    """There is nobody that it could be about."""
    study = replace(study_of(tmp_path, "positive"), sources=[])
    with pytest.raises(Permanent, match="at least one"):
        study.report()


def test_no_report_is_made_of_two_patients_images(tmp_path: Path) -> None:
    """Nobody could say whose it is."""
    study = study_of(tmp_path, "two images")
    _rewrite(study.sources[1], PatientID="P-2")
    with pytest.raises(Permanent, match="different Patient IDs") as refusal:
        study.report()
    assert "P-2" not in str(refusal.value)


def test_a_source_that_is_no_file_of_dicom_any_more_is_permanent(tmp_path: Path) -> None:
    """Trying again does not mend it."""
    study = study_of(tmp_path, "positive")
    study.sources[0].write_bytes(b"nothing")
    with pytest.raises(Permanent, match="cannot be parsed"):
        study.report()


def test_a_report_of_many_images_names_all_and_goes_into_those_that_decided(tmp_path: Path) -> None:
    """Three hundred slices: the library and the evidence hold them, and the groups are of a few."""
    study = slices(tmp_path, 300)
    report = _parsed(study)
    (library,) = _items(report, "111028")
    assert len(list(_items(library, value_type="IMAGE"))) == 300
    (certain,) = {_certainty(group) for group in _groups(report) if list(_items(group, "111012"))} - {4.0}
    assert certain == 90.0
    assert len(_groups(report)) < 2 * MOST_DETAILED


def _certainty(group: Dataset) -> float:
    (number,) = _items(group, "111012", "NUM")
    return float(number.MeasuredValueSequence[0].NumericValue)


def test_a_report_is_made_of_headers_where_files_are_gone(tmp_path: Path) -> None:
    """Whose study it is, stands in the rows too; what only a file tells is left out."""
    study = study_of(tmp_path, "two images", "ISO_IR 192")
    headers = [inspect(*_encoded(path)) for path in study.sources]
    report = read_dataset(
        io.BytesIO(build_report(study.content, study.identity, headers)), is_implicit_VR=True, is_little_endian=True
    )
    assert str(report.PatientName) == NAMES["ISO_IR 192"]
    assert (report.PatientID, report.AccessionNumber) == ("P-1", "A-1")
    others = build_report(study.content, study.identity, [study.sources[0], *headers[1:]])
    assert others == study.report()


def _encoded(path: Path) -> tuple[bytes, str]:
    file = read_part10(path)
    return file.dataset, file.transfer_syntax_uid
