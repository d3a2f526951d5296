"""Whose study it is, as two sources say it."""

import pytest

from node.domain.identifiers import SeriesInstanceUID, SOPInstanceUID, StudyInstanceUID
from node.domain.instance import InstanceHeader
from node.domain.patient import differing

HEADER = InstanceHeader(
    "1.2",
    SOPInstanceUID("1.2.3.1.1"),
    StudyInstanceUID("1.2.3"),
    SeriesInstanceUID("1.2.3.1"),
    "1.2.840.10008.1.2",
    patient_id="ID1",
    issuer_of_patient_id="HOSPITAL",
    patient_name="Yamada^Tarou=山田^太郎",
    patient_birth_date="19700102",
    patient_sex="M",
    accession_number="A7",
)


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"StudyInstanceUID": "1.2.3\0", "PatientID": " ID1 ", "AccessionNumber": "A7  "},
        {"PatientName": "YAMADA^TAROU^^", "PatientBirthDate": "", "PatientSex": "m"},
        {"PatientName": "=山田^太郎"},
        {"PatientName": "Yamada ^ Tarou=ヤマダ^タロウ"},
        {"IssuerOfPatientID": ""},
    ],
)
def test_padding_case_and_what_one_side_leaves_out_make_no_other_patient(answer: dict[str, str]) -> None:
    """Archives pad, capitalise names and leave out."""
    assert differing(HEADER, answer) == ()


@pytest.mark.parametrize(
    ("keyword", "value"),
    [
        ("StudyInstanceUID", "1.2.30"),
        ("PatientID", "ID10"),
        ("PatientID", "id1"),
        ("IssuerOfPatientID", "CLINIC"),
        ("PatientName", "Yamada^Jirou"),
        ("PatientName", "=山田^次郎"),
        ("PatientBirthDate", "19700103"),
        ("PatientSex", "F"),
        ("AccessionNumber", "A8"),
    ],
)
def test_each_element_that_says_otherwise_is_named(keyword: str, value: str) -> None:
    """And no other."""
    assert differing(HEADER, {"StudyInstanceUID": "1.2.3", "PatientID": "ID1", keyword: value}) == (keyword,)


def test_an_image_without_a_patient_id_is_not_the_archives_patient() -> None:
    """What names nobody is nobody's by chance."""
    nobody = InstanceHeader(
        "1.2", SOPInstanceUID("1"), StudyInstanceUID("1.2.3"), SeriesInstanceUID("1"), "1.2.840.10008.1.2"
    )
    assert differing(nobody, {"PatientID": "ID1", "PatientName": "Yamada^Tarou"}) == ("PatientID",)
    assert differing(nobody, {"PatientID": ""}) == ()
