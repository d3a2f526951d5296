"""The content tree of a report: TID 1500 with one TID 1501 group for each thing said of each image.

References
----------
DICOM PS3.16 TID 1500, 1501, 1600, 4019; PS3.3 C.17.3
"""

from collections.abc import Mapping
from dataclasses import replace

from highdicom.sr import (
    AlgorithmIdentification,
    CodeContentItem,
    CodedConcept,
    ContainerContentItem,
    ContentItem,
    ContentSequence,
    FindingSite,
    Measurement,
    MeasurementReport,
    MeasurementsAndQualitativeEvaluations,
    QualitativeEvaluation,
    RelationshipTypeValues,
    TextContentItem,
    TrackingIdentifier,
)
from pydicom import Dataset

from node.dicom.report.regions import Points, locate, outlines
from node.dicom.result import codes
from node.dicom.result.analysis_status import reason_of, reasons_of_study, status_of, status_of_study
from node.dicom.result.choice import detailed, number_of_parts
from node.dicom.result.image_references import image, image_library, not_assessed_count
from node.dicom.result.lines import (
    anomaly_lines,
    finding_line,
    not_assessed_lines,
    parameter_lines,
    place_lines,
    research_lines,
)
from node.dicom.result.observer import language_of_content, observation_context, separate
from node.dicom.result.study_summary import SummaryLine, leading, summary
from node.dicom.sources.source import Source
from node.domain.finding import Anomaly, Finding, Reading, StudyFinding
from node.domain.identifiers import SOPInstanceUID, derived_uid
from node.domain.report import ModelIdentity, ReportContent
from node.domain.words import words_in

_CONTAINS = RelationshipTypeValues.CONTAINS


def content_tree(content: ReportContent, sources: list[Source]) -> Dataset:
    """Return the root container of a report.

    Parameters
    ----------
    content
        What the report says; its readings are in the order of `sources`.
    sources
        The source images.
    """
    groups = [
        group
        for position, (reading, source) in enumerate(detailed(content, sources))
        for group in _groups_of_image(content, reading, source, [] if position else leading(content, sources))
    ]
    report = MeasurementReport(
        observation_context=observation_context(content.model),
        procedure_reported=codes.IMAGING_PROCEDURE,
        imaging_measurements=groups,
        title=codes.IMAGING_MEASUREMENT_REPORT,
        language_of_content_item_and_descendants=language_of_content(content.language),
    )
    root = report[0]
    measurements = len(root.ContentSequence) - 1
    for position, item in enumerate((_qualitative_evaluations(content, sources), image_library(sources))):
        root.ContentSequence.insert(measurements + position, item)
    separate(root)
    return root


def _qualitative_evaluations(content: ReportContent, sources: list[Source]) -> ContainerContentItem:
    """Return TID 1500 rows 12 to 14: how the analyses went, the study's result, and the lines for the whole report.

    It stands before the images, and what the report is before all else: a person reads it first.
    """
    container = ContainerContentItem(codes.QUALITATIVE_EVALUATIONS, relationship_type=_CONTAINS)
    of_study = {source.header.sop_instance_uid: source for source in sources}
    first, *lines = (_summary_comment(line, of_study) for line in summary(content, sources))
    container.ContentSequence = ContentSequence(
        [
            first,
            _summary_of_analyses(status_of_study(content)),
            *(_conclusion(reason) for reason in reasons_of_study(content)),
            *(_present(finding) for finding in content.findings if number_of_parts(content.readings) > 1),
            *lines,
        ]
    )
    return container


def _present(finding: StudyFinding) -> CodeContentItem:
    said = codes.PRESENT if finding.present else codes.ABSENT
    return CodeContentItem(codes.concept(finding.finding), said, _CONTAINS)


def _summary_comment(line: SummaryLine, sources: Mapping[SOPInstanceUID, Source]) -> TextContentItem:
    """Return a line for a person, with a reference to the image that it names."""
    item = TextContentItem(codes.COMMENT, line.text, _CONTAINS)
    if line.image is not None:
        source = replace(sources[line.image.sop_instance_uid], frame=line.image.frame)
        item.ContentSequence = ContentSequence([image(source, codes.SOURCE, RelationshipTypeValues.INFERRED_FROM)])
    return item


def _groups_of_image(
    content: ReportContent, reading: Reading, source: Source, of_study: list[str]
) -> list[MeasurementsAndQualitativeEvaluations]:
    """Return the groups of one image; the first says before all else what this is, and last what the study comes to."""
    if not reading.admission.admitted:
        return [_not_assessed_group(content, reading, source, of_study)]
    regions = [one.region for one in reading.findings]
    regions += [] if reading.anomaly is None else [reading.anomaly.region]
    where = outlines(source, regions, content.profile)
    groups = [
        _finding_group(content, finding, source, where[position], None if position else of_study)
        for position, finding in enumerate(reading.findings)
    ]
    if reading.anomaly is not None:
        groups.append(_anomaly_group(content, reading.anomaly, source, where[-1], None if groups else of_study))
    return groups


def _finding_group(
    content: ReportContent, finding: Finding, source: Source, where: Points | None, of_study: list[str] | None
) -> MeasurementsAndQualitativeEvaluations:
    model, words = content.model, words_in(content.language)
    certainty = Measurement(codes.CERTAINTY_OF_FINDING, round(100 * finding.probability, 4), codes.PERCENT)
    locate(certainty[0], source, where)
    group = MeasurementsAndQualitativeEvaluations(
        tracking_identifier=_tracking(model, source, finding.name, finding.finding.meaning),
        finding_type=codes.concept(finding.finding),
        finding_sites=[FindingSite(codes.concept(finding.site))],
        algorithm_id=_algorithm(model, finding.threshold),
        measurements=[certainty],
        qualitative_evaluations=[
            QualitativeEvaluation(codes.concept(finding.finding), codes.PRESENT if finding.present else codes.ABSENT)
        ],
    )
    lines = [finding_line(words, model, finding), *place_lines(words, finding)]
    return _completed(group, source, _arranged(content, lines, of_study))


def _anomaly_group(
    content: ReportContent, anomaly: Anomaly, source: Source, where: Points | None, of_study: list[str] | None
) -> MeasurementsAndQualitativeEvaluations:
    score = Measurement(codes.Z_SCORE, round(anomaly.z_score, 4), codes.STANDARD_DEVIATIONS)
    locate(score[0], source, where)
    group = MeasurementsAndQualitativeEvaluations(
        tracking_identifier=_tracking(content.model, source, "anomaly", "Abnormality"),
        finding_type=codes.ABNORMALITY,
        algorithm_id=_algorithm(content.model),
        measurements=[score],
    )
    words = words_in(content.language)
    lines = [*anomaly_lines(words, anomaly), *place_lines(words, anomaly)]
    return _completed(group, source, _arranged(content, lines, of_study))


def _not_assessed_group(
    content: ReportContent, reading: Reading, source: Source, of_study: list[str]
) -> MeasurementsAndQualitativeEvaluations:
    """Return a group that says why, and holds neither a finding nor a score."""
    group = MeasurementsAndQualitativeEvaluations(
        tracking_identifier=_tracking(content.model, source, "not assessed", "Not assessed"),
        algorithm_id=_algorithm(content.model),
    )
    count = not_assessed_count()
    locate(count, source, *outlines(source, [()], content.profile))
    items: list[ContentItem] = [_summary_of_analyses(status_of(reading)), _conclusion(reason_of(reading.admission))]
    group[0].ContentSequence.extend([*items, count])
    lines = not_assessed_lines(words_in(content.language), reading.admission)
    return _completed(group, source, _arranged(content, lines, of_study))


def _arranged(content: ReportContent, lines: list[str], of_study: list[str] | None) -> list[str]:
    """Return the lines of a group in their order.

    Of the first group of an image, OHIF shows the first five, and so what this is, what was found and what the study
    comes to.
    """
    if of_study is None:
        return lines
    return [*research_lines(words_in(content.language), content.model), *lines[:1], *of_study, *lines[1:]]


def _completed(
    group: MeasurementsAndQualitativeEvaluations, source: Source, lines: list[str]
) -> MeasurementsAndQualitativeEvaluations:
    group[0].ContentSequence.extend([image(source, codes.SOURCE_OF_MEASUREMENT, _CONTAINS), *_comments(lines)])
    return group


def _tracking(model: ModelIdentity, source: Source, key: str, name: str) -> TrackingIdentifier:
    """Return identifiers that stay the same whenever the same model reads the same image or frame again."""
    header, frame = source.header, () if source.frame is None else (str(source.frame),)
    uid = derived_uid("tracking", header.study_instance_uid, header.sop_instance_uid, key, model.name, *frame)
    return TrackingIdentifier(uid=uid, identifier=f"{model.name}: {name}")


def _algorithm(model: ModelIdentity, threshold: float | None = None) -> AlgorithmIdentification:
    return AlgorithmIdentification(
        name=model.name,
        version=model.version,
        parameters=parameter_lines(model, threshold) or None,
        family=codes.ARTIFICIAL_INTELLIGENCE,
    )


def _summary_of_analyses(status: CodedConcept) -> CodeContentItem:
    return CodeContentItem(codes.SUMMARY_OF_ANALYSES, status, _CONTAINS)


def _conclusion(reason: CodedConcept) -> CodeContentItem:
    return CodeContentItem(codes.CONCLUSION, reason, _CONTAINS)


def _comments(lines: list[str]) -> list[TextContentItem]:
    """Return an item for each line: viewers draw a text with line breaks as one long line."""
    return [TextContentItem(codes.COMMENT, line, _CONTAINS) for line in lines]
