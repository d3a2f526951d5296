"""Reports: every item of the content tree, whoever's images they were made from."""

import io
from dataclasses import replace
from pathlib import Path

import pytest
from highdicom.sr import srread
from pydicom import Dataset
from pydicom.filereader import read_dataset

from node.dicom.instance.header import inspect
from node.dicom.instance.part10 import read_part10
from node.dicom.report.build import build_report
from node.dicom.result.choice import MOST_DETAILED
from node.domain.finding import Code, Outcome
from node.domain.identifiers import derived_uid
from tests.support.objects.studies import (
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
from tests.unit.dicom.report.parsed import items, name_of, parsed, texts, values

_FIRST_LINES = [
    "RESEARCH RESULT by starter 1.0.0.",
    "Not a cleared medical device.",
    "Not for diagnosis or treatment. Unverified.",
]
_FIRST_LINE = " ".join(_FIRST_LINES)


def _groups(report: Dataset) -> list[Dataset]:
    return list(items(report, "125007"))


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
    report = parsed(study_of(tmp_path, case))
    containers = [report, *items(report, value_type="CONTAINER")]
    assert {container.ContinuityOfContent for container in containers} == {"SEPARATE"}


@pytest.mark.parametrize(("case", "present", "certainty"), [("positive", "52101004", 87.3), ("negative", "2667000", 4)])
def test_certainty_is_always_the_probability_of_presence(
    tmp_path: Path, case: str, present: str, certainty: float
) -> None:
    """Also where the finding is absent."""
    report = parsed(study_of(tmp_path, case))
    (number,) = items(report, "111012", "NUM")
    measured = number.MeasuredValueSequence[0]
    assert (float(measured.NumericValue), measured.MeasurementUnitsCodeSequence[0].CodeValue) == (certainty, "%")
    assert values(report, PNEUMONIA.value) == [present]
    assert values(report, "121071") == [PNEUMONIA.value, "C9440"]
    assert values(report, "363698007") == [LUNG.value]
    assert values(report, "111065") == ["111222"]


def test_the_anomaly_score_is_a_z_score(tmp_path: Path) -> None:
    """In standard deviations of normals, with its percentile in the comment."""
    report = parsed(study_of(tmp_path, "negative"))
    (number,) = items(report, "113071", "NUM")
    measured = number.MeasuredValueSequence[0]
    assert (float(measured.NumericValue), measured.MeasurementUnitsCodeSequence[0].CodeValue) == (2.31, "{SD}")
    assert texts(report, "121106")[-2:] == [
        "Abnormality: z-score 2.31, above 98 of 100 normals",
        "Normals: held out in training, or a site's; some may be altered.",
    ]


def test_a_not_assessed_report_says_why_and_carries_no_score(tmp_path: Path) -> None:
    """Coded, and as a sentence; no probability, no finding."""
    report = parsed(study_of(tmp_path, "not assessed"))
    assert values(report, "111065") == ["111225", "111225"]
    assert values(report, "121077") == ["128619", "128619"]
    assert not list(items(report, "111012")) + list(items(report, "113071")) + list(items(report, "121071"))
    assert {name_of(number) for number in items(report, value_type="NUM")} == {"110910", "110911", "not-assessed"}
    (groups,) = items(report, "126010")
    assert texts(groups, "121106") == [
        *_FIRST_LINES,
        "Not assessed: unlike the images that the model was trained on.",
        "The study is not assessed (images assessed: 0 of 1).",
        "Admission score 9.00, limit 3.00.",
    ]


def test_a_reading_that_failed_is_failed_and_says_why(tmp_path: Path) -> None:
    """It was attempted, and nothing says that the image is outside of anything."""
    report = parsed(study_of(tmp_path, "failed"))
    assert values(report, "111065") == ["111224", "111224"]
    assert values(report, "121077") == ["110521", "110521"]
    assert not list(items(report, "111012")) + list(items(report, "113071")) + list(items(report, "121071"))
    (groups,) = items(report, "126010")
    assert texts(groups, "121106") == [
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
    assert values(parsed(study.saying(readings=readings, outcome=outcome)), "111065")[0] == summary


def test_a_study_read_in_part_says_so(tmp_path: Path) -> None:
    """One image assessed, one not."""
    report = parsed(study_of(tmp_path, "one of two images"))
    assert values(report, "111065") == ["111223", "111225"]
    assert texts(report, "121106")[1] == "No finding is flagged (images assessed: 1 of 2)."


@pytest.mark.parametrize("case", CASES)
def test_the_first_comment_of_every_image_says_what_this_is(tmp_path: Path, case: str) -> None:
    """And so does the comment for the whole report, in one line, where it stands beside no image."""
    report = parsed(study_of(tmp_path, case))
    images = len(CASES[case][1])
    lines = texts(report, "121106")
    (of_report,) = items(report, "C0034375")
    assert lines[0] == texts(of_report, "121106")[0] == _FIRST_LINE
    assert texts(_groups(report)[0], "121106")[:3] == _FIRST_LINES
    assert [lines.count(line) for line in _FIRST_LINES] == [images] * 3
    assert not any("\n" in line for line in lines)


def test_the_line_of_a_finding_is_calm_and_never_contradicts_itself(tmp_path: Path) -> None:
    """Flagged or not, score and threshold; more digits where two would show the wrong side."""
    lines = texts(parsed(study_of(tmp_path, "positive")), "121106")
    assert "Pneumonia: flagged, score 0.87 (threshold 0.50)" in lines
    study = study_of(tmp_path, "negative")
    near = replace(study.content.readings[0].findings[0], probability=0.4996)
    near_reading = replace(study.content.readings[0], findings=(near,))
    lines = texts(parsed(study.saying(readings=(near_reading,))), "121106")
    assert "Pneumonia: not flagged, score 0.4996 (threshold 0.5000)" in lines


def test_the_model_is_named_alike_wherever_it_is_named(tmp_path: Path) -> None:
    """Contributing Equipment, TID 4019 and TID 1004 give equal values, and the receiver finds the Device UID."""
    study = study_of(tmp_path, "positive")
    report = parsed(study)
    (equipment,) = report.ContributingEquipmentSequence
    assert equipment.PurposeOfReferenceCodeSequence[0].CodeValue == "109102"
    assert {equipment.ManufacturerModelName, *texts(report, "111001"), *texts(report, "121015")} == {"starter"}
    assert {equipment.SoftwareVersions, *texts(report, "111003")} == {"1.0.0"}
    assert {equipment.Manufacturer, *texts(report, "121014")} == {"pacs-node"}
    assert {equipment.DeviceUID, *(item.UID for item in items(report, "121012"))} == {MODEL.device_uid}
    assert {equipment.DeviceSerialNumber, *texts(report, "121016")} == {MODEL.weights_digest[:16]}
    assert inspect(study.report(), IMPLICIT_VR_LITTLE_ENDIAN).device_uids == (MODEL.device_uid,)
    assert "threshold 0.5" in texts(report, "111002")
    assert f"weights SHA-256 {MODEL.weights_digest}" in texts(report, "111002")
    assert set(values(report, "111000")) == {"123110"}


def test_tracking_uids_persist_over_versions_and_differ_between_images(tmp_path: Path) -> None:
    """They follow study, image, class and model name alone."""

    def tracked(study: Study) -> list[str]:
        return [str(item.UID) for item in items(parsed(study), "112040")]

    before = study_of(tmp_path, "two images")
    after = before.saying(model=replace(MODEL, version="2.0.0", device_uid=derived_uid("device", "2")))
    assert tracked(before) == tracked(after)
    assert len(set(tracked(before))) == 4


def test_a_report_of_many_images_names_all_and_goes_into_those_that_decided(tmp_path: Path) -> None:
    """Three hundred slices: the library and the evidence hold them, and the groups are of a few."""
    study = slices(tmp_path, 300)
    report = parsed(study)
    (library,) = items(report, "111028")
    assert len(list(items(library, value_type="IMAGE"))) == 300
    (certain,) = {_certainty(group) for group in _groups(report) if list(items(group, "111012"))} - {4.0}
    assert certain == 90.0
    assert len(_groups(report)) < 2 * MOST_DETAILED


def _certainty(group: Dataset) -> float:
    (number,) = items(group, "111012", "NUM")
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
