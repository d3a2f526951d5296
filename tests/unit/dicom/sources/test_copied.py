"""What a report takes over from its source beside what the node itself reads."""

from pathlib import Path
from typing import Any

import pytest
from pydicom import Dataset, dcmread, dcmwrite
from pydicom.uid import UID, ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from node.dicom.check.report_content import elements
from tests.support.objects.rich_header import HEADER, code, enrich, item
from tests.support.objects.studies import study_of
from tests.unit.dicom.report.parsed import parsed


def _with(folder: Path, character_set: str = "", **values: Any) -> Dataset:
    """Return the report on a source whose header has these values too."""
    study = study_of(folder, "positive", character_set)
    source = dcmread(study.sources[0])
    for keyword, value in values.items():
        setattr(source, keyword, value)
    source.save_as(study.sources[0])
    return parsed(study)


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian, ExplicitVRBigEndian])
def test_the_modules_of_patient_study_visit_and_trial_are_copied_whole(tmp_path: Path, syntax: UID) -> None:
    """Whatever the transfer syntax of the source; sequences with all of their items."""
    study = study_of(tmp_path, "positive")
    source = enrich(study.sources[0])
    source.file_meta.TransferSyntaxUID = syntax
    del source.PixelData  # its bytes would have to be swapped
    implicit, little = syntax.is_implicit_VR, syntax.is_little_endian
    dcmwrite(study.sources[0], source, implicit_vr=implicit, little_endian=little, force_encoding=True)
    report = parsed(study)
    del source.OtherPatientIDsSequence[0][0x00110010], source.OtherPatientIDsSequence[0][0x00111001]
    for keyword in HEADER:
        assert report[keyword].value == source[keyword].value, keyword
    assert report.PatientComments == "first line\r\nsecond line"


def test_private_elements_are_never_copied(tmp_path: Path) -> None:
    """Neither at the top nor in an item: nobody knows what stands there."""
    study = study_of(tmp_path, "positive")
    enrich(study.sources[0])
    assert b"secret" in study.sources[0].read_bytes()
    assert b"secret" not in study.report()
    assert not [element for element in elements(parsed(study)) if element.tag.is_private]


def test_the_request_of_the_image_is_the_one_that_the_report_answers(tmp_path: Path) -> None:
    """With the study that it is of, and empty where the image says nothing (PS3.3 C.17.2)."""
    study = study_of(tmp_path, "positive")
    enrich(study.sources[0])
    (request,) = parsed(study).ReferencedRequestSequence
    assert (request.RequestedProcedureID, request.AccessionNumber) == ("RP1", "A-1")
    assert request.StudyInstanceUID == study.content.study_instance_uid
    assert request.RequestedProcedureCodeSequence[0].CodeValue == "399208008"
    assert request.PlacerOrderNumberImagingServiceRequest == ""
    assert "ScheduledProcedureStepID" not in request


def test_text_is_copied_in_the_character_set_of_the_source(tmp_path: Path) -> None:
    """Names, comments and the meanings of codes."""
    report = _with(
        tmp_path,
        "GB18030",
        PatientComments="儿科",
        OtherPatientNames=["Wang=王", "Zhang=张"],
        ReasonForVisitCodeSequence=[code("R1", "咳嗽", "99L")],
    )
    assert (report.SpecificCharacterSet, report.PatientComments) == ("GB18030", "儿科")
    assert [str(name) for name in report.OtherPatientNames] == ["Wang=王", "Zhang=张"]
    assert report.ReasonForVisitCodeSequence[0].CodeMeaning == "咳嗽"


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    "values",
    [
        {"PatientBirthTime": "99"},
        {"PatientWeight": ""},
        {"TypeOfPatientID": "PASSPORT"},
        {"PregnancyStatus": 9},
        {"AdmissionID": "7" * 65},
        {"EthnicGroup": ["A", "B"]},
        {"ResponsiblePerson": "Doe^John"},
        {"PatientIdentityRemoved": "YES"},
        {"ClinicalTrialSponsorName": "S", "ClinicalTrialProtocolID": "P"},
        {"ProcedureCodeSequence": [item(CodeValue="XR2")]},
        {"ProcedureCodeSequence": [code("XR3", "", "99L")]},
        {"OtherPatientIDsSequence": [item(PatientID="X1")]},
        {"IssuerOfAccessionNumberSequence": [item(UniversalEntityID="1.2.3")]},
        {"RequestAttributesSequence": [item(ScheduledProcedureStepID="1")], "ReferencedRequestSequence": []},
    ],
)
def test_what_would_make_the_report_invalid_is_left_out(tmp_path: Path, values: dict[str, Any]) -> None:
    """A value that does not fit, an item or a module that is not whole, one element that asks for another."""
    report = _with(tmp_path, **values)
    assert not [keyword for keyword in values if keyword in report]


@pytest.mark.filterwarnings("ignore")
def test_a_long_description_is_cut_and_whole_items_stay_beside_broken_ones(tmp_path: Path) -> None:
    """Only what names something is left out rather than cut."""
    report = _with(
        tmp_path,
        AdmittingDiagnosesDescription="d" * 70,
        ProcedureCodeSequence=[item(CodeValue="XR2"), code("XR1", "m" * 70, "99L", CodingSchemeVersion="3")],
    )
    (procedure,) = report.ProcedureCodeSequence
    assert (procedure.CodeValue, procedure.CodeMeaning, procedure.CodingSchemeVersion) == ("XR1", "m" * 64, "3")
    assert report.AdmittingDiagnosesDescription == "d" * 64


def test_a_code_has_but_one_value(tmp_path: Path) -> None:
    """A short one stands for a long one beside it (PS3.3 Table 8.8-1)."""
    report = _with(tmp_path, ProcedureCodeSequence=[code("XR1", "Chest", "99L", LongCodeValue="X" * 30)])
    (procedure,) = report.ProcedureCodeSequence
    assert procedure.CodeValue == "XR1"
    assert "LongCodeValue" not in procedure


@pytest.mark.filterwarnings("ignore")
def test_a_number_that_is_none_costs_only_itself(tmp_path: Path) -> None:
    """The rest of the module is copied."""
    study = study_of(tmp_path, "positive")
    enrich(study.sources[0])
    study.sources[0].write_bytes(study.sources[0].read_bytes().replace(b"DS\x04\x0014.2", b"DS\x04\x001x.2"))
    report = parsed(study)
    assert "PatientWeight" not in report
    assert report.PatientSize == 0.95
