"""Objects in which persons mark images, made as their viewers make them.

Weasis: title Of Interest, the typed text as description and series description, images in the evidence alone.
The Standard: a title of CID 7010, IMAGE items, 113012. OHIF: TID 1500 as dcmjs writes it, the label as the meaning of
CORNERSTONEFREETEXT. Others are made with highdicom, or element by element where that would refuse what is sent.
"""

from collections.abc import Sequence
from datetime import datetime

from pydicom import Dataset

from tests.support.objects.notes import code, key_objects

ENHANCED_SR, COMPREHENSIVE_SR = "1.2.840.10008.5.1.4.1.1.88.22", "1.2.840.10008.5.1.4.1.1.88.33"
COMPREHENSIVE_3D_SR = "1.2.840.10008.5.1.4.1.1.88.34"
PNEUMONIA = code("233604007", "Pneumonia", "SCT")
PRESENT, ABSENT = code("52101004", "Present", "SCT"), code("2667000", "Absent", "SCT")
UNDETERMINED = code("373068000", "Undetermined", "SCT")
FINDING, SITE = code("121071", "Finding"), code("363698007", "Finding Site", "SCT")
IMAGE = "1.2.3.1.1"
WHEN = datetime(2026, 1, 2, 12)  # noqa: DTZ001 - viewers write local time and no zone


def at(dataset: Dataset, when: datetime) -> Dataset:
    """Return a document with the time of its content, and with its zone where the time has one."""
    dataset.ContentDate, dataset.ContentTime = when.strftime("%Y%m%d"), when.strftime("%H%M%S")
    if when.tzinfo is not None:
        dataset.TimezoneOffsetFromUTC = when.strftime("%z")
    return dataset


def weasis(text: str, images: Sequence[str] = (IMAGE,), uid: str = "1.2.77.1", study: str = "1.2.3") -> Dataset:
    """Return a Key Object Selection as Weasis writes it."""
    dataset = key_objects(code("113000", "Of Interest"), images, uid, study, in_content=False)
    dataset.SpecificCharacterSet, dataset.SeriesDescription = "ISO_IR 192", text
    dataset.ContentSequence = [_text(code("113012", "Key Object Description"), text)] if text else []
    return at(dataset, WHEN)


def standard(
    title: str, text: str = "", images: Sequence[str] = (IMAGE,), uid: str = "1.2.77.2", reader: str = "Grey^Meredith"
) -> Dataset:
    """Return a Key Object Selection as the Standard asks for: images in content and evidence, and who selected them."""
    dataset = key_objects(code(title), images, uid)
    described = [_text(code("113012", "Key Object Description"), text)] if text else []
    dataset.SpecificCharacterSet = "ISO_IR 192"
    dataset.ContentSequence = [*_person(reader), *described, *dataset.ContentSequence]
    return at(dataset, WHEN)


def ohif(
    text: str,
    images: Sequence[str] = (IMAGE,),
    uid: str = "1.2.77.3",
    *,
    scheme: str = "CORNERSTONEJS",
    in_site: bool = False,
    reader: str = "unknown^unknown",
    tracking_uid: str = "2.25.99",
) -> Dataset:
    """Return a Structured Report as OHIF saves an annotation with a typed label."""
    label = _code(SITE if in_site else FINDING, code("CORNERSTONEFREETEXT", text, scheme))
    group = [
        _text(code("112039", "Tracking Identifier"), "Cornerstone3DTools@^0.1.0:ArrowAnnotate"),
        _uid_reference(code("112040", "Tracking Unique Identifier"), tracking_uid),
        label,
        _arrow(images),
    ]
    return report([group], images, uid, COMPREHENSIVE_3D_SR, observers=_person(reader))


def coded(
    evaluation: Dataset | None = None,
    *,
    finding: Dataset = PNEUMONIA,
    images: Sequence[str] = (IMAGE,),
    uid: str = "1.2.77.4",
    reader: str = "House^Gregory",
    by_presence: bool = False,
) -> Dataset:
    """Return a TID 1500 report of a person: a coded Finding, and (Pneumonia) or (Presence) = an evaluation."""
    group = [_code(FINDING, finding)]
    if evaluation is not None:
        group.append(_code(code("705057003", "Presence", "SCT") if by_presence else finding, evaluation))
    group += [_image(one) for one in images]
    return report([group], images, uid, ENHANCED_SR, observers=_person(reader))


def in_words(text: str, uid: str = "1.2.77.5", reader: str = "House^Gregory") -> Dataset:
    """Return a basic text report with an impression, which names no image."""
    dataset = report([], [], uid, "1.2.840.10008.5.1.4.1.1.88.11", observers=_person(reader))
    dataset.ConceptNameCodeSequence = [code("126000", "Diagnostic imaging report", "DCM")]
    dataset.ContentSequence.append(
        _container(code("121072", "Impressions"), [_text(code("121073", "Impression"), text)])
    )
    return dataset


def assessment(answer: Dataset, of_report: str, uid: str = "1.2.77.6", reader: str = "House^Gregory") -> Dataset:
    """Return an Enhanced SR in which a person accepts, rejects or changes a report of this node."""
    group = [_code(code("111005", "Assessment Category"), answer), _reference_item("COMPOSITE", ENHANCED_SR, of_report)]
    dataset = report([group], [], uid, ENHANCED_SR, observers=_person(reader))
    dataset.CurrentRequestedProcedureEvidenceSequence = [_evidence([of_report])]
    return dataset


def of_device(uid: str = "1.2.77.7", device_uid: str = "1.2.88") -> Dataset:
    """Return a report that another program made: its observer is a device."""
    group = [_code(FINDING, PNEUMONIA), _code(PNEUMONIA, PRESENT), _image(IMAGE)]
    observers = [
        _code(code("121005", "Observer Type"), code("121007", "Device"), "HAS OBS CONTEXT"),
        _uid_reference(code("121012", "Device Observer UID"), device_uid),
    ]
    return report([group], [IMAGE], uid, COMPREHENSIVE_SR, observers=observers)


def verified(dataset: Dataset, reader: str, when: str = "20260102120500") -> Dataset:
    """Return a report that a person has verified."""
    observer = Dataset()
    observer.VerifyingObserverName, observer.VerificationDateTime = reader, when
    dataset.VerificationFlag, dataset.VerifyingObserverSequence = "VERIFIED", [observer]
    return dataset


def report(
    groups: Sequence[Sequence[Dataset]],
    images: Sequence[str],
    uid: str,
    sop_class: str,
    observers: Sequence[Dataset],
    study: str = "1.2.3",
) -> Dataset:
    """Return a TID 1500 report with these measurement groups."""
    dataset = key_objects(code("126000", "Imaging Measurement Report"), images, uid, study, in_content=False)
    dataset.SOPClassUID, dataset.Modality, dataset.SpecificCharacterSet = sop_class, "SR", "ISO_IR 192"
    dataset.CompletionFlag, dataset.VerificationFlag = "COMPLETE", "UNVERIFIED"
    measured = [_container(code("125007", "Measurement Group"), group) for group in groups]
    dataset.ContentSequence = [
        _code(
            code("121049", "Language of Content Item and Descendants"),
            code("eng", "English", "RFC5646"),
            "HAS CONCEPT MOD",
        ),
        *observers,
        _container(code("126010", "Imaging Measurements"), measured),
    ]
    if not images:
        del dataset.CurrentRequestedProcedureEvidenceSequence
    return at(dataset, WHEN)


def _person(name: str) -> list[Dataset]:
    item = _item("HAS OBS CONTEXT", "PNAME", code("121008", "Person Observer Name"))
    item.PersonName = name
    return [_code(code("121005", "Observer Type"), code("121006", "Person"), "HAS OBS CONTEXT"), item]


def _item(relationship: str, value_type: str, concept: Dataset) -> Dataset:
    item = Dataset()
    item.RelationshipType, item.ValueType, item.ConceptNameCodeSequence = relationship, value_type, [concept]
    return item


def _text(concept: Dataset, text: str) -> Dataset:
    item = _item("CONTAINS", "TEXT", concept)
    item.TextValue = text
    return item


def _code(concept: Dataset, value: Dataset, relationship: str = "CONTAINS") -> Dataset:
    item = _item(relationship, "CODE", concept)
    item.ConceptCodeSequence = [value]
    return item


def _uid_reference(concept: Dataset, uid: str) -> Dataset:
    item = _item("HAS OBS CONTEXT", "UIDREF", concept)
    item.UID = uid
    return item


def _container(concept: Dataset, content: Sequence[Dataset]) -> Dataset:
    item = _item("CONTAINS", "CONTAINER", concept)
    item.ContinuityOfContent, item.ContentSequence = "SEPARATE", list(content)
    return item


def _arrow(images: Sequence[str]) -> Dataset:
    """Return the drawn point of an annotation, selected from its image."""
    length = _item("CONTAINS", "NUM", code("410668003", "Length", "SCT"))
    region = _item("INFERRED FROM", "SCOORD", code("111030", "Image Region"))
    region.GraphicType, region.GraphicData = "POINT", [10.0, 12.0]
    region.ContentSequence = [_image(one, "SELECTED FROM") for one in images]
    length.ContentSequence = [region]
    return length


def _image(uid: str, relationship: str = "CONTAINS") -> Dataset:
    return _reference_item("IMAGE", "1.2.840.10008.5.1.4.1.1.1.1", uid, relationship)


def _reference_item(value_type: str, sop_class: str, uid: str, relationship: str = "CONTAINS") -> Dataset:
    item, reference = Dataset(), Dataset()
    reference.ReferencedSOPClassUID, reference.ReferencedSOPInstanceUID = sop_class, uid
    item.RelationshipType, item.ValueType, item.ReferencedSOPSequence = relationship, value_type, [reference]
    return item


def _evidence(uids: Sequence[str], study: str = "1.2.3") -> Dataset:
    series, item = Dataset(), Dataset()
    series.SeriesInstanceUID = f"{study}.9"
    series.ReferencedSOPSequence = [
        _reference_item("COMPOSITE", ENHANCED_SR, uid).ReferencedSOPSequence[0] for uid in uids
    ]
    item.StudyInstanceUID, item.ReferencedSeriesSequence = study, [series]
    return item
