"""What a report says of the study as a whole: the lines that a person reads first, and the images that they name.

Images are named as the devices that show them do, by the numbers of series and image; by UID only where these are
missing or stand for several images.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from node.dicom.report_choice import MOST_DETAILED, number_of_parts, refused_shown
from node.dicom.report_lines import research_line, told_apart
from node.dicom.source import Source
from node.domain.finding import FrameReading, KeyImage, Outcome, Reading, StudyFinding
from node.domain.report import ReportContent
from node.domain.rule import Aggregation

SYNTHETIC_LINE = "SYNTHETIC IMAGES: made by a computer, of no patient. Nothing here is about a person."
"""What a report about synthetic images says of them."""

_MOST_FRAMES_NAMED = 10
_MOST_LEADING = 6  # viewers draw these over the image


@dataclass(frozen=True, slots=True)
class SummaryLine:
    """A line for a person, and the image or frame that it names."""

    text: str
    image: KeyImage | None = None


def summary(content: ReportContent, sources: Sequence[Source]) -> list[SummaryLine]:
    """Return the lines that stand for the whole report: what it is, what it concludes and from which images."""
    synthetic = [SummaryLine(SYNTHETIC_LINE)] if content.synthetic else []
    return [SummaryLine(research_line(content.model)), *synthetic, *_result(content, sources)]


def leading(content: ReportContent, sources: Sequence[Source]) -> list[str]:
    """Return what stands in the first measurement group of a report of several images or of a part of a study.

    OHIF shows the comments of groups alone.
    """
    if number_of_parts(content.readings) == 1 and not content.unread:
        return []
    return [line.text for line in _result(content, sources)][:_MOST_LEADING]


def _result(content: ReportContent, sources: Sequence[Source]) -> list[SummaryLine]:
    names = _names(sources)
    parts = number_of_parts(content.readings)
    findings = content.findings if parts > 1 else ()
    return [
        SummaryLine(_conclusion(content)),
        *(line for finding in findings for line in _study_lines(finding, names)),
        *(SummaryLine(line) for reading in content.readings for line in _frames_line(reading, names)),
        *([SummaryLine(_chosen(content, parts))] if parts > MOST_DETAILED else []),
    ]


def _names(sources: Sequence[Source]) -> dict[str, str]:
    numbers = {
        source.header.sop_instance_uid: (source.header.series_number, source.header.instance_number)
        for source in sources
    }
    seen = Counter(numbers.values())
    views = {source.header.sop_instance_uid: source.header.view_position for source in sources}
    return {
        uid: f"series {of[0]}, image {of[1]}" + (f" ({views[uid]})" if views[uid] else "")
        for uid, of in numbers.items()
        if all(of) and seen[of] == 1
    }


def _named(image: KeyImage, names: Mapping[str, str]) -> str:
    frame = "" if image.frame is None else f", frame {image.frame}"
    return names.get(image.sop_instance_uid, str(image.sop_instance_uid)) + frame


def _conclusion(content: ReportContent) -> str:
    """Return what was assessed and what that concludes, in one sentence."""
    said = {
        Outcome.POSITIVE: _flagged(content),
        Outcome.NEGATIVE: _not_flagged(content),
        Outcome.NOT_ASSESSED: "the study is not assessed",
    }
    return f"{_assessed(content)}; {said[content.outcome]}."


def _assessed(content: ReportContent) -> str:
    admitted, images = sum(reading.admission.admitted for reading in content.readings), len(content.readings)
    total = images + content.unread
    frames = [frame for reading in content.readings for frame in reading.frames]
    missing = any(not frame.admitted for frame in frames)
    of_frames = f" ({sum(frame.admitted for frame in frames)} of {len(frames)} frames)" if missing else ""
    unread = f", {content.unread} not read yet" if content.unread else ""
    return f"{admitted} of {total} image{'s' if total > 1 else ''}{of_frames} assessed{unread}"


def _flagged(content: ReportContent) -> str:
    """Return that something is flagged; of a model with several classes, also what."""
    if len(content.findings) < 2:
        return "at least one finding is flagged"
    return f"flagged: {', '.join(one.finding.meaning for one in content.findings if one.present)}"


def _not_flagged(content: ReportContent) -> str:
    """Return that nothing is flagged, and which images alone would be: their groups say so."""
    single = [f"{one.finding.meaning} in {one.reached}" for one in content.findings if one.reached]
    if not single:
        return "no finding is flagged"
    return f"no finding is flagged for the study, though single images reach the threshold: {', '.join(single)}"


def _study_lines(finding: StudyFinding, names: Mapping[str, str]) -> Iterator[SummaryLine]:
    """Yield what is said of one class of a study of several images, and which of them decided."""
    figure, limit = f"in {finding.reached}", f"{finding.threshold:.2f}"
    if finding.score is not None:
        score, limit = told_apart(finding.score, finding.threshold)
        figure = _FIGURES[Aggregation(finding.aggregation)].format(score=score, averaged=finding.averaged or "")
    verdict = "flagged" if finding.present else "not flagged"
    text = f"Study, {finding.finding.meaning}: {verdict}, {figure} of {finding.assessed} assessed (threshold {limit})"
    yield SummaryLine(text)
    for image in finding.key_images:
        yield SummaryLine(f"Key image, {finding.finding.meaning}: {_named(image, names)}", image)


_FIGURES = {
    Aggregation.MAXIMUM: "highest score {score}",
    Aggregation.MEAN: "mean score {score}",
    Aggregation.TOP_K: "mean of the {averaged} highest scores {score}",
}


def _frames_line(reading: Reading, names: Mapping[str, str]) -> Iterator[str]:
    """Yield which frames of an image that was assessed were not."""
    missing = [frame for frame in reading.frames if not frame.admitted]
    if missing and reading.admission.admitted:
        yield f"Not assessed, {_named(KeyImage(reading.sop_instance_uid), names)}: {_numbered(missing)}"


def _numbered(frames: Sequence[FrameReading]) -> str:
    numbers = ", ".join(str(frame.number) for frame in frames[:_MOST_FRAMES_NAMED])
    more = len(frames) - _MOST_FRAMES_NAMED
    return f"frame{'s' if len(frames) > 1 else ''} {numbers}" + (f" and {more} more" if more > 0 else "")


def _chosen(content: ReportContent, parts: int) -> str:
    """Return which images and frames the report goes into, where these are not all."""
    shown, refused = refused_shown(content.readings)
    said = {
        "those that decided": any(finding.key_images for finding in content.findings),
        "the highest of each class": bool(content.findings),
        "the most unusual": any(reading.anomaly is not None for reading in content.readings),
        f"{shown} of {refused} that were not assessed": bool(refused),
    }
    *others, last = [words for words, is_so in said.items() if is_so]
    into = f"{', '.join(others)} and {last}" if others else last
    return f"Of {parts} images and frames, this report goes into {into}."
