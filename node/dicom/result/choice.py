"""Which images and frames a report goes into: all where they are few, else those that decided.

A series of three hundred slices gives a report that a person can read: the key images, the highest of each class,
the most unusual, and a few that were not assessed. The result of the study is made of all of them, and says so.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from node.dicom.sources.source import Source
from node.domain.finding import Finding, FrameReading, KeyImage, Reading
from node.domain.report import ReportContent

MOST_DETAILED = 20
"""Up to so many images and frames, a report goes into each."""

_MOST_REFUSED = 5  # images that were not assessed, where not all images are gone into


@dataclass(frozen=True, slots=True)
class _Part:
    """One image, or one frame that was read of it."""

    reading: Reading
    source: Source

    @property
    def key(self) -> KeyImage:
        return KeyImage(self.reading.sop_instance_uid, self.source.frame)


def detailed(content: ReportContent, sources: Sequence[Source]) -> list[tuple[Reading, Source]]:
    """Return the images and frames that the report goes into: those that decided first, then the others in their order.

    A viewer opens a report on the image of its first group.

    Parameters
    ----------
    content
        What the report says; its readings are in the order of `sources`.
    sources
        The source images.

    Returns
    -------
    list of tuple
        Of a frame, its source names it and its reading holds what was said of it alone.
    """
    parts = [
        part for reading, source in zip(content.readings, sources, strict=True) for part in _parts(reading, source)
    ]
    if len(parts) > MOST_DETAILED:
        wanted = _wanted(content, parts)
        parts = [part for part in parts if part.key in wanted]
    decided = [image for finding in content.findings for image in finding.key_images]
    parts.sort(key=lambda part: decided.index(part.key) if part.key in decided else len(decided))
    return [(part.reading, part.source) for part in parts]


def number_of_parts(readings: Sequence[Reading]) -> int:
    """Return how many images and frames there are to go into."""
    return sum(max(1, sum(frame.admitted for frame in reading.frames)) for reading in readings)


def refused_shown(readings: Sequence[Reading]) -> tuple[int, int]:
    """Return how many images that were not assessed a report goes into that does not go into all, and of how many."""
    refused = sum(not reading.admission.admitted for reading in readings)
    return min(refused, _MOST_REFUSED), refused


def _parts(reading: Reading, source: Source) -> Iterator[_Part]:
    admitted = [frame for frame in reading.frames if frame.admitted]
    if not admitted:
        yield _Part(reading, source)
    for frame in admitted:
        yield _Part(_of_frame(reading, frame), replace(source, frame=frame.number))


def _of_frame(reading: Reading, frame: FrameReading) -> Reading:
    return replace(reading, findings=frame.findings, anomaly=frame.anomaly, frames=())


def _wanted(content: ReportContent, parts: Sequence[_Part]) -> set[KeyImage]:
    wanted = {image for finding in content.findings for image in finding.key_images}
    highest: dict[str, tuple[Finding, KeyImage]] = {}
    for part in parts:
        for finding in part.reading.findings:
            known = highest.get(finding.name)
            if known is None or finding.probability > known[0].probability:
                highest[finding.name] = (finding, part.key)
    wanted.update(key for _, key in highest.values())
    unusual = [(part.reading.anomaly.z_score, part.key) for part in parts if part.reading.anomaly is not None]
    if unusual:
        wanted.add(max(unusual, key=lambda one: one[0])[1])
    refused = [part.key for part in parts if not part.reading.admission.admitted]
    return wanted.union(refused[:_MOST_REFUSED])
