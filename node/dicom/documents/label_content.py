"""The content of a report taken apart: codes, findings with what is said of them, and the instances that it names.

References
----------
DICOM PS3.16 TID 1500 (Measurement Report), TID 1501, TID 2000 (findings, impressions and conclusions in words);
PS3.3 C.17.3, C.18.3 (references to images).
"""

from collections.abc import Iterable, Iterator

from pydicom import Dataset

from node.dicom.documents.stored_document import content_of, items_of, text_of
from node.dicom.encoding.charset import clean
from node.domain.finding import Code
from node.domain.identifiers import is_uid
from node.domain.label_document import NamedImage, SaidFinding

_FINDING = frozenset({"121071", "121070"})  # Finding, Findings
_SITE = frozenset({"363698007", "G-C0E3"})  # Finding Site, in SCT and in SRT before
_IN_WORDS = _FINDING | {"121072", "121073", "121076", "121077"}  # and impressions and conclusions
_TRACKING_UID = "112040"
_FREE_TEXT = "CORNERSTONEFREETEXT"
_LONGEST_TEXT = 4096  # characters of one item that are kept


def code_of(item: Dataset, keyword: str = "") -> Code | None:
    """Return a coded concept: the first of a sequence in an item, or the item of such a sequence itself."""
    found = next(iter(items_of(item, keyword)), None) if keyword else item
    if found is None:
        return None
    value = next((v for name in ("CodeValue", "LongCodeValue", "URNCodeValue") if (v := text_of(found, name))), "")
    return Code(value, text_of(found, "CodingSchemeDesignator"), clean(text_of(found, "CodeMeaning")))


def concept(item: Dataset) -> str:
    """Return the Code Value of what a content item is about; "" where it does not say."""
    code = code_of(item, "ConceptNameCodeSequence")
    return code.value if code else ""


def value_of(item: Dataset) -> str:
    """Return the value of a content item of text, a name or a UID."""
    keyword = {"TEXT": "TextValue", "PNAME": "PersonName", "UIDREF": "UID"}.get(text_of(item, "ValueType"), "")
    if keyword != "TextValue":
        return text_of(item, keyword) if keyword else ""
    lines = text_of(item, keyword).splitlines()
    return "\n".join(line for line in map(clean, lines) if line)[:_LONGEST_TEXT]


def findings_of(dataset: Dataset) -> Iterator[SaidFinding]:
    """Yield the findings of a report, each with the evaluations and images that stand in the same container."""
    for container in (dataset, *content_of(dataset)):
        children = items_of(container, "ContentSequence")
        if children:
            yield from _of_container(container, children)


def _of_container(container: Dataset, children: list[Dataset]) -> Iterator[SaidFinding]:
    named = [(concept(child), child) for child in children]
    sites = (code for code in _codes(named, _SITE) if code.value == _FREE_TEXT)
    codes = (*_codes(named, _FINDING), *sites)
    texts = tuple(text for name, child in named if name in _IN_WORDS if (text := value_of(child)))
    evaluations = tuple(_evaluations(named))
    if codes or texts or evaluations:
        tracking = next((value_of(child) for name, child in named if name == _TRACKING_UID), "")
        images = tuple(_images_below(container)) if text_of(container, "RelationshipType") else ()
        yield SaidFinding(codes, texts, evaluations, images, tracking)


def _codes(named: list[tuple[str, Dataset]], wanted: frozenset[str]) -> Iterator[Code]:
    for name, child in named:
        code = code_of(child, "ConceptCodeSequence") if name in wanted else None
        if code is not None:
            yield code


def _evaluations(named: list[tuple[str, Dataset]]) -> Iterator[tuple[Code, Code]]:
    """Yield name and value of what is coded and neither finding nor site."""
    for name, child in named:
        about, value = code_of(child, "ConceptNameCodeSequence"), code_of(child, "ConceptCodeSequence")
        is_said = text_of(child, "RelationshipType") == "CONTAINS"  # language and observers only modify, or observe
        if is_said and about is not None and value is not None and name not in _FINDING | _SITE:
            yield about, value


def _images_below(container: Dataset) -> Iterator[NamedImage]:
    seen = set[str]()
    for item in content_of(container):
        for image in _references(item, "", ""):
            if image.sop_instance_uid not in seen:
                seen.add(image.sop_instance_uid)
                yield image


def named_images(dataset: Dataset, content: Iterable[Dataset]) -> Iterator[NamedImage]:
    """Yield every instance that a document names, once: those of its evidence, which says where they stand, first.

    Some programs fill only the evidence, and some only the content; its own study is where the content's stand then.
    """
    seen = set[str]()
    for image in _all_named(dataset, content):
        if image.sop_instance_uid not in seen and is_uid(image.sop_instance_uid):
            seen.add(image.sop_instance_uid)
            yield image


def _all_named(dataset: Dataset, content: Iterable[Dataset]) -> Iterator[NamedImage]:
    frames = {one.sop_instance_uid for item in content for one in _references(item, "", "") if one.of_frames}
    for keyword in ("CurrentRequestedProcedureEvidenceSequence", "PertinentOtherEvidenceSequence"):
        for study in items_of(dataset, keyword):
            for series in items_of(study, "ReferencedSeriesSequence"):
                places = _uid(study, "StudyInstanceUID"), _uid(series, "SeriesInstanceUID")
                for image in _references(series, *places):
                    of_frames = image.sop_instance_uid in frames
                    yield NamedImage(*places, image.sop_instance_uid, of_frames)
    for item in content:
        yield from _references(item, _uid(dataset, "StudyInstanceUID"), "")


def _uid(item: Dataset, keyword: str) -> str:
    """Return a UID, or "" where what stands there is none."""
    text = text_of(item, keyword)
    return text if is_uid(text) else ""


def _references(item: Dataset, study: str, series: str) -> Iterator[NamedImage]:
    for reference in items_of(item, "ReferencedSOPSequence"):
        uid = text_of(reference, "ReferencedSOPInstanceUID")
        yield NamedImage(study, series, uid, bool(reference.get("ReferencedFrameNumber")))
