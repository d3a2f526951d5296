"""What the fuzzer sends can be drawn again, written down, and understood by its own reference."""

import json

import pytest

from bench.fuzzing.cases import draw, from_json, proof_of_life
from bench.sending.wire import FIELD, STORE_RQ, messages


def test_a_case_is_the_same_each_time_it_is_drawn() -> None:
    """The seed and the number say all."""
    assert [draw(7, number) for number in range(200)] == [draw(7, number) for number in range(200)]
    assert [draw(7, number) for number in range(50)] != [draw(8, number) for number in range(50)]


@pytest.mark.parametrize("number", range(20))
def test_a_case_that_was_written_down_is_the_case(number: int) -> None:
    """So that what it showed can be seen again."""
    case = draw(1, number)
    assert from_json(json.loads(json.dumps(case.as_json()))) == case


def test_the_reference_finds_the_messages_of_a_valid_case() -> None:
    """A C-STORE with its dataset and a C-ECHO."""
    found = messages(proof_of_life(1, 1).stream)
    assert [message.number(FIELD) for message in found] == [STORE_RQ, 0x0030]
    assert found[0].sop_instance_uid.encode() in found[0].dataset or len(found[0].dataset) > 500


def test_the_reference_finds_no_message_in_a_cut_one() -> None:
    """What was not sent whole must not be in the store."""
    stream = proof_of_life(1, 2).stream
    whole = messages(stream)[0].dataset
    assert [it for it in messages(stream[: len(stream) // 2]) if it.dataset == whole] == []
