"""A source whose header says all that a hospital's may say of patient, visit, trial and order."""

from pathlib import Path
from typing import Any

from pydicom import Dataset, dcmread


def item(**values: Any) -> Dataset:
    """Return a sequence item."""
    made = Dataset()
    for keyword, value in values.items():
        setattr(made, keyword, value)
    return made


def code(value: str, meaning: str, scheme: str = "SCT", **more: Any) -> Dataset:
    """Return a code as a sequence item."""
    return item(CodeValue=value, CodingSchemeDesignator=scheme, CodeMeaning=meaning, **more)


def person(name: str) -> Dataset:
    """Return a person as a sequence item."""
    return item(PersonIdentificationCodeSequence=[code("P7", name, "99STAFF")], InstitutionName="St. Mary")


HEADER: dict[str, Any] = {
    "IssuerOfPatientID": "HOSP",
    "TypeOfPatientID": "TEXT",
    "IssuerOfPatientIDQualifiersSequence": [
        item(
            UniversalEntityID="1.2.3.9",
            UniversalEntityIDType="ISO",
            AssigningFacilitySequence=[item(LocalNamespaceEntityID="WARD")],
        )
    ],
    "PatientBirthDate": "20230101",
    "PatientBirthTime": "101500",
    "QualityControlSubject": "NO",
    "OtherPatientIDsSequence": [item(PatientID="X1", IssuerOfPatientID="B", TypeOfPatientID="TEXT")],
    "OtherPatientNames": ["Roe^Jane", "Poe^Jane"],
    "EthnicGroup": "E",
    "PatientComments": "first line\r\nsecond line",
    "ResponsiblePerson": "Doe^John",
    "ResponsiblePersonRole": "PARENT",
    "ReferringPhysicianName": "Ref^Err",
    "ReferringPhysicianIdentificationSequence": [person("Ref Err")],
    "PhysiciansOfRecord": ["Rec^Ord", "Sec^Ond"],
    "NameOfPhysiciansReadingStudy": "Rea^Der",
    "IssuerOfAccessionNumberSequence": [item(LocalNamespaceEntityID="RIS")],
    "ProcedureCodeSequence": [
        code("399208008", "Plain chest X-ray", CodingSchemeVersion="20230301"),
        item(LongCodeValue="A" * 30, CodingSchemeDesignator="99X", CodeMeaning="Long"),
        item(URNCodeValue="urn:oid:1.2.3", CodeMeaning="By its URN"),
    ],
    "AdmittingDiagnosesDescription": "Cough",
    "PatientSize": "0.95",
    "PatientWeight": "14.2",
    "MedicalAlerts": ["Latex", "Asthma"],
    "PregnancyStatus": 4,
    "SmokingStatus": "NO",
    "AdditionalPatientHistory": "none",
    "AdmissionID": "V1",
    "IssuerOfAdmissionIDSequence": [item(UniversalEntityID="1.2.3.8", UniversalEntityIDType="ISO")],
    "ReasonForVisit": "cough",
    "ClinicalTrialSponsorName": "S",
    "ClinicalTrialProtocolID": "P",
    "ClinicalTrialProtocolName": "",
    "ClinicalTrialSiteID": "",
    "ClinicalTrialSiteName": "",
    "ClinicalTrialSubjectID": "SUBJ",
    "ClinicalTrialTimePointID": "T1",
}
_REQUEST = {
    "RequestedProcedureID": "RP1",
    "ScheduledProcedureStepID": "SPS1",
    "AccessionNumber": "A-1",
    "RequestedProcedureCodeSequence": [code("399208008", "Plain chest X-ray")],
}


def enrich(path: Path) -> Dataset:
    """Write all of it into a file, with private elements at the top and in an item, and return its dataset."""
    source = dcmread(path)
    for keyword, value in HEADER.items():
        setattr(source, keyword, value)
    source.RequestAttributesSequence = [item(**_REQUEST)]
    for holder in (source, source.OtherPatientIDsSequence[0]):
        holder.private_block(0x0011, "ACME", create=True).add_new(0x01, "LO", "secret")
    source.save_as(path)
    return source
