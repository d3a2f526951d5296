"""Which heat maps go with a report, and the UIDs that they get; no pixel is known here.

A map shows where one answer about one image came from. Only what was flagged, or is unusual, has one, and only where
the reading kept its grid.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import TypeVar

from node.domain.finding import Anomaly, Finding, FrameReading, HeatGrid, KeyImage, Reading
from node.domain.identifiers import SeriesInstanceUID, SOPInstanceUID, StudyInstanceUID, derived_uid
from node.domain.report import ModelIdentity, ReportIdentity, report_identity

Said = TypeVar("Said", Finding, Anomaly)

_ANOMALY = "anomaly"

SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
"""SOP class of a heat map: Secondary Capture Image Storage."""

MOST_HEAT_MAPS = 4
"""How many go with one report, those of the highest scores: each takes up to three megabytes of the database."""


@dataclass(frozen=True, slots=True)
class HeatMap:
    """One heat map to draw: of a class, or of the anomaly score."""

    number: int  #: from 1, among those of the report
    image: KeyImage
    said: Finding | Anomaly
    heat: HeatGrid
    left_out: int = 0  #: how much more of the report is flagged or unusual and has no map

    @property
    def key(self) -> str:
        """The class's key in the bundle, or "anomaly"."""
        return self.said.name if isinstance(self.said, Finding) else _ANOMALY


def heat_maps(readings: Iterable[Reading]) -> tuple[HeatMap, ...]:
    """Return the heat maps that go with a report of these readings: the highest scores first, then what is unusual."""
    shown = list(_said(readings))
    found = [(image, said, said.heat) for image, said in shown if said.heat is not None]
    found.sort(key=lambda one: _rank(one[1]))
    drawn = found[:MOST_HEAT_MAPS]
    return tuple(HeatMap(number, *one, len(shown) - len(drawn)) for number, one in enumerate(drawn, start=1))


def with_grids_to_draw(reading: Reading) -> Reading:
    """Return a reading with no more grids than heat maps may be drawn of it: a clip has hundreds of frames."""
    if not reading.frames:
        return reading
    drawn = {(one.image.frame, one.key) for one in heat_maps([reading])}
    frames = tuple(
        replace(
            frame,
            findings=tuple(_kept(one, (frame.number, one.name) in drawn) for one in frame.findings),
            anomaly=frame.anomaly and _kept(frame.anomaly, (frame.number, _ANOMALY) in drawn),
        )
        for frame in reading.frames
    )
    findings = tuple(replace(one, heat=None) for one in reading.findings)
    return replace(
        reading, findings=findings, anomaly=reading.anomaly and replace(reading.anomaly, heat=None), frames=frames
    )


def heat_map_identity(
    study_instance_uid: StudyInstanceUID,
    model: ModelIdentity,
    inputs: tuple[str, ...],
    drawn: HeatMap,
    *,
    patient_key: str = "",
    predecessor: str = "",
    language: str = "en",
) -> ReportIdentity:
    """Return the UIDs of a heat map; the parameters are those of `node.domain.report.report_identity`.

    All heat maps of one model on one study stand in one series, beside that of its reports.
    """
    whole = report_identity(
        study_instance_uid,
        model,
        inputs,
        SECONDARY_CAPTURE,
        patient_key=patient_key,
        predecessor=predecessor,
        language=language,
    )
    frame = str(drawn.image.frame or "")
    instance = derived_uid("heat map", whole.sop_instance_uid, drawn.image.sop_instance_uid, frame, drawn.key)
    series = derived_uid("heat map series", study_instance_uid, model.name)
    return ReportIdentity(SOPInstanceUID(instance), SeriesInstanceUID(series), SECONDARY_CAPTURE)


def _kept(said: Said, drawn: bool) -> Said:  # noqa: FBT001 - a comparison's result
    return said if drawn else replace(said, heat=None)


def _said(readings: Iterable[Reading]) -> Iterator[tuple[KeyImage, Finding | Anomaly]]:
    for reading in readings:
        uid = reading.sop_instance_uid
        if not reading.frames:
            yield from ((KeyImage(uid), said) for said in _worth_showing(reading))
        for frame in reading.frames:
            yield from ((KeyImage(uid, frame.number), said) for said in _worth_showing(frame))


def _worth_showing(read: Reading | FrameReading) -> Iterator[Finding | Anomaly]:
    yield from (finding for finding in read.findings if finding.present)
    if read.anomaly is not None and read.anomaly.unusual:
        yield read.anomaly


def _rank(said: Finding | Anomaly) -> tuple[bool, float]:
    return (False, -said.probability) if isinstance(said, Finding) else (True, -said.z_score)
