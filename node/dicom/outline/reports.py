"""What reports consist of, read off reports: their elements, and their content tree with every code.

Reports of each outcome are built, of images that nobody has, and what stands in them is joined. So a statement of what
the node writes is what it writes, and cannot go on saying what it once wrote.

References
----------
DICOM PS3.2 Annex A.8 (IOD contents), PS3.3 C.17.3 (content items)
"""

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from pydicom import Dataset
from pydicom.datadict import dictionary_description, dictionary_VR, tag_for_keyword
from pydicom.filereader import read_dataset

from node.dicom.check.report_content import elements
from node.dicom.outline.sample_reports import sample_headers, samples
from node.dicom.report.build import build_report
from node.dicom.sources.modules import MODULES
from node.domain.profile import Profile
from node.domain.report import ModelIdentity, ReportContent, report_identity

_ALSO_COPIED = (
    "ReferencedRequestSequence",  # made of the source's Request Attributes Sequence
    "CodingSchemeIdentificationSequence",  # of the schemes of codes that are taken over
)


@dataclass(frozen=True, slots=True)
class ElementRow:
    """An element of a report's top level."""

    tag: str  #: such as ``(0010,0020)``
    name: str
    vr: str


@dataclass(slots=True)
class ItemRow:
    """A kind of content item at its place in the tree, and what it may say."""

    depth: int  #: 0 for the root
    relationship: str  #: to its parent; "" for the root
    value_type: str
    concept: str  #: its name, as ``(value, scheme, meaning)``; "" where it has none
    values: list[str] = field(default_factory=list)  #: codes of CODE, units of NUM, graphic types of SCOORD


@dataclass(frozen=True, slots=True)
class Contents:
    """What stands in objects of one kind."""

    elements: tuple[ElementRow, ...]
    items: tuple[ItemRow, ...]  #: of the content tree; none where they have no tree


@dataclass(frozen=True, slots=True)
class Outline:
    """What stands in the reports of one model in one profile."""

    contents: Contents
    copied: tuple[ElementRow, ...]  #: also there where the first source image has them, and they are valid
    private_schemes: tuple[str, ...]


def outline(
    model: ModelIdentity, profile: Profile, languages: Sequence[str] = ("en",), modalities: Sequence[str] = ("DX",)
) -> Outline:
    """Return what stands in the reports of a model, whatever their outcome.

    Parameters
    ----------
    model
        Its classes with their codes are part of the tree.
    profile, languages
        As peers choose them.
    modalities
        Of the images that it reads.
    """
    reports = [
        _built(content, modalities[0]) for language in languages for content in samples(model, profile, language)
    ]
    reports.extend(_built(next(samples(model, profile, languages[0])), modality) for modality in modalities[1:])
    used = {str(one.value) for report in reports for one in elements(report) if one.keyword == "CodingSchemeDesignator"}
    return Outline(
        contents_of(reports),
        tuple(_copied()),
        tuple(sorted(scheme for scheme in used if scheme.startswith("99"))),
    )


def contents_of(objects: Sequence[Dataset]) -> Contents:
    """Return what stands in any of these objects, which are of one kind."""
    tops = {element.tag: _row(element.tag, element.VR) for one in objects for element in one}
    documents = [one for one in objects if "ContentSequence" in one]
    return Contents(tuple(row for _, row in sorted(tops.items())), tuple(_joined(documents)) if documents else ())


def _built(content: ReportContent, modality: str) -> Dataset:
    inputs = tuple(reading.sop_instance_uid for reading in content.readings)
    identity = report_identity(content.study_instance_uid, content.model, inputs, content.profile.sop_classes[0])
    encoded = build_report(content, identity, sample_headers(content, modality))
    return read_dataset(io.BytesIO(encoded), is_implicit_VR=True, is_little_endian=True)


def _row(tag: int, vr: str) -> ElementRow:
    return ElementRow(f"({tag >> 16:04X},{tag & 0xFFFF:04X})", dictionary_description(tag), vr)


def _copied() -> Iterator[ElementRow]:
    keywords = [keyword for kind in MODULES for keyword in (*kind.plain, *kind.sequences)]
    known = (tag_for_keyword(keyword) for keyword in (*keywords, *_ALSO_COPIED))
    tags = sorted(tag for tag in known if tag is not None)
    yield from (_row(tag, dictionary_VR(tag)) for tag in tags)


def _joined(reports: Sequence[Dataset]) -> Iterator[ItemRow]:
    """Yield the kinds of items of all reports, each once at its place."""
    titles = dict.fromkeys(_code(report.ConceptNameCodeSequence[0]) for report in reports)
    root = _Node(ItemRow(0, "", "CONTAINER", "; ".join(titles)))
    for report in reports:
        root.take(report)
    yield from root.rows()


class _Node:
    """A place in the joined tree."""

    def __init__(self, row: ItemRow) -> None:
        self.row = row
        self._children: dict[tuple[str, str, str], _Node] = {}

    def take(self, item: Dataset) -> None:
        """Add what stands below an item."""
        for child in item.get("ContentSequence", ()):
            concept = _code(child.ConceptNameCodeSequence[0]) if "ConceptNameCodeSequence" in child else ""
            key = str(child.RelationshipType), str(child.ValueType), concept
            if key not in self._children:
                self._children[key] = _Node(ItemRow(self.row.depth + 1, *key))
            node = self._children[key]
            node.row.values.extend(value for value in _values(child) if value not in node.row.values)
            node.take(child)

    def rows(self) -> Iterator[ItemRow]:
        """Yield this place and those below it, from the top."""
        yield self.row
        for child in self._children.values():
            yield from child.rows()


def _values(item: Dataset) -> Iterator[str]:
    if item.ValueType == "CODE":
        yield _code(item.ConceptCodeSequence[0])
    elif item.ValueType == "NUM":
        yield from (_code(measured.MeasurementUnitsCodeSequence[0]) for measured in item.MeasuredValueSequence)
    elif item.ValueType == "SCOORD":
        yield str(item.GraphicType)


def _code(item: Dataset) -> str:
    return f"({item.CodeValue}, {item.CodingSchemeDesignator}, {item.CodeMeaning})"
