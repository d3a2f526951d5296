"""Domain values survive their way through JSON."""

import json

from hypothesis import given
from hypothesis import strategies as st

from node.domain.finding import Admission, Anomaly, Code, Finding, Reading
from node.domain.instance import InstanceHeader
from node.domain.rule import Rule
from node.store import codec

_PROBABILITY = st.floats(min_value=0, max_value=1)
_CODE = st.builds(Code, st.text(), st.text(), st.text())
_READING = st.builds(
    Reading,
    sop_instance_uid=st.text(),
    admission=st.builds(Admission, st.booleans(), st.none() | _CODE, st.text()),
    findings=st.lists(st.builds(Finding, st.text(), _CODE, _CODE, _PROBABILITY, _PROBABILITY)).map(tuple),
    anomaly=st.none() | st.builds(Anomaly, st.floats(-50, 50), st.floats(0, 100)),
)


@given(st.builds(InstanceHeader, image_type=st.lists(st.text()).map(tuple), device_uids=st.lists(st.text()).map(tuple)))
def test_a_header_comes_back_as_it_was(header: InstanceHeader) -> None:
    """Tuples come back as tuples, and text unchanged."""
    assert codec.header_from_json(json.loads(json.dumps(codec.header_to_json(header)))) == header


@given(_READING)
def test_a_reading_comes_back_as_it_was(reading: Reading) -> None:
    """Floats to the last bit: a report made again must say the same."""
    assert codec.reading_from_json(json.loads(json.dumps(codec.reading_to_json(reading)))) == reading


def test_a_rule_comes_back_as_it_was() -> None:
    """With the pair of ages as a tuple."""
    rule = Rule(("DX",), ("CHEST",), ("SCANNER",), (0.0, 5.5))

    assert codec.rule_from_json(json.loads(json.dumps(codec.rule_to_json(rule)))) == rule


def test_an_element_that_this_version_does_not_know_is_left_out() -> None:
    """A newer version's row can still be read after a step back."""
    header = InstanceHeader("1", "2", "3", "4", "5")

    assert codec.header_from_json(codec.header_to_json(header) | {"new_element": "x"}) == header
