"""What the fuzzer sends: cases drawn from a seed and a number, each a conversation of one side.

Every case has UIDs of its own, so that what is answered to it can be told apart from all others.
"""

import base64
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from bench.fuzzing.broken import break_association, break_command, break_dataset, break_stream, other_protocols
from bench.fuzzing.small_instances import CONTEXTS, Sample, samples
from bench.sending.wire import (
    APPLICATION_CONTEXT,
    command,
    context,
    echo_command,
    messages,
    pdu,
    request,
    store_command,
    user_information,
)
from bench.sending.wire import fragment as presentation_data_value

ECHO_CONTEXT = 101
_CALLED, _CALLING = b"PACSNODE", b"BENCH"
_LARGEST_PDU = 16384


@dataclass(frozen=True, slots=True)
class Case:
    """One conversation.

    Parameters
    ----------
    request
        What is sent first; what follows is sent once the association is accepted.
    following
        Sent piece by piece; at an empty one the next PDU of the node is waited for.
    ending
        ``release``, ``half`` (no more is sent), ``close``, ``reset``, or ``stay`` (silent until the node closes).
    valid
        Whether every store in it has to be answered with Success.
    """

    number: int
    kind: str
    request: bytes
    following: tuple[bytes, ...]
    ending: str
    valid: bool = False

    @property
    def stream(self) -> bytes:
        """All that follows the request."""
        return b"".join(self.following)

    @property
    def requests(self) -> int:
        """How many requests of DIMSE it holds."""
        return len(messages(self.stream))

    def as_json(self) -> dict[str, Any]:
        """Return the case in a form that can be written to a file."""
        following = [base64.b64encode(it).decode() for it in self.following]
        plain = {"number": self.number, "kind": self.kind, "ending": self.ending, "valid": self.valid}
        return plain | {"request": base64.b64encode(self.request).decode(), "following": following}


def from_json(fields: dict[str, Any]) -> Case:
    """Return the case that was written to a file."""
    following = tuple(base64.b64decode(it) for it in fields["following"])
    request_bytes = base64.b64decode(fields["request"])
    return Case(fields["number"], fields["kind"], request_bytes, following, fields["ending"], fields["valid"])


def draw(seed: int, number: int) -> Case:
    """Return the case with a number, always the same for a seed."""
    rng = random.Random(f"{seed}-{number}")
    kind = rng.choices(list(_KINDS), [weight for weight, _ in _KINDS.values()])[0]
    return _KINDS[kind][1](rng, number, seed, kind)


def proof_of_life(seed: int, number: int) -> Case:
    """Return a C-STORE and a C-ECHO that have to be answered with Success, whatever came before them."""
    rng = random.Random(f"{seed}-{number}")
    sent = [*store(samples(rng, seed, number, 1)[0], 1, rng), b"", _echo(2), b""]
    return Case(number, "alive", good_request(), tuple(sent), "release", valid=True)


def good_request(calling: bytes = _CALLING) -> bytes:
    """Return a request for verification and for every encoding of the samples."""
    return request(_CALLED, calling, _good_items())


def _good_items() -> list[bytes]:
    proposed = [context(number, sop_class, [syntax]) for number, (sop_class, syntax) in CONTEXTS.items()]
    proposed.append(context(ECHO_CONTEXT, b"1.2.840.10008.1.1", [b"1.2.840.10008.1.2"]))
    named = b"\x10\0" + len(APPLICATION_CONTEXT).to_bytes(2, "big") + APPLICATION_CONTEXT
    return [named, *proposed, user_information(_LARGEST_PDU)]


def store(sample: Sample, message_id: int, rng: random.Random, command_set: bytes | None = None) -> list[bytes]:
    """Return the PDUs of a C-STORE, cut into fragments and PDUs as it happens."""
    plain = command(store_command(sample.sop_class_uid, sample.sop_instance_uid, message_id))
    pieces = _fragments(sample.context_id, 1, plain if command_set is None else command_set, rng)
    pieces += _fragments(sample.context_id, 0, sample.dataset, rng)
    return _packed(pieces, rng)


def _echo(message_id: int) -> bytes:
    return pdu(4, presentation_data_value(ECHO_CONTEXT, 3, command(echo_command(message_id))))


def _fragments(context_id: int, kind: int, data: bytes, rng: random.Random) -> list[bytes]:
    step = rng.choice([1, 7, 100, 1000, 8000, 16378]) if len(data) < 4000 else rng.choice([1000, 8000, 16378])
    starts = range(0, max(len(data), 1), step)
    return [
        presentation_data_value(context_id, kind | (2 if start + step >= len(data) else 0), data[start : start + step])
        for start in starts
    ]


def _packed(pieces: Sequence[bytes], rng: random.Random) -> list[bytes]:
    """Put fragments into PDUs, several into one now and then."""
    packed, current = [], b""
    for piece in pieces:
        if current and (len(current) + len(piece) > _LARGEST_PDU or rng.random() < 0.7):
            packed.append(pdu(4, current))
            current = b""
        current += piece
    return [*packed, pdu(4, current)]


def _valid(rng: random.Random, number: int, seed: int, kind: str) -> Case:
    taken = samples(rng, seed, number, rng.choice([1, 1, 2, 3]))
    asked = [store(it, index + 1, rng) for index, it in enumerate(taken)]
    if rng.random() < 0.3:
        asked.append([_echo(9)])
    sent = [piece for pieces in asked for piece in (*_cut_up(pieces, rng), b"")]
    return Case(number, kind, good_request(), tuple(sent), rng.choice(["release", "half"]), valid=True)


def _cut(rng: random.Random, number: int, seed: int, kind: str) -> Case:
    whole = b"".join(store(samples(rng, seed, number, 1)[0], 1, rng))
    at = rng.randrange(len(whole))
    return Case(number, kind, good_request(), tuple(filter(None, [whole[:at]])), rng.choice(["close", "reset", "half"]))


def _broken_association(rng: random.Random, number: int, seed: int, kind: str) -> Case:
    broken = break_association(rng, _CALLED, _CALLING, _good_items())
    sent = store(samples(rng, seed, number, 1)[0], 1, rng)
    return Case(number, kind, broken, tuple(sent), _ending(rng))


def _other_protocol(rng: random.Random, number: int, _seed: int, kind: str) -> Case:
    return Case(number, kind, other_protocols(rng), (), _ending(rng))


def _broken_stream(rng: random.Random, number: int, seed: int, kind: str) -> Case:
    taken = samples(rng, seed, number, 2)
    sent = [store(it, index + 1, rng) for index, it in enumerate(taken)]
    broken = break_stream(rng, [piece for pieces in sent for piece in pieces], good_request())
    return Case(number, kind, good_request(), tuple(filter(None, broken)), _ending(rng))


def _broken_command(rng: random.Random, number: int, seed: int, kind: str) -> Case:
    sample, after = samples(rng, seed, number, 2)
    broken = break_command(rng, store_command(sample.sop_class_uid, sample.sop_instance_uid, 1))
    sent = store(sample, 1, rng, broken) + store(after, 2, rng)
    return Case(number, kind, good_request(), tuple(sent), _ending(rng))


def _broken_dataset(rng: random.Random, number: int, seed: int, kind: str) -> Case:
    sample, after = samples(rng, seed, number, 2)
    sent = store(break_dataset(rng, sample), 1, rng) + store(after, 2, rng)
    return Case(number, kind, good_request(), tuple(sent), _ending(rng))


def _ending(rng: random.Random) -> str:
    """Return how a broken conversation ends; silence takes seconds, and is rare."""
    return rng.choices(["half", "close", "release", "stay"], [60, 10, 29, 1])[0]


def _cut_up(pieces: Sequence[bytes], rng: random.Random) -> tuple[bytes, ...]:
    """Return the same bytes in other pieces: where PDUs begin says nothing of what TCP delivers."""
    whole = b"".join(pieces)
    cuts = sorted(rng.sample(range(1, len(whole)), rng.choice([0, 0, 1, 5, 20])))
    return tuple(whole[low:high] for low, high in zip([0, *cuts], [*cuts, len(whole)], strict=True))


_KINDS: dict[str, tuple[int, Callable[[random.Random, int, int, str], Case]]] = {
    "valid": (10, _valid),
    "cut": (10, _cut),
    "association": (15, _broken_association),
    "no DICOM": (5, _other_protocol),
    "stream": (20, _broken_stream),
    "command": (15, _broken_command),
    "dataset": (25, _broken_dataset),
}
