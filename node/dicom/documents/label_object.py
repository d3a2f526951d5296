"""Objects in which persons mark images, read as they stand: Key Object Selections and Structured Reports.

Weasis names images in the evidence alone and writes what was typed into the description and the series description;
OHIF writes it into the meaning of a code. It knows these forms, and nothing of classes or what follows.

References
----------
DICOM PS3.3 A.35.4, C.17.6.2 (Key Object), C.17.2 (SR Document General: verification, observers); PS3.16 TID 1001,
TID 1002 (observers), TID 1500, TID 1501, TID 2010.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path

from pydicom import Dataset

from node.dicom.documents.label_content import code_of, concept, findings_of, named_images, value_of
from node.dicom.documents.stored_document import content_of, items_of, malformed_is_permanent, parsed_document, text_of
from node.dicom.encoding.charset import clean
from node.domain.finding import Code
from node.domain.identifiers import is_uid
from node.domain.label import SourceKind
from node.domain.label_document import LabelDocument
from node.domain.rejection import KEY_OBJECT_SELECTION

_DESCRIPTION = "113012"  # Key Object Description
_OBSERVER_TYPE, _PERSON, _DEVICE = "121005", "121006", "121007"
_PERSON_NAME, _DEVICE_UID, _DEVICE_NAME = "121008", "121012", "121013"
_PROCESSING = "109102"  # Processing Equipment, CID 7005
_UNKNOWN_NAMES = frozenset({"", "UNKNOWN", "ANONYMOUS", "NOBODY", "NONE", "USER"})


def read_label_object(path: Path) -> LabelDocument:
    """Read a stored Key Object Selection or Structured Report.

    Raises
    ------
    Permanent
        It cannot be parsed, or is no document; the reason says why, without patient data.
    OSError
        The file cannot be read.
    """
    dataset = parsed_document(path)
    with malformed_is_permanent():
        return _document(dataset)


def _document(dataset: Dataset) -> LabelDocument:
    is_key_object = text_of(dataset, "SOPClassUID") == KEY_OBJECT_SELECTION
    content = list(content_of(dataset))
    observers = {_typed(item) for item in content if concept(item) == _OBSERVER_TYPE}
    authors = items_of(dataset, "AuthorObserverSequence")
    equipment = items_of(dataset, "ContributingEquipmentSequence")
    verified = text_of(dataset, "VerificationFlag").upper() == "VERIFIED"
    persons = tuple(dict.fromkeys(_known_names(_persons(dataset, content, authors))))
    return LabelDocument(
        sop_instance_uid=text_of(dataset, "SOPInstanceUID"),
        study_instance_uid=text_of(dataset, "StudyInstanceUID"),
        kind=SourceKind.KEY_OBJECT if is_key_object else SourceKind.REPORT,
        title=next((code_of(item) for item in items_of(dataset, "ConceptNameCodeSequence")), None),
        texts=_key_object_texts(dataset, content) if is_key_object else (),
        findings=() if is_key_object else tuple(findings_of(dataset)),
        images=tuple(named_images(dataset, content)),
        persons=persons,
        says_person=_PERSON in observers or _are(authors, "PSN") or any(map(_is_person_name, content)),
        says_device=_DEVICE in observers or _are(authors, "DEV") or _names_device(content, equipment),
        verified=verified,
        device_uids=tuple(uid for item in content if concept(item) == _DEVICE_UID if is_uid(uid := value_of(item))),
        verdicts=tuple(_verdicts(content)),
        made_at=_made_at(dataset, verified=verified),
        makers=tuple(text_of(item, "Manufacturer") for item in (dataset, *equipment)),
        patient_id=clean(text_of(dataset, "PatientID")),
        issuer_of_patient_id=clean(text_of(dataset, "IssuerOfPatientID")),
    )


def _typed(item: Dataset) -> str:
    code = code_of(item, "ConceptCodeSequence")
    return code.value if code else ""


def _key_object_texts(dataset: Dataset, content: list[Dataset]) -> tuple[str, ...]:
    described = [value_of(item) for item in content if concept(item) == _DESCRIPTION]
    series = clean(text_of(dataset, "SeriesDescription"))
    return tuple(dict.fromkeys(text for text in (*described, series) if text))


def _persons(dataset: Dataset, content: list[Dataset], authors: list[Dataset]) -> Iterator[str]:
    """Yield the names of who speaks: whoever verified it, observed, wrote it, and worked at the device."""
    yield from (text_of(item, "VerifyingObserverName") for item in items_of(dataset, "VerifyingObserverSequence"))
    yield from (value_of(item) for item in content if _is_person_name(item))
    yield from (text_of(author, "PersonName") for author in authors)
    yield from (text_of(dataset, keyword) for keyword in ("ContentCreatorName", "OperatorsName"))


def _known_names(names: Iterator[str]) -> Iterator[str]:
    """Yield names without those that stand for nobody, as in OHIF's unknown^unknown."""
    for name in names:
        parts = {part.strip().upper() for part in name.replace("=", "^").split("^")}
        if not parts <= _UNKNOWN_NAMES:
            yield clean(name).rstrip("^=")


def _is_person_name(item: Dataset) -> bool:
    return concept(item) == _PERSON_NAME and text_of(item, "ValueType") == "PNAME"


def _are(authors: list[Dataset], kind: str) -> bool:
    return any(text_of(author, "ObserverType").upper() == kind for author in authors)


def _names_device(content: list[Dataset], equipment: list[Dataset]) -> bool:
    purposes = {code.value for item in equipment if (code := code_of(item, "PurposeOfReferenceCodeSequence"))}
    return _PROCESSING in purposes or any(concept(item) in (_DEVICE_UID, _DEVICE_NAME) for item in content)


def _verdicts(content: list[Dataset]) -> Iterator[Code]:
    """Yield the values of coded items but those that say who observes."""
    for item in content:
        code = code_of(item, "ConceptCodeSequence")
        if code is not None and concept(item) != _OBSERVER_TYPE:
            yield code


def _made_at(dataset: Dataset, *, verified: bool) -> datetime | None:
    """Return when it was made: verified where it is, else its content, else the instance."""
    verifications = items_of(dataset, "VerifyingObserverSequence") if verified else []
    offset = text_of(dataset, "TimezoneOffsetFromUTC")
    candidates = [
        *(text_of(item, "VerificationDateTime") for item in verifications[-1:]),
        text_of(dataset, "ContentDate") + text_of(dataset, "ContentTime"),
        text_of(dataset, "InstanceCreationDate") + text_of(dataset, "InstanceCreationTime"),
    ]
    return next((time for text in candidates if (time := _time_of(text, offset)) is not None), None)


def _time_of(text: str, offset: str) -> datetime | None:
    """Return a date and time of VR DT, or of DA and TM joined; at least to the minute."""
    number, sign, own_offset = text.partition("+") if "+" in text else text.partition("-")
    digits = number.split(".")[0]
    if not digits.isdigit() or len(digits) not in (12, 14):
        return None
    try:
        time = datetime.strptime(digits.ljust(14, "0"), "%Y%m%d%H%M%S")  # noqa: DTZ007 - the zone follows
        zone = _zone_of(sign + own_offset if sign else offset)
        return time if zone is None else time.replace(tzinfo=zone)
    except ValueError:  # a month of 13, an offset of 99 hours
        return None


def _zone_of(offset: str) -> timezone | None:
    if len(offset) != 5 or offset[0] not in "+-" or not offset[1:].isdigit():
        return None
    span = timedelta(hours=int(offset[1:3]), minutes=int(offset[3:]))
    return timezone(-span if offset[0] == "-" else span)
