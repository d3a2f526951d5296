"""Fragments put together to messages."""

from collections.abc import Sequence

import pytest

from node.network.assembly import Assembly
from node.network.command import NO_DATASET, WITH_DATASET, Command, CommandField, Element, encode_command
from node.network.pdu import BrokenProtocol

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


class Recorder:
    """Opens exchanges, of which it is each itself, and writes down what it is told."""

    def __init__(self) -> None:
        self.events: list[object] = []
        self.assembly = Assembly({1, 3}, self.open, lambda *response: self.events.append(response))

    def open(self, context_id: int, command: Command, encoded: bytes) -> "Recorder":
        """Be the exchange of this message."""
        assert encoded
        self.events.append((context_id, command.field))
        return self

    def write(self, fragments: Sequence[memoryview]) -> None:
        """Note what comes together."""
        self.events.append([bytes(fragment) for fragment in fragments])

    def finish(self) -> bytes:
        """Answer."""
        return b"answer"

    def abandon(self) -> None:
        """Note the end."""
        self.events.append("abandoned")

    def give(self, *fragments: tuple[int, bytes], context_id: int = 1) -> list[object]:
        """Take fragments that came together."""
        for control, data in fragments:
            self.assembly.begin_fragment(context_id, control)
            self.assembly.take(memoryview(data))
            self.assembly.end_fragment()
        self.assembly.hand_on()
        return self.events


@pytest.fixture
def recorder() -> Recorder:
    """Return an assembly on which the contexts 1 and 3 are accepted, and what it does."""
    return Recorder()


def test_a_message_is_put_together_from_fragments(recorder: Recorder) -> None:
    """The command may come in pieces; what comes together of the dataset is handed on together."""
    encoded = command()
    recorder.give((COMMAND, encoded[:9]))
    recorder.give((COMMAND | LAST, encoded[9:]), (DATASET, b"ab"), (DATASET, b"c"))
    events = recorder.give((LAST, b"de"))
    assert events == [(1, CommandField.C_STORE_RQ), [b"ab", b"c"], [b"de"], (1, b"answer")]
    assert not recorder.assembly.is_within_message


def test_a_command_without_a_dataset_is_answered_at_once(recorder: Recorder) -> None:
    """0x0101 says that nothing follows."""
    assert recorder.give((COMMAND | LAST, command(NO_DATASET)))[-1] == (1, b"answer")


def test_a_second_message_starts_afresh(recorder: Recorder) -> None:
    """Nothing of one message is left in the next, not even its context."""
    recorder.give((COMMAND | LAST, command()), (LAST, b"one"))
    assert recorder.give((COMMAND | LAST, command()), (LAST, b"two"), context_id=3)[-1] == (3, b"answer")


def test_fragments_of_a_byte_are_handed_on_in_handfuls(recorder: Recorder) -> None:
    """One system call takes no more than 1024 of them."""
    recorder.give((COMMAND | LAST, command()))
    events = recorder.give(*[(DATASET, b"x")] * 3000, (LAST, b"y"))
    taken = [event for event in events if isinstance(event, list)]
    assert max(map(len, taken)) <= 512
    assert b"".join(map(b"".join, taken)) == b"x" * 3000 + b"y"


def test_a_message_that_never_ends_is_abandoned_once(recorder: Recorder) -> None:
    """What was begun is told that nothing more comes."""
    recorder.give((COMMAND | LAST, command()), (DATASET, b"half"))
    recorder.assembly.abandon()
    recorder.assembly.abandon()
    assert recorder.events.count("abandoned") == 1


@pytest.mark.parametrize(
    "fragments",
    [
        [(DATASET | LAST, b"abc")],
        [(COMMAND | LAST, command()), (COMMAND | LAST, command())],
        [(COMMAND | LAST, b"garbage")],
        [(COMMAND, b"\0" * 65_000), (COMMAND, b"\0" * 65_000)],
    ],
    ids=["dataset first", "command twice", "garbage", "endless command"],
)
def test_fragments_out_of_order_break_the_protocol(recorder: Recorder, fragments: list[tuple[int, bytes]]) -> None:
    """And so end the association."""
    with pytest.raises(BrokenProtocol):
        recorder.give(*fragments)


def test_contexts_within_a_message_are_not_mixed(recorder: Recorder) -> None:
    """A dataset on another context than its command, and anything on a context that was not accepted."""
    recorder.give((COMMAND | LAST, command()))
    with pytest.raises(BrokenProtocol, match="several contexts"):
        recorder.assembly.begin_fragment(3, DATASET)
    with pytest.raises(BrokenProtocol, match="not accepted"):
        Recorder().assembly.begin_fragment(99, COMMAND)
