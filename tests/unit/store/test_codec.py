"""Domain values survive their way through JSON."""

import json

from hypothesis import given
from hypothesis import strategies as st

from node.domain.finding import Admission, Anomaly, Code, Finding, FrameReading, HeatGrid, Reading
from node.domain.instance import InstanceHeader
from node.domain.rule import Rule
from node.store import codec

_PROBABILITY = st.floats(min_value=0, max_value=1)
_CODE = st.builds(Code, st.text(), st.text(), st.text())
_REGION = st.lists(st.tuples(st.floats(0, 4096), st.floats(0, 4096)), max_size=4).map(tuple)
_HEAT = st.none() | st.builds(HeatGrid, st.integers(1, 64), st.integers(1, 64), st.text())
_FINDINGS = st.lists(
    st.builds(Finding, st.text(), _CODE, _CODE, _PROBABILITY, _PROBABILITY, _REGION, _HEAT), max_size=3
).map(tuple)
_ANOMALY = st.none() | st.builds(Anomaly, st.floats(-50, 50), st.floats(0, 100), _REGION, _HEAT)
_READING = st.builds(
    Reading,
    sop_instance_uid=st.text(),
    admission=st.builds(Admission, st.booleans(), st.none() | _CODE, st.text()),
    findings=_FINDINGS,
    anomaly=_ANOMALY,
    frames=st.lists(st.builds(FrameReading, st.integers(1), st.booleans(), _FINDINGS, _ANOMALY), max_size=2).map(tuple),
)


@given(st.builds(InstanceHeader, image_type=st.lists(st.text()).map(tuple), device_uids=st.lists(st.text()).map(tuple)))
def test_a_header_comes_back_as_it_was(header: InstanceHeader) -> None:
    """Tuples come back as tuples, and text unchanged."""
    assert codec.header_from_json(json.loads(json.dumps(codec.header_to_json(header)))) == header


@given(_READING)
def test_a_reading_comes_back_as_it_was(reading: Reading) -> None:
    """Floats to the last bit: a report made again must say the same."""
    assert codec.reading_from_json(json.loads(json.dumps(codec.reading_to_json(reading)))) == reading


def test_a_reading_of_an_older_version_has_no_regions() -> None:
    """What it did not store has its default."""
    code = {"value": "C", "scheme": "S", "meaning": "M"}
    finding = {"name": "a", "finding": code, "site": code, "probability": 0.9, "threshold": 0.5}
    row = {
        "sop_instance_uid": "1.2",
        "admission": {"admitted": True, "reason": None, "sentence": "", "score": 0.1, "limit": 1.0},
        "findings": [finding],
        "anomaly": {"z_score": 3.0, "percentile": 99.0},
    }

    reading = codec.reading_from_json(row)

    assert (reading.findings[0].region, reading.findings[0].heat) == ((), None)
    assert reading.anomaly == Anomaly(3.0, 99.0)


def test_a_rule_comes_back_as_it_was() -> None:
    """With the pair of ages as a tuple."""
    rule = Rule(("DX",), ("CHEST",), ("SCANNER",), (0.0, 5.5))

    assert codec.rule_from_json(json.loads(json.dumps(codec.rule_to_json(rule)))) == rule


def test_an_element_that_this_version_does_not_know_is_left_out() -> None:
    """A newer version's row can still be read after a step back."""
    header = InstanceHeader("1", "2", "3", "4", "5")

    assert codec.header_from_json(codec.header_to_json(header) | {"new_element": "x"}) == header
