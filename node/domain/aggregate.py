"""From images to a study: pure rules about how what a model says of each becomes one result.

An image that was read frame by frame counts as so many images; one that was not admitted counts as none.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean

from node.domain.finding import Admission, Finding, FrameReading, KeyImage, Outcome, Reading, StudyFinding
from node.domain.identifiers import SOPInstanceUID
from node.domain.rule import Aggregation

MOST_KEY_IMAGES = 5
"""How many key images of a class are named, beside those that a top-k mean is made of."""


@dataclass(frozen=True, slots=True)
class _Scored:
    """One class on one image or frame."""

    image: KeyImage
    finding: Finding


def outcome_of(readings: Sequence[Reading], findings: Iterable[StudyFinding]) -> Outcome:
    """Return what a study's findings conclude: one present class is positive, one admitted image an assessment."""
    if not any(reading.admission.admitted for reading in readings):
        return Outcome.NOT_ASSESSED
    return Outcome.POSITIVE if any(finding.present for finding in findings) else Outcome.NEGATIVE


def aggregated(readings: Iterable[Reading], how: Aggregation = Aggregation.ANY, top_k: int = 3) -> list[StudyFinding]:
    """Return what the readings of a study's images say of each class, in the order of the model's classes.

    Parameters
    ----------
    readings
        Of all images of the study, admitted or not, in any number of series.
    how
        The rule's aggregation.
    top_k
        How many scores the mean of `Aggregation.TOP_K` is of, 1 or more.
    """
    by_class: dict[str, list[_Scored]] = {}
    for scored in _scored(readings):
        by_class.setdefault(scored.finding.name, []).append(scored)
    return [_aggregated(scored, how, top_k) for scored in by_class.values()]


def in_one(uid: SOPInstanceUID, frames: Sequence[FrameReading], admission: Admission) -> Reading:
    """Return the reading of an image whose frames were read one by one.

    Parameters
    ----------
    uid
        The image's SOP Instance UID.
    frames
        What was said of each, in their order.
    admission
        Of the image as a whole: admitted where one of its frames was.
    """
    admitted = [frame for frame in frames if frame.admitted]
    anomalies = [frame.anomaly for frame in admitted if frame.anomaly is not None]
    anomaly = max(anomalies, key=lambda one: one.z_score, default=None)
    return Reading(uid, admission, _highest(admitted), anomaly, tuple(frames))


def _highest(frames: Sequence[FrameReading]) -> tuple[Finding, ...]:
    of_classes = zip(*(frame.findings for frame in frames), strict=True)
    return tuple(max(of_class, key=_probability) for of_class in of_classes)


def _scored(readings: Iterable[Reading]) -> Iterable[_Scored]:
    for reading in readings:
        uid = reading.sop_instance_uid
        if not reading.frames:
            yield from (_Scored(KeyImage(uid), finding) for finding in reading.findings)
        for frame in reading.frames:
            yield from (_Scored(KeyImage(uid, frame.number), finding) for finding in frame.findings)


def _aggregated(scored: Sequence[_Scored], how: Aggregation, top_k: int) -> StudyFinding:
    # sorting is stable: of equal scores the first image stays the first
    highest_first = sorted(scored, key=lambda one: -one.finding.probability)
    reached = [one for one in highest_first if one.finding.present]
    score, deciding = _decided(highest_first, reached, how, top_k)
    described = scored[0].finding
    present = bool(reached) if score is None else score >= described.threshold
    return StudyFinding(
        described.name,
        described.finding,
        how.value,
        score,
        described.threshold,
        present,
        assessed=len(scored),
        reached=len(reached),
        key_images=tuple(one.image for one in deciding) if present else (),
        averaged=min(top_k, len(scored)) if how is Aggregation.TOP_K else None,
    )


def _decided(
    highest_first: Sequence[_Scored], reached: Sequence[_Scored], how: Aggregation, top_k: int
) -> tuple[float | None, Sequence[_Scored]]:
    """Return the study's figure, None where no one stands for it, and the images that decide where it is present."""
    match how:
        case Aggregation.ANY:
            return None, reached[:MOST_KEY_IMAGES]
        case Aggregation.MAXIMUM:
            return highest_first[0].finding.probability, highest_first[:1]
        case Aggregation.MEAN:
            # all images take part; those that pull the mean over the threshold are the ones to look at
            return _mean(highest_first), reached[:MOST_KEY_IMAGES]
        case Aggregation.TOP_K:
            highest = highest_first[:top_k]
            return _mean(highest), [one for one in highest if one.finding.present]


def _mean(scored: Sequence[_Scored]) -> float:
    return fmean(one.finding.probability for one in scored)


def _probability(finding: Finding) -> float:
    return finding.probability
