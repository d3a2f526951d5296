"""What a report says of the study as a whole: the lines that a person reads first, and the images that they name.

Images are named as the devices that show them do, by the numbers of series and image; by UID only where these are
missing or stand for several images. The words come from `node.domain.words`.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from node.dicom.result.choice import MOST_DETAILED, number_of_parts, refused_shown
from node.dicom.result.lines import research_lines, threshold_of, told_apart, verdict_of
from node.dicom.sources.source import Source
from node.domain.finding import FrameReading, KeyImage, Outcome, Reading, StudyFinding
from node.domain.identifiers import SOPInstanceUID
from node.domain.report import ReportContent
from node.domain.rule import Aggregation
from node.domain.words import Words, words_in

_MOST_FRAMES_NAMED = 10
_MOST_LEADING = 8  # viewers draw these over the image


@dataclass(frozen=True, slots=True)
class SummaryLine:
    """A line for a person, and the image or frame that it names."""

    text: str
    image: KeyImage | None = None


def first_line(content: ReportContent) -> str:
    """Return what a report is, in one line for whoever copies it; beside an image, where lines are cut, it has more."""
    words = words_in(content.language)
    return words.language["between_lines"].join(research_lines(words, content.model))


def summary(content: ReportContent, sources: Sequence[Source]) -> list[SummaryLine]:
    """Return the lines that stand for the whole report: what it is, what it concludes and from which images."""
    words = words_in(content.language)
    return [
        SummaryLine(first_line(content)),
        *map(SummaryLine, _synthetic(words, content)),
        *_result(words, content, sources),
    ]


def leading(content: ReportContent, sources: Sequence[Source]) -> list[str]:
    """Return what stands in the first measurement group beside what is said of its image: the result of the study.

    OHIF shows the comments of groups alone. As the fifth of its five lines it would else write the coded certainty in
    per cent, as if that were a probability at this site.
    """
    words = words_in(content.language)
    result = [line.text for line in _result(words, content, sources)][:_MOST_LEADING]
    return [*_synthetic(words, content), *result]


def image_names(words: Words, sources: Sequence[Source]) -> dict[SOPInstanceUID, str]:
    """Return what a person calls each image, for those that have numbers of their own."""
    numbers = {
        source.header.sop_instance_uid: (source.header.series_number, source.header.instance_number)
        for source in sources
    }
    seen = Counter(numbers.values())
    views = {source.header.sop_instance_uid: source.header.view_position for source in sources}
    return {uid: _numbered(words, *of, views[uid]) for uid, of in numbers.items() if all(of) and seen[of] == 1}


def named(words: Words, image: KeyImage, names: Mapping[SOPInstanceUID, str]) -> str:
    """Return what a person calls an image or frame; its UID where nothing else names it."""
    name = names.get(image.sop_instance_uid, str(image.sop_instance_uid))
    return name if image.frame is None else words.line("frame", image=name, frame=image.frame)


def _numbered(words: Words, series: object, number: object, view: str) -> str:
    if view:
        return words.line("image_with_view", series=series, number=number, view=view)
    return words.line("image", series=series, number=number)


def _synthetic(words: Words, content: ReportContent) -> list[str]:
    return words.lines("synthetic") if content.synthetic else []


def _result(words: Words, content: ReportContent, sources: Sequence[Source]) -> list[SummaryLine]:
    names = image_names(words, sources)
    parts = number_of_parts(content.readings)
    findings = content.findings if parts > 1 else ()
    return [
        *map(SummaryLine, _conclusion(words, content)),
        *map(SummaryLine, _missing(words, content)),
        *(line for finding in findings for line in _study_lines(words, finding, names)),
        *(SummaryLine(line) for reading in content.readings for line in _frames_lines(words, reading, names)),
        *map(SummaryLine, _chosen(words, content, parts) if parts > MOST_DETAILED else []),
    ]


def _conclusion(words: Words, content: ReportContent) -> list[str]:
    """Return what the study comes to, and of how many of its images."""
    admitted, images = sum(reading.admission.admitted for reading in content.readings), len(content.readings)
    of = {"assessed": admitted, "images": images + content.unread}
    if content.outcome is Outcome.NOT_ASSESSED:
        return words.lines("not_assessed", **of)
    return _flagged(words, content, of) if content.outcome is Outcome.POSITIVE else _not_flagged(words, content, of)


def _flagged(words: Words, content: ReportContent, of: Mapping[str, int]) -> list[str]:
    """Return that something is flagged; of a model with several classes, also what."""
    if len(content.findings) < 2:
        return words.lines("positive", **of)
    present = [words.named(one.finding) for one in content.findings if one.present]
    return words.lines("positive_classes", **of, findings=words.listed(present))


def _not_flagged(words: Words, content: ReportContent, of: Mapping[str, int]) -> list[str]:
    """Return that nothing is flagged, and which images alone would be: their groups say so."""
    single = [
        words.line("finding_in_images", finding=words.named(one.finding), images=one.reached)
        for one in content.findings
        if one.reached
    ]
    if not single:
        return words.lines("negative", **of)
    return words.lines("negative_though_single", **of, findings=words.listed(single))


def _missing(words: Words, content: ReportContent) -> Iterator[str]:
    """Yield what of the study is not in the conclusion."""
    frames = [frame.admitted for reading in content.readings for frame in reading.frames]
    if not all(frames):
        yield from words.lines("assessed_frames", assessed=sum(frames), frames=len(frames))
    if content.unread:
        yield from words.lines("unread", images=content.unread)


def _study_lines(words: Words, finding: StudyFinding, names: Mapping[SOPInstanceUID, str]) -> Iterator[SummaryLine]:
    """Yield what is said of one class of a study of several images, and which of them decided."""
    name, verdict = words.named(finding.finding), verdict_of(words, present=finding.present)
    said = {"finding": name, "verdict": verdict}
    if finding.score is None:
        counts = {"reached": finding.reached, "assessed": finding.assessed}
        yield from map(
            SummaryLine, words.lines("study_any", **said, **counts, threshold=threshold_of(finding.threshold))
        )
    else:
        score, limit = told_apart(finding.score, finding.threshold)
        yield from map(SummaryLine, words.lines("study_score", **said, score=score, threshold=limit))
        yield from map(SummaryLine, _figure(words, finding))
    for image in finding.key_images:
        yield SummaryLine(words.line("key_image", finding=name, image=named(words, image, names)), image)


def _figure(words: Words, finding: StudyFinding) -> list[str]:
    """Return what the study's score is made of."""
    match Aggregation(finding.aggregation):
        case Aggregation.MAXIMUM:
            return words.lines("score_maximum", assessed=finding.assessed)
        case Aggregation.TOP_K:
            return words.lines("score_top_k", averaged=finding.averaged or "", assessed=finding.assessed)
        case _:
            return words.lines("score_mean", assessed=finding.assessed)


def _frames_lines(words: Words, reading: Reading, names: Mapping[SOPInstanceUID, str]) -> list[str]:
    """Return which frames of an image that was assessed were not."""
    missing = [frame for frame in reading.frames if not frame.admitted]
    if not missing or not reading.admission.admitted:
        return []
    image = named(words, KeyImage(reading.sop_instance_uid), names)
    return words.lines("frames_left_out", image=image, frames=_frame_numbers(words, missing))


def _frame_numbers(words: Words, frames: Sequence[FrameReading]) -> str:
    numbers = words.listed([str(frame.number) for frame in frames[:_MOST_FRAMES_NAMED]])
    more = len(frames) - _MOST_FRAMES_NAMED
    return words.line("and_more", frames=numbers, more=more) if more > 0 else numbers


def _chosen(words: Words, content: ReportContent, parts: int) -> list[str]:
    """Return which images and frames the report goes into, where these are not all."""
    shown, refused = refused_shown(content.readings)
    said = {
        "chosen_deciding": any(finding.key_images for finding in content.findings),
        "chosen_highest": bool(content.findings),
        "chosen_unusual": any(reading.anomaly is not None for reading in content.readings),
        "chosen_refused": bool(refused),
    }
    into = [line for key, is_so in said.items() if is_so for line in words.lines(key, shown=shown, refused=refused)]
    return [*words.lines("chosen", parts=parts), *into]
