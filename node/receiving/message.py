"""What a receiving process and the first process say to each other, as bytes: an instance, a caller, and how it ended.

Of an instance the header is encoded here, by the process that has read it, as it will stand in its row; the one
process that writes only binds it. No object is sent that could be more than a value.
"""

import json
import zlib
from collections.abc import Sequence
from dataclasses import astuple, fields
from operator import attrgetter
from typing import Any

from node.domain.errors import OperatorError, Refused, Transient
from node.network.commitment import CommitmentRequest, CommitmentResult, Heard
from node.network.incoming import Announced
from node.network.refused import RefusedAssociation
from node.network.released import ReleasedAssociation
from node.pipeline.intake.arrival import Arrival
from node.store.arriving.header_text import header_of_text, text_of_header
from node.store.json_text import JSONText
from node.store.unavailable import CommitUncertain, DatabaseUnavailable

_PING, _CALLER, _RELEASED, _ARRIVAL, _REQUEST, _RESULT = b"p", b"c", b"r", b"a", b"q", b"s"
_DONE = 0
_REFUSED, _UNCERTAIN, _UNAVAILABLE, _OPERATOR, _FILES, _DEFECT = range(1, 7)

_announced = attrgetter(
    *(field.name for field in fields(Announced))
)  # `astuple` copies, which takes as long as the rest
_encoded = json.JSONEncoder(separators=(",", ":")).encode


Entry = Arrival | RefusedAssociation | ReleasedAssociation | Heard | None
"""What is handed over to be written; None asks whether anything could be."""


class RecordingFailed(Exception):  # noqa: N818 - what happened, not what was wrong
    """A defect in the first process; its log says which."""


def asked(entry: Entry) -> bytes:
    """Return what is asked of the first process; None asks whether it could write."""
    if entry is None:
        return _PING
    if isinstance(entry, RefusedAssociation):
        return _CALLER + _encoded(astuple(entry)).encode()
    if isinstance(entry, ReleasedAssociation):
        return _RELEASED + _encoded([entry.calling_ae_title, *entry.studies]).encode()
    if isinstance(entry, CommitmentRequest | CommitmentResult):
        kind = _REQUEST if isinstance(entry, CommitmentRequest) else _RESULT
        return kind + zlib.compress(_encoded(_said(entry)).encode())  # UIDs of one maker are alike
    said = [entry.path, entry.size_bytes, *_announced(entry.announced)]
    return b"%s%s\n%s" % (_ARRIVAL, _encoded(said).encode(), text_of_header(entry.header).encode())


def understood(question: bytes) -> Entry:
    """Return what was asked.

    Raises
    ------
    ValueError, TypeError
        Where nothing was that this version asks.
    """
    kind, rest = question[:1], question[1:]
    if kind == _PING:
        return None
    if kind == _CALLER:
        return RefusedAssociation(*json.loads(rest))
    if kind == _RELEASED:
        title, *studies = json.loads(rest)
        return ReleasedAssociation(title, tuple(studies))
    if kind in (_REQUEST, _RESULT):
        return _heard(kind, json.loads(zlib.decompress(rest)))
    if kind != _ARRIVAL:
        raise ValueError("an unknown question")
    said, _, header = rest.partition(b"\n")
    path, size_bytes, *announced = json.loads(said)
    text = JSONText(header.decode())
    return Arrival(Announced(*announced), header_of_text(text), path, size_bytes, text)


def _said(heard: Heard) -> Sequence[Any]:
    """Return what is sent of it; of a request each SOP class once, so that what must fit fits."""
    if isinstance(heard, CommitmentResult):
        return astuple(heard)
    classes = {uid: number for number, uid in enumerate(dict.fromkeys(sop_class for sop_class, _ in heard.instances))}
    numbers = [classes[sop_class] for sop_class, _ in heard.instances]
    who = heard.calling_ae_title, heard.address, heard.transaction_uid
    return *who, list(classes), numbers, [uid for _, uid in heard.instances]


def _heard(kind: bytes, said: Sequence[Any]) -> Heard:
    if kind == _REQUEST:
        title, address, transaction, classes, numbers, uids = said
        instances = ((classes[number], uid) for number, uid in zip(numbers, uids, strict=True))
        return CommitmentRequest(title, address, transaction, tuple(instances))
    title, address, transaction, committed, failed = said
    return CommitmentResult(title, address, transaction, tuple(committed), tuple((uid, why) for uid, why in failed))


def ended(status: int | None, error: BaseException | None = None) -> bytes:
    """Return how it ended: with a status, or with an error."""
    return _encoded([_DONE, status] if error is None else _failure(error)).encode()


def outcome(answer: bytes) -> int:
    """Return the status with which it ended.

    Raises
    ------
    Refused, CommitUncertain, DatabaseUnavailable, OperatorError, OSError
        As in the first process.
    RecordingFailed
        Where there is a defect in it.
    """
    kind, *said = json.loads(answer)
    if kind == _DONE:
        return int(said[0])
    raise _ERRORS[kind](*said)


def _failure(error: BaseException) -> list[object]:
    match error:
        case Refused():
            return [_REFUSED, error.status, error.reason]
        case CommitUncertain():
            return [_UNCERTAIN, str(error)]
        case Transient():
            return [_UNAVAILABLE, str(error)]
        case OperatorError():
            return [_OPERATOR, str(error)]
        case OSError():
            return [_FILES, error.errno, error.strerror]
    return [_DEFECT, type(error).__qualname__]


_ERRORS: dict[int, type[Exception]] = {
    _REFUSED: Refused,
    _UNCERTAIN: CommitUncertain,
    _UNAVAILABLE: DatabaseUnavailable,
    _OPERATOR: OperatorError,
    _FILES: OSError,
    _DEFECT: RecordingFailed,
}
