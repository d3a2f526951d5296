"""The bytes of an association, in pieces of any length and with anything wrong."""

import struct
import tracemalloc
from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from node.network.assembly import Assembly
from node.network.command import Command, CommandField, Element, decode_command, encode_command
from node.network.pdu import ABORT_BY_USER, RELEASE_RQ_PDU, AbortReason, BrokenProtocol
from node.network.stream import LEFT_OVER_BYTES, Aborted, Released, Stream

MAXIMUM_BYTES = 1000
COMMAND, LAST = 1, 2
NAMES = {Element.COMMAND_FIELD: CommandField.C_STORE_RQ, Element.MESSAGE_ID: 1, Element.COMMAND_DATA_SET_TYPE: 1}
STORE = encode_command(NAMES)
ECHO = encode_command(NAMES | {Element.COMMAND_FIELD: CommandField.C_ECHO_RQ, Element.COMMAND_DATA_SET_TYPE: 0x0101})


class Messages:
    """What comes of a stream: the messages that have come whole, and how it ended."""

    def __init__(self) -> None:
        self.whole: list[tuple[int, int, bytes]] = []
        self.pending: tuple[int, int] = (0, 0)
        self.dataset = b""
        self.stream = Stream(Assembly({1, 3}, self.open, lambda *_: None), MAXIMUM_BYTES)

    def open(self, context_id: int, command: Command, encoded: bytes) -> "Messages":
        """Begin a message."""
        assert decode_command(encoded) == command
        self.pending, self.dataset = (context_id, command.field), b""
        return self

    def write(self, fragments: Sequence[memoryview]) -> None:
        """Take what comes together, which is never nothing."""
        assert fragments
        self.dataset += b"".join(fragments)

    def finish(self) -> None:
        """Keep the message."""
        self.whole.append((*self.pending, self.dataset))

    def abandon(self) -> None:
        """Is not called by the stream."""

    def read(self, pieces: Sequence[bytes]) -> str:
        """Give it what `recv` brings, in turn, as the reader does; return how it ended."""
        held = b""
        try:
            for piece in pieces:
                view = memoryview(held + piece)
                held = bytes(view[self.stream.feed(view) :])
                assert len(held) <= LEFT_OVER_BYTES
        except (Released, Aborted, BrokenProtocol) as end:
            return type(end).__name__
        return "goes on"


def pdu(*fragments: bytes) -> bytes:
    """Return a P-DATA-TF."""
    content = b"".join(fragments)
    return struct.pack(">BxL", 4, len(content)) + content


def fragment(control: int, data: bytes, context_id: int = 1) -> bytes:
    """Return a presentation data value."""
    return struct.pack(">LBB", len(data) + 2, context_id, control) + data


def cut(whole: bytes, places: Sequence[int]) -> list[bytes]:
    """Return the bytes in pieces, cut at these places."""
    bounds = [0, *sorted(place % (len(whole) + 1) for place in places), len(whole)]
    return [whole[first:last] for first, last in pairwise(bounds)]


@st.composite
def conversations(draw: st.DrawFn) -> tuple[bytes, list[tuple[int, int, bytes]]]:
    """Return the bytes of some messages, in fragments and PDUs of any size, and what they are."""
    encoded, whole = b"", []
    for _ in range(draw(st.integers(1, 4))):
        context_id = draw(st.sampled_from([1, 3]))
        if draw(st.booleans()):
            encoded += pdu(fragment(COMMAND | LAST, ECHO, context_id))
            whole.append((context_id, int(CommandField.C_ECHO_RQ), b""))
            continue
        command = cut(STORE, draw(st.lists(st.integers(0, 99), max_size=2)))
        dataset = draw(st.binary(max_size=300))
        data = cut(dataset, draw(st.lists(st.integers(0, 300), max_size=5)))
        fragments = [fragment(COMMAND, piece, context_id) for piece in command[:-1]]
        fragments.append(fragment(COMMAND | LAST, command[-1], context_id))
        fragments += [fragment(0, piece, context_id) for piece in data[:-1]] + [fragment(LAST, data[-1], context_id)]
        joined = draw(st.integers(1, len(fragments)))
        encoded += b"".join(pdu(*fragments[start : start + joined]) for start in range(0, len(fragments), joined))
        whole.append((context_id, int(CommandField.C_STORE_RQ), dataset))
    return encoded, whole


@settings(max_examples=150)
@given(conversations(), st.lists(st.integers(0, 5000), max_size=12))
def test_any_split_of_a_stream_gives_the_same_messages(
    conversation: tuple[bytes, list[tuple[int, int, bytes]]], places: list[int]
) -> None:
    """However the network cuts it, down to single bytes, and a release after it is found."""
    encoded, whole = conversation
    for pieces in (cut(encoded, places), [encoded], [bytes([one]) for one in encoded]):
        messages = Messages()
        assert messages.read([*pieces, RELEASE_RQ_PDU]) == "Released"
        assert messages.whole == whole


@settings(max_examples=400)
@given(
    conversations(),
    st.lists(st.tuples(st.integers(0, 5000), st.integers(0, 255)), min_size=1, max_size=4),
    st.lists(st.integers(0, 5000), max_size=4),
    st.integers(0, 5000),
)
def test_any_change_of_a_stream_gives_messages_or_an_end(
    conversation: tuple[bytes, list[tuple[int, int, bytes]]],
    changes: list[tuple[int, int]],
    places: list[int],
    length: int,
) -> None:
    """Never another exception, whatever stands where and wherever it breaks off."""
    encoded = bytearray(conversation[0])
    for place, value in changes:
        encoded[place % len(encoded)] = value
    messages = Messages()
    messages.read(cut(bytes(encoded[: length % (len(encoded) + 1)]), places))
    assert len(messages.whole) <= len(encoded)


@settings(max_examples=200)
@given(st.binary(max_size=400))
def test_any_bytes_give_an_end_or_nothing(garbage: bytes) -> None:
    """What is no P-DATA-TF at all is found within its first six bytes."""
    ended = Messages().read([garbage])
    assert ended != "goes on" or len(garbage) < 10 or garbage[:1] == b"\4"


def test_a_claimed_length_allocates_nothing() -> None:
    """A PDU or fragment that claims 4 GiB is refused, and one that claims the maximum is not waited for in memory."""
    tracemalloc.start()
    try:
        for claim in (b"\4\0\xff\xff\xff\xff", b"\4\0\0\0\3\xe8" + b"\xff\xff\xff\xff\1\3"):
            assert Messages().read([claim]) == "BrokenProtocol"
        assert Messages().read([b"\4\0\0\0\3\xe8" + b"\0\0\3\xe4\1\3"]) == "goes on"
        assert tracemalloc.get_traced_memory()[1] < 200_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("encoded", "reason"),
    [
        (b"\x42\0\0\0\0\4", AbortReason.UNRECOGNISED_PDU),
        (b"\0\0\0\0\0\4", AbortReason.UNRECOGNISED_PDU),
        (b"\1\0\0\0\0\xcc", AbortReason.UNEXPECTED_PDU),
        (b"\2\0\0\0\0\xcc", AbortReason.UNEXPECTED_PDU),
        (b"\6\0\0\0\0\4", AbortReason.UNEXPECTED_PDU),
        (b"\5\0\0\0\0\5", AbortReason.INVALID_PARAMETER_VALUE),
        (b"\7\0\0\0\1\0", AbortReason.INVALID_PARAMETER_VALUE),
        (b"\4\0\0\0\3\xe9", AbortReason.INVALID_PARAMETER_VALUE),
        (b"\4\0\0\0\0\0", AbortReason.INVALID_PARAMETER_VALUE),
        (pdu(b"\0\0\0\0\1\3"), AbortReason.INVALID_PARAMETER_VALUE),
        (pdu(b"\0\0\0\1\1\3"), AbortReason.INVALID_PARAMETER_VALUE),
        (pdu(b"\0\0\0\3\1\3"), AbortReason.INVALID_PARAMETER_VALUE),
        (pdu(fragment(COMMAND, b"x"), b"\0\0\0"), AbortReason.INVALID_PARAMETER_VALUE),
        (pdu(fragment(COMMAND, b"x")) + RELEASE_RQ_PDU, AbortReason.UNEXPECTED_PDU),
    ],
)
def test_what_may_not_come_is_found_as_soon_as_its_header_says_so(encoded: bytes, reason: AbortReason) -> None:
    """Types, lengths over the maximum, fragments of length 0 or 1 or that overrun, a release within a message."""
    with pytest.raises(BrokenProtocol) as broken:
        Messages().stream.feed(memoryview(encoded))
    assert broken.value.reason is reason


def test_an_abort_ends_it_wherever_it_stands() -> None:
    """Also within a message, and also when it comes byte by byte."""
    assert Messages().read([pdu(fragment(COMMAND, b"x")), *[bytes([one]) for one in ABORT_BY_USER]]) == "Aborted"
