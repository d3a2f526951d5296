"""A report once more as plain text, for viewers that show no measurements: Basic Text SR, in a series of its own.

It says what the report says, in the same words and of the same images, and has neither scores as numbers nor regions.
Its title is of no template, so that nobody takes it for a radiologist's report.

References
----------
DICOM PS3.3 A.35.1 (Basic Text SR IOD), PS3.16 TID 1204, TID 1001
"""

from collections.abc import Sequence
from datetime import date, datetime
from pathlib import Path

from highdicom.sr import (
    CodeContentItem,
    CodedConcept,
    ContainerContentItem,
    ContentItem,
    ContentSequence,
    RelationshipTypeValues,
    TextContentItem,
)
from pydicom import Dataset

from node.dicom.encoding.values import LONG_STRING, cut, date_of
from node.dicom.report.build import encoded_document
from node.dicom.result import codes
from node.dicom.result.analysis_status import reasons_of_study, status_of_study
from node.dicom.result.choice import detailed
from node.dicom.result.image_references import image
from node.dicom.result.lines import anomaly_lines, finding_line, not_assessed_lines, place_lines
from node.dicom.result.object_header import in_zone
from node.dicom.result.observer import language_of_content, observation_context, separate
from node.dicom.result.study_summary import image_names, named, summary
from node.dicom.sources.source import Source
from node.domain.finding import KeyImage, Reading
from node.domain.instance import InstanceHeader
from node.domain.report import ReportContent, ReportIdentity
from node.domain.words import words_in

_CONTAINS = RelationshipTypeValues.CONTAINS
_AFTER_THE_REPORTS = 2  # the series before it holds rejection notes


def build_text(content: ReportContent, identity: ReportIdentity, sources: Sequence[Path | InstanceHeader]) -> bytes:
    """Return a report's text companion as an encoded dataset, Implicit VR Little Endian, without meta information.

    Parameters
    ----------
    content
        What the report says; the predecessors are those of the companion.
    identity
        The UIDs that it gets; the SOP class is Basic Text SR.
    sources
        As of `node.dicom.report.build.build_report`.

    Raises
    ------
    Permanent, OSError
        As `node.dicom.report.build.build_report`.
    """
    return encoded_document(content, identity, sources, _document)


def _document(dataset: Dataset, content: ReportContent, sources: list[Source]) -> None:
    words = words_in(content.language)
    dataset.SeriesNumber = content.profile.series_number + _AFTER_THE_REPORTS
    dataset.SeriesDescription = cut(words.line("series_of_text", model=content.model.name), LONG_STRING)
    made_at = in_zone(content.created_at, sources[0].timezone_offset)
    root = ContainerContentItem(codes.RESULT_AS_TEXT)
    root.ContentSequence = ContentSequence(
        [
            *language_of_content(content.language),
            *observation_context(content.model),
            _section(codes.SUMMARY, _summary(content, sources, made_at)),
            _section(codes.FINDINGS, _findings(content, sources)),
            _section(codes.IMAGE_LIBRARY, [image(source, codes.SOURCE, _CONTAINS) for source in sources]),
        ]
    )
    separate(root)
    dataset.update(root)


def _section(title: CodedConcept, items: Sequence[ContentItem]) -> ContainerContentItem:
    section = ContainerContentItem(title, relationship_type=_CONTAINS)
    section.ContentSequence = ContentSequence(items)
    return section


def _summary(content: ReportContent, sources: list[Source], made_at: datetime) -> list[ContentItem]:
    """Return what stands for the study as a whole; the research line is the first line of it."""
    words, study_date = words_in(content.language), date_of(sources[0].header.study_date)
    dates = words.lines("study_date", date=words.date(date.fromisoformat(study_date))) if study_date else []
    made = words.lines("made_at", time=words.time(made_at))
    went = CodeContentItem(codes.SUMMARY_OF_ANALYSES, status_of_study(content), _CONTAINS)
    because = [CodeContentItem(codes.CONCLUSION, reason, _CONTAINS) for reason in reasons_of_study(content)]
    first, *lines = (line.text for line in summary(content, sources))
    return [_text(first), went, *because, *map(_text, [*lines, *dates, *made])]


def _findings(content: ReportContent, sources: list[Source]) -> list[TextContentItem]:
    """Return what is said of each image or frame, after its name."""
    words = words_in(content.language)
    names = image_names(words, sources)
    items = []
    for reading, source in detailed(content, sources):
        name = named(words, KeyImage(source.header.sop_instance_uid, source.frame), names)
        of_image = _text(words.line("about_image", image=name))
        of_image.ContentSequence = ContentSequence([image(source, codes.SOURCE, RelationshipTypeValues.INFERRED_FROM)])
        items += [of_image, *map(_text, _lines(content, reading))]
    return items


def _lines(content: ReportContent, reading: Reading) -> list[str]:
    words = words_in(content.language)
    if not reading.admission.admitted:
        return not_assessed_lines(words, reading.admission)
    found = [
        line
        for finding in reading.findings
        for line in (finding_line(words, content.model, finding), *place_lines(words, finding))
    ]
    if reading.anomaly is None:
        return found
    return [*found, *anomaly_lines(words, reading.anomaly), *place_lines(words, reading.anomaly)]


def _text(line: str) -> TextContentItem:
    return TextContentItem(codes.COMMENT, line, _CONTAINS)
