"""Which heat maps go with a report: of what was flagged or is unusual, the highest first, each with UIDs of its own."""

from node.domain.chosen_heat_maps import MOST_HEAT_MAPS, HeatMap, heat_map_identity, heat_maps, with_grids_to_draw
from node.domain.finding import Admission, Anomaly, Code, Finding, FrameReading, HeatGrid, Reading
from node.domain.identifiers import SOPInstanceUID, StudyInstanceUID
from node.domain.report import ModelIdentity, report_identity

_CODE = Code("C", "99TEST", "Class")
_HEAT = HeatGrid(1, 2, "AP8=")
_STUDY, _MODEL = StudyInstanceUID("1.2.3"), ModelIdentity("starter", "1.0.0", "2.25.1")


def _finding(probability: float, heat: HeatGrid | None = _HEAT) -> Finding:
    return Finding("a", _CODE, _CODE, probability, 0.5, heat=heat)


def _reading(uid: str, *findings: Finding, anomaly: Anomaly | None = None) -> Reading:
    return Reading(SOPInstanceUID(uid), Admission(admitted=True), findings, anomaly)


def _drawn(readings: list[Reading]) -> list[tuple[str, int | None, str]]:
    return [(one.image.sop_instance_uid, one.image.frame, one.key) for one in heat_maps(readings)]


def test_what_was_flagged_comes_first_and_then_what_is_unusual() -> None:
    """By score; what is not flagged, usual or without a grid has none."""
    unusual, usual = Anomaly(4.0, 99.0, heat=_HEAT), Anomaly(0.1, 40.0, heat=_HEAT)
    readings = [
        _reading("1", _finding(0.6), anomaly=unusual),
        _reading("2", _finding(0.9), anomaly=usual),
        _reading("3", _finding(0.2)),
        _reading("4", _finding(0.99, heat=None)),
    ]

    assert _drawn(readings) == [("2", None, "a"), ("1", None, "a"), ("1", None, "anomaly")]


def test_each_says_how_much_more_has_none() -> None:
    """A reader must not take a flagged image without a map for one on which nothing stands out."""
    readings = [_reading(str(number), _finding(0.6 + number / 100)) for number in range(6)]

    assert [one.left_out for one in heat_maps(readings)] == [2] * MOST_HEAT_MAPS
    assert [one.left_out for one in heat_maps(readings[:2])] == [0, 0]
    assert [one.left_out for one in heat_maps([_reading("1", _finding(0.9), _finding(0.8, heat=None))])] == [1]


def test_frames_have_their_own() -> None:
    """The image as a whole repeats what its highest frame says, and has none beside it."""
    frames = (FrameReading(1, True, (_finding(0.6),)), FrameReading(2, True, (_finding(0.8),)))
    reading = Reading(SOPInstanceUID("1"), Admission(admitted=True), (_finding(0.8),), None, frames)

    assert _drawn([reading]) == [("1", 2, "a"), ("1", 1, "a")]


def test_of_a_clip_only_the_grids_that_are_drawn_are_kept() -> None:
    """The same heat maps come of it, and the rest of what was said stays."""
    unusual = Anomaly(4.0, 99.0, heat=_HEAT)
    frames = tuple(FrameReading(n, True, (_finding(0.5 + n / 1000),), unusual) for n in range(1, 301))
    reading = Reading(SOPInstanceUID("1"), Admission(admitted=True), frames[-1].findings, unusual, frames)
    thin = with_grids_to_draw(reading)
    said = [one for frame in thin.frames for one in (*frame.findings, frame.anomaly)]

    assert heat_maps([thin]) == heat_maps([reading])
    assert sum(one is not None and one.heat is not None for one in said) == MOST_HEAT_MAPS
    assert [frame.findings[0].probability for frame in thin.frames] == [
        frame.findings[0].probability for frame in frames
    ]
    assert with_grids_to_draw(_reading("1", _finding(0.9))) == _reading("1", _finding(0.9))


def test_a_long_series_gets_a_few() -> None:
    """Those of the highest scores, numbered."""
    drawn = heat_maps(_reading(str(number), _finding(0.5 + number / 1000)) for number in range(1, 301))

    assert [one.number for one in drawn] == list(range(1, MOST_HEAT_MAPS + 1))
    assert drawn[0].image.sop_instance_uid == "300"


def test_each_heat_map_has_a_uid_of_its_own_in_one_series() -> None:
    """Beside the series of the reports, and the same whenever it is made again."""
    one, other = heat_maps([_reading("1", _finding(0.6)), _reading("2", _finding(0.9))])

    def identity(drawn: HeatMap, language: str = "en") -> tuple[str, str]:
        made = heat_map_identity(_STUDY, _MODEL, ("1", "2"), drawn, language=language)
        return made.sop_instance_uid, made.series_instance_uid

    report = report_identity(_STUDY, _MODEL, ("1", "2"), "1.2.840.10008.5.1.4.1.1.88.34")
    uids = {identity(one)[0], identity(other)[0], identity(one, "zh")[0], report.sop_instance_uid}
    assert len(uids) == 4
    assert identity(one) == identity(one)
    assert identity(one)[1] == identity(other)[1] != report.series_instance_uid
