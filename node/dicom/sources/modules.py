"""What a report copies from its source beside the elements that the node itself reads, and what makes it whole.

Only what is named here is copied, so private elements and those of images never are. What is said of animals is left
out: one element of it asks for the others, which sources leave out. So is what is retired.

References
----------
DICOM PS3.3 C.7.1.1 (Patient), C.7.1.3 (Clinical Trial Subject), C.7.2.1 (General Study), C.7.2.2 (Patient Study),
C.7.2.3 (Clinical Trial Study), C.17.2 (Referenced Request Sequence), 8.8 (codes), 10.1 (persons), 10.14 (issuers)
"""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class ItemKind:
    """The elements of a module or of a sequence's items that are copied, and which of them must be there."""

    plain: tuple[str, ...]
    sequences: Mapping[str, "ItemKind"] = field(default_factory=dict)
    needs: tuple[tuple[str, ...], ...] = ()  #: of each of these at least one, or nothing of it is copied
    depends: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  #: not copied unless one of these is too
    exclusive: tuple[str, ...] = ()  #: of these only the first that the source has is copied
    empty: tuple[str, ...] = ()  #: type 2: there, and empty, where the source has nothing


_BOTH_OF_UNIVERSAL_ENTITY = {
    "UniversalEntityID": ("UniversalEntityIDType",),
    "UniversalEntityIDType": ("UniversalEntityID",),
}

CODE = ItemKind(
    ("CodeValue", "LongCodeValue", "URNCodeValue", "CodingSchemeDesignator", "CodingSchemeVersion", "CodeMeaning"),
    needs=(
        ("CodeValue", "LongCodeValue", "URNCodeValue"),
        ("CodingSchemeDesignator", "URNCodeValue"),
        ("CodeMeaning",),
    ),
    exclusive=("CodeValue", "LongCodeValue", "URNCodeValue"),
)
_ISSUER = ItemKind(
    ("LocalNamespaceEntityID", "UniversalEntityID", "UniversalEntityIDType"),
    needs=(("LocalNamespaceEntityID", "UniversalEntityID"),),
    depends=_BOTH_OF_UNIVERSAL_ENTITY,
)
_QUALIFIERS = ItemKind(
    ("UniversalEntityID", "UniversalEntityIDType", "IdentifierTypeCode"),
    {
        "AssigningFacilitySequence": _ISSUER,
        "AssigningJurisdictionCodeSequence": CODE,
        "AssigningAgencyOrDepartmentCodeSequence": CODE,
    },
    depends=_BOTH_OF_UNIVERSAL_ENTITY,
)
_OTHER_PATIENT_ID = ItemKind(
    ("PatientID", "IssuerOfPatientID", "TypeOfPatientID"),
    {"IssuerOfPatientIDQualifiersSequence": _QUALIFIERS},
    needs=(("PatientID",), ("TypeOfPatientID",)),
)
_PERSON = ItemKind(
    ("PersonAddress", "PersonTelephoneNumbers", "InstitutionName", "InstitutionAddress"),
    {"PersonIdentificationCodeSequence": CODE, "InstitutionCodeSequence": CODE},
    needs=(("PersonIdentificationCodeSequence",), ("InstitutionName", "InstitutionCodeSequence")),
)

_PATIENT = ItemKind(
    (
        "TypeOfPatientID", "PatientBirthTime", "QualityControlSubject", "OtherPatientNames",
        "EthnicGroup", "PatientComments", "ResponsiblePerson", "ResponsiblePersonRole",
        "ResponsibleOrganization", "PatientIdentityRemoved", "DeidentificationMethod",
    ),
    {
        "IssuerOfPatientIDQualifiersSequence": _QUALIFIERS,
        "OtherPatientIDsSequence": _OTHER_PATIENT_ID,
        "EthnicGroupCodeSequence": CODE,
        "DeidentificationMethodCodeSequence": CODE,
    },
    depends={
        "ResponsiblePerson": ("ResponsiblePersonRole",),
        "ResponsiblePersonRole": ("ResponsiblePerson",),
        "PatientIdentityRemoved": ("DeidentificationMethod", "DeidentificationMethodCodeSequence"),
        "DeidentificationMethod": ("PatientIdentityRemoved",),
        "DeidentificationMethodCodeSequence": ("PatientIdentityRemoved",),
    },
)  # fmt: skip
_CLINICAL_TRIAL_SUBJECT = ItemKind(
    (
        "ClinicalTrialSponsorName", "ClinicalTrialProtocolID", "ClinicalTrialProtocolName", "ClinicalTrialSiteID",
        "ClinicalTrialSiteName", "ClinicalTrialSubjectID", "ClinicalTrialSubjectReadingID",
        "ClinicalTrialProtocolEthicsCommitteeName", "ClinicalTrialProtocolEthicsCommitteeApprovalNumber",
    ),
    needs=(
        ("ClinicalTrialSponsorName",),
        ("ClinicalTrialProtocolID",),
        ("ClinicalTrialSubjectID", "ClinicalTrialSubjectReadingID"),
    ),
    depends={"ClinicalTrialProtocolEthicsCommitteeApprovalNumber": ("ClinicalTrialProtocolEthicsCommitteeName",)},
    empty=("ClinicalTrialProtocolName", "ClinicalTrialSiteID", "ClinicalTrialSiteName"),
)  # fmt: skip
_CLINICAL_TRIAL_STUDY = ItemKind(
    ("ClinicalTrialTimePointID", "ClinicalTrialTimePointDescription"), needs=(("ClinicalTrialTimePointID",),)
)
_GENERAL_STUDY = ItemKind(
    ("PhysiciansOfRecord", "NameOfPhysiciansReadingStudy", "ConsultingPhysicianName"),
    {
        "IssuerOfAccessionNumberSequence": _ISSUER,
        "ReferringPhysicianIdentificationSequence": _PERSON,
        "ConsultingPhysicianIdentificationSequence": _PERSON,
        "PhysiciansOfRecordIdentificationSequence": _PERSON,
        "PhysiciansReadingStudyIdentificationSequence": _PERSON,
        "RequestingServiceCodeSequence": CODE,
        "ProcedureCodeSequence": CODE,
        "ReasonForPerformedProcedureCodeSequence": CODE,
    },
)
_PATIENT_STUDY = ItemKind(
    (
        "AdmittingDiagnosesDescription", "PatientSize", "PatientWeight", "PatientBodyMassIndex", "MedicalAlerts",
        "Allergies", "SmokingStatus", "PregnancyStatus", "LastMenstrualDate", "PatientState", "Occupation",
        "AdditionalPatientHistory", "AdmissionID", "ServiceEpisodeID", "ServiceEpisodeDescription", "ReasonForVisit",
    ),
    {
        "AdmittingDiagnosesCodeSequence": CODE,
        "PatientSizeCodeSequence": CODE,
        "IssuerOfAdmissionIDSequence": _ISSUER,
        "IssuerOfServiceEpisodeIDSequence": _ISSUER,
        "ReasonForVisitCodeSequence": CODE,
    },
)  # fmt: skip

MODULES = (_PATIENT, _CLINICAL_TRIAL_SUBJECT, _GENERAL_STUDY, _PATIENT_STUDY, _CLINICAL_TRIAL_STUDY)

REQUEST = ItemKind(
    (
        "StudyInstanceUID", "AccessionNumber", "RequestedProcedureID", "RequestedProcedureDescription",
        "PlacerOrderNumberImagingServiceRequest", "FillerOrderNumberImagingServiceRequest",
        "ReasonForTheRequestedProcedure",
    ),
    {"IssuerOfAccessionNumberSequence": _ISSUER, "RequestedProcedureCodeSequence": CODE},
    needs=(("RequestedProcedureID", "AccessionNumber"),),
    empty=(
        "AccessionNumber", "RequestedProcedureID", "RequestedProcedureDescription", "ReferencedStudySequence",
        "PlacerOrderNumberImagingServiceRequest", "FillerOrderNumberImagingServiceRequest",
        "RequestedProcedureCodeSequence",
    ),
)  # fmt: skip
"""An item of the source's Request Attributes Sequence, as the report's Referenced Request Sequence has it."""

SINGLE_ITEM = frozenset(
    {
        "AssigningAgencyOrDepartmentCodeSequence", "AssigningFacilitySequence", "AssigningJurisdictionCodeSequence",
        "InstitutionCodeSequence", "IssuerOfAccessionNumberSequence", "IssuerOfAdmissionIDSequence",
        "IssuerOfPatientIDQualifiersSequence", "IssuerOfServiceEpisodeIDSequence",
        "ReferringPhysicianIdentificationSequence", "RequestedProcedureCodeSequence",
        "RequestingServiceCodeSequence",
    }
)  # fmt: skip
"""Sequences of one item only."""
