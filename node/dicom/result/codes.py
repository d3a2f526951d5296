"""The coded concepts that our reports use, named as the Standard names them (DICOM PS3.16)."""

from highdicom.sr.coding import CodedConcept

from node.domain.finding import Code


def concept(code: Code) -> CodedConcept:
    """Return a code of the domain as a coded concept."""
    return CodedConcept(code.value, code.scheme, code.meaning)


def _dcm(value: str, meaning: str) -> CodedConcept:
    return CodedConcept(value, "DCM", meaning)


IMAGING_MEASUREMENT_REPORT = _dcm("126000", "Imaging Measurement Report")
RESULT_AS_TEXT = CodedConcept("result-as-text", "99PACSNODE", "AI research result, as text")  #: not in the Standard
SUMMARY = _dcm("121111", "Summary")
FINDINGS = _dcm("121070", "Findings")
IMAGE_LIBRARY = _dcm("111028", "Image Library")
IMAGE_LIBRARY_GROUP = _dcm("126200", "Image Library Group")
MODALITY = _dcm("121139", "Modality")
PIXEL_DATA_ROWS = _dcm("110910", "Pixel Data Rows")
PIXEL_DATA_COLUMNS = _dcm("110911", "Pixel Data Columns")
IMAGE_REGION = _dcm("111030", "Image Region")
SOURCE_OF_MEASUREMENT = _dcm("121112", "Source of Measurement")
SOURCE = CodedConcept("260753009", "SCT", "Source")
COMMENT = _dcm("121106", "Comment")
CONCLUSION = _dcm("121077", "Conclusion")
CERTAINTY_OF_FINDING = _dcm("111012", "Certainty of Finding")
Z_SCORE = _dcm("113071", "Z-score")
ARTIFICIAL_INTELLIGENCE = _dcm("123110", "Artificial Intelligence")
SOURCE_IMAGE = _dcm("121322", "Source image for image processing operation")
PROCESSING_EQUIPMENT = _dcm("109102", "Processing Equipment")

SUMMARY_OF_ANALYSES = _dcm("111065", "Summary of Analyses")
SUCCEEDED = _dcm("111222", "Succeeded")
PARTIALLY_SUCCEEDED = _dcm("111223", "Partially Succeeded")
FAILED = _dcm("111224", "Failed")
NOT_ATTEMPTED = _dcm("111225", "Not Attempted")
IMAGES_NOT_ASSESSED = CodedConcept("not-assessed", "99PACSNODE", "Images not assessed")  #: not in the Standard

OUTSIDE_LIMITS = _dcm("128619", "Outside operational limits of the device")
EQUIPMENT_FAILURE = _dcm("110501", "Equipment failure")
INCORRECTLY_FORMATTED = _dcm("110521", "Objects incorrectly formatted")
SET_INCOMPLETE = _dcm("110523", "Object Set incomplete")
CALCULATION_FAILURE = _dcm("114008", "Calculation failure")

QUALITATIVE_EVALUATIONS = CodedConcept("C0034375", "UMLS", "Qualitative Evaluations")
IMAGING_PROCEDURE = CodedConcept("363679005", "SCT", "Imaging procedure")
ABNORMALITY = CodedConcept("C9440", "NCIt", "Abnormality")
PRESENT = CodedConcept("52101004", "SCT", "Present")
ABSENT = CodedConcept("2667000", "SCT", "Absent")
PERCENT = CodedConcept("%", "UCUM", "Percent")
STANDARD_DEVIATIONS = CodedConcept("{SD}", "UCUM", "standard deviations")
IMAGES = CodedConcept("{images}", "UCUM", "images")
PIXELS = CodedConcept("{pixels}", "UCUM", "Pixels")

_MODALITIES = {
    "CR": "Computed Radiography",
    "CT": "Computed Tomography",
    "DX": "Digital Radiography",
    "MG": "Mammography",
    "MR": "Magnetic Resonance",
    "NM": "Nuclear Medicine",
    "PT": "Positron emission tomography",
    "PX": "Panoramic X-Ray",
    "RF": "Radiofluoroscopy",
    "US": "Ultrasound",
    "XA": "X-Ray Angiography",
}


def modality_concept(modality: str) -> CodedConcept | None:
    """Return a modality as a concept of PS3.16 CID 29, or None where it is not one that we know there."""
    return _dcm(modality, _MODALITIES[modality]) if modality in _MODALITIES else None
