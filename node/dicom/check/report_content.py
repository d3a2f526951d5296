"""The last look at a report before it leaves: what must be there is there, and all of it can be encoded."""

import itertools
import math
from collections.abc import Iterator

from pydicom import DataElement, Dataset

from node.dicom.encoding.charset import codec_of
from node.dicom.sources.source import Source
from node.domain.errors import Permanent
from node.domain.finding import Code, Outcome, Reading, Region
from node.domain.identifiers import is_uid
from node.domain.report import ModelIdentity, ReportContent

BASIC_TEXT_SR = "1.2.840.10008.5.1.4.1.1.88.11"
"""SOP class of a text companion, which follows no template."""

_UTF_8 = "ISO_IR 192"
_CUSTOMISABLE_VRS = frozenset({"LO", "LT", "PN", "SH", "ST", "UC", "UT"})  # PS3.5 6.1.2.3
# a report takes over these character sets of its sources; for code extensions and ISO_IR 13 it changes to UTF-8,
# because their encoding depends on where in a value a character stands
_TAKEN_OVER = frozenset(
    {f"ISO_IR {number}" for number in (100, 101, 109, 110, 126, 127, 138, 144, 148, 166, 192)} | {"GB18030", "GBK"}
)
_REQUIRED = (
    "SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID", "Modality", "SeriesNumber",
    "InstanceNumber", "CompletionFlag", "VerificationFlag", "ContentDate", "ContentTime", "TimezoneOffsetFromUTC",
    "CurrentRequestedProcedureEvidenceSequence", "ContributingEquipmentSequence", "Manufacturer",
    "ManufacturerModelName", "DeviceSerialNumber", "SoftwareVersions", "ValueType", "ConceptNameCodeSequence",
    "ContinuityOfContent", "ContentSequence",
)  # fmt: skip
_REQUIRED_EMPTY = (
    "PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyDate", "StudyTime", "StudyID",
    "AccessionNumber", "ReferringPhysicianName", "PerformedProcedureCodeSequence",
    "ReferencedPerformedProcedureStepSequence",
)  # fmt: skip


def check_content(content: ReportContent, sources: list[Source]) -> None:
    """See that readings and sources belong together and that no number is out of its range.

    Raises
    ------
    Permanent
        They do not, or one is.
    """
    if not sources:
        raise Permanent("a report needs at least one source image")
    if [reading.sop_instance_uid for reading in content.readings] != [it.header.sop_instance_uid for it in sources]:
        raise Permanent("the readings are not of the source images, or in another order")
    if any(source.header.study_instance_uid != content.study_instance_uid for source in sources):
        raise Permanent("a source image is of another study than the report")
    if len({source.header.patient_id for source in sources}) > 1:
        raise Permanent("the source images carry different Patient IDs")
    assessed = any(reading.admission.admitted for reading in content.readings)
    if assessed == (content.outcome is Outcome.NOT_ASSESSED):
        raise Permanent(f"the outcome {content.outcome} does not fit the readings")
    _check_model(content.model)
    for reading in content.readings:
        _check_reading(reading)


def _check_model(model: ModelIdentity) -> None:
    """See that what names the model fits VR LO as it is: the same values stand at several places, and are compared."""
    for text in (model.name, model.version, model.manufacturer):
        if not 0 < len(text) <= 64 or "\\" in text or not text.isprintable():
            raise Permanent("a model's name, version and manufacturer have 1 to 64 printable characters each")


def _check_code(code: Code) -> None:
    if not (code.value and 0 < len(code.scheme) <= 16 and 0 < len(code.meaning) <= 64):
        raise Permanent(f"the code ({code.value}, {code.scheme}, {code.meaning}) is not one that DICOM can hold")


def _check_reading(reading: Reading) -> None:
    said = bool(reading.findings) or reading.anomaly is not None
    if said != reading.admission.admitted:
        raise Permanent("a reading says nothing of an admitted image, or something of one that is not")
    if reading.admission.reason is not None:
        _check_code(reading.admission.reason)
    for finding in reading.findings:
        _check_region(finding.region)
        _check_code(finding.finding)
        _check_code(finding.site)
        if not (0 <= finding.probability <= 1 and 0 <= finding.threshold <= 1):
            raise Permanent(f"probability or threshold of {finding.name} is not within 0 and 1")
    if reading.anomaly is not None and not math.isfinite(reading.anomaly.z_score + reading.anomaly.percentile):
        raise Permanent("the anomaly score is not a finite number")
    _check_region(reading.anomaly.region if reading.anomaly is not None else ())


def _check_region(region: Region) -> None:
    closed = len(region) > 3 and region[0] == region[-1]
    if region and not (closed and all(map(math.isfinite, itertools.chain.from_iterable(region)))):
        raise Permanent("a region is not a closed polyline of finite numbers")


def fitting_character_set(dataset: Dataset, terms: tuple[str, ...]) -> str:
    """Return the source's character set where all text of the report fits into it, UTF-8 where it does not.

    Returns
    -------
    str
        A defined term of (0008,0005), or "" where the text is ASCII and the source named none that can be taken over.
    """
    text = "".join(_texts(dataset))
    term = terms[0] if len(terms) == 1 and terms[0] in _TAKEN_OVER else ""
    if not term:
        return "" if text.isascii() else _UTF_8
    try:
        encoded = text.encode(codec_of(term))
    except UnicodeEncodeError:
        return _UTF_8
    # the second byte of a Chinese character may look like a delimiter, and not every reader knows (PS3.5 J.3)
    unambiguous = all(encoded.count(mark) == text.count(mark.decode()) for mark in (b"\\", b"^", b"="))
    return term if unambiguous else _UTF_8


def check_report(dataset: Dataset, first_line: str) -> None:
    """See that a report holds what its IOD requires and what it needs to be found again, and says first what it is.

    Parameters
    ----------
    dataset
        The report, with its character set.
    first_line
        The research line: what stands above all other lines for a person.

    Raises
    ------
    Permanent
        Something is missing, empty, no UID or not encodable; the message names the element.
    """
    for keyword in _REQUIRED:
        if not dataset.get(keyword):
            raise Permanent(f"the report would have no {keyword}")
    if dataset.SOPClassUID != BASIC_TEXT_SR and not dataset.get("ContentTemplateSequence"):
        raise Permanent("the report would have no ContentTemplateSequence")
    for keyword in _REQUIRED_EMPTY:
        if keyword not in dataset:
            raise Permanent(f"the report would lack {keyword}")
    for element in elements(dataset):
        if element.VR == "UI" and not is_uid(str(element.value)):
            raise Permanent(f"the report would have a {element.keyword} that is no UID")
    if _first_text(dataset) != first_line:
        raise Permanent("the report would not begin with what it is: a research result")
    _check_references(dataset)


def _first_text(dataset: Dataset) -> str:
    """Return the first text of the first section: what observed stands before it, and is no text for a person."""
    sections = (item for item in dataset.ContentSequence if item.ValueType == "CONTAINER")
    texts = (str(item.TextValue) for section in sections for item in section.ContentSequence if "TextValue" in item)
    return next(texts, "")


def check_texts(read: Dataset, meant: Dataset) -> None:
    """See that every text is read as it was meant: encoding may have put other characters in the place of some.

    Raises
    ------
    Permanent
        One is not.
    """
    if [text.rstrip() for text in _texts(read)] != [text.rstrip() for text in _texts(meant)]:
        raise Permanent("a text of the report would be read as another than was meant")


def _check_references(dataset: Dataset) -> None:
    """See that every image that the content refers to is among the evidence (PS3.3 C.17.2.1)."""
    evidence = {
        item.value
        for study in dataset.CurrentRequestedProcedureEvidenceSequence
        for item in elements(study)
        if item.keyword == "ReferencedSOPInstanceUID"
    }
    content = Dataset()
    content.ContentSequence = dataset.ContentSequence
    referred = {item.value for item in elements(content) if item.keyword == "ReferencedSOPInstanceUID"}
    if referred != evidence:
        raise Permanent("the report's content does not refer to just the images of its evidence")


def _texts(dataset: Dataset) -> Iterator[str]:
    return (str(element.value) for element in elements(dataset) if element.VR in _CUSTOMISABLE_VRS)


def elements(dataset: Dataset) -> Iterator[DataElement]:
    """Yield every element, those of sequence items included."""
    for element in dataset:
        yield element
        if element.VR == "SQ":
            for item in element.value:
                yield from elements(item)
