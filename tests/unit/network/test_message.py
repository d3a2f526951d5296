"""Fragments gathered into messages."""

import queue
from types import SimpleNamespace
from typing import Any

import pytest
from pynetdicom.pdu_primitives import P_DATA

from node.network.command import NO_DATASET, WITH_DATASET, CommandField, Element, encode_command
from node.network.message import MessageProvider

COMMAND, DATASET, LAST = 0x01, 0x00, 0x02


def command(data_set_type: int = WITH_DATASET) -> bytes:
    """Return an encoded C-STORE-RQ."""
    return encode_command(
        {
            Element.COMMAND_FIELD: CommandField.C_STORE_RQ,
            Element.MESSAGE_ID: 1,
            Element.COMMAND_DATA_SET_TYPE: data_set_type,
        }
    )


@pytest.fixture
def provider() -> MessageProvider:
    """Return a provider that keeps datasets of at most 10 bytes."""
    return MessageProvider(SimpleNamespace(dul=SimpleNamespace(event_queue=queue.Queue()), dimse_timeout=None), 10)


def give(provider: MessageProvider, *fragments: tuple[int, bytes]) -> Any:
    """Give each fragment in a P-DATA of its own, and return the message that came of them, or None."""
    for context_id, fragment in fragments:
        primitive = P_DATA()
        primitive.presentation_data_value_list.append((context_id, fragment))
        provider.receive_primitive(primitive)
    return provider.get_msg()[1]


def fragment(control: int, data: bytes, context_id: int = 1) -> tuple[int, bytes]:
    """Return one fragment with its message control header."""
    return context_id, bytes([control]) + data


def is_aborted(provider: MessageProvider) -> bool:
    """Return whether the provider asked for an abort of the association."""
    return not provider.dul.event_queue.empty()


def test_a_message_is_gathered_from_fragments(provider: MessageProvider) -> None:
    """Command and dataset may each come in several pieces."""
    encoded = command()
    message = give(
        provider,
        fragment(COMMAND, encoded[:9]),
        fragment(COMMAND | LAST, encoded[9:]),
        fragment(DATASET, b"abc"),
        fragment(DATASET | LAST, b"de"),
    )
    assert message.dataset == b"abcde"
    assert message.command.field == CommandField.C_STORE_RQ


def test_a_command_without_a_dataset_is_whole_at_once(provider: MessageProvider) -> None:
    """0x0101 says that nothing follows."""
    message = give(provider, fragment(COMMAND | LAST, command(NO_DATASET)))
    assert message.dataset is None


def test_a_second_message_starts_afresh(provider: MessageProvider) -> None:
    """Nothing of one message is left in the next, not even its context."""
    give(provider, fragment(COMMAND | LAST, command()), fragment(LAST, b"one"))
    message = give(provider, fragment(COMMAND | LAST, command(), 3), fragment(LAST, b"two", 3))
    assert (message.context_id, message.dataset) == (3, b"two")


def test_a_dataset_over_the_limit_is_not_kept(provider: MessageProvider) -> None:
    """It is counted to its end, so that it can be answered, but its bytes are let go."""
    message = give(provider, fragment(COMMAND | LAST, command()), fragment(0, b"x" * 8), fragment(LAST, b"x" * 3))
    assert message.is_too_large
    assert message.dataset == b""
    assert not is_aborted(provider)


@pytest.mark.parametrize(
    "fragments",
    [
        [(1, b"")],
        [fragment(DATASET | LAST, b"abc")],
        [fragment(COMMAND | LAST, command()), fragment(COMMAND | LAST, command())],
        [fragment(COMMAND | LAST, command()), fragment(DATASET | LAST, b"abc", 3)],
        [fragment(COMMAND | LAST, b"garbage")],
        [fragment(COMMAND, b"\0" * 65_000), fragment(COMMAND, b"\0" * 65_000)],
    ],
    ids=["empty", "dataset first", "command twice", "interleaved contexts", "garbage", "endless command"],
)
def test_fragments_out_of_order_abort(provider: MessageProvider, fragments: list[tuple[int, bytes]]) -> None:
    """The association ends, and what follows on it is not looked at."""
    assert give(provider, *fragments) is None
    assert is_aborted(provider)
    assert give(provider, fragment(COMMAND | LAST, command(NO_DATASET))) is None


def test_a_peer_that_does_not_wait_for_answers_is_aborted(provider: MessageProvider) -> None:
    """A few requests may wait; a peer that sends on and on would fill the memory."""
    requests = [fragment(COMMAND | LAST, command(NO_DATASET))] * 9
    assert give(provider, *requests) is not None
    assert is_aborted(provider)
    assert provider.msg_queue.qsize() == 7
