"""Storage commitment: what is said in a request and in its result, as plain values and as datasets.

It knows no association; `commitment_scu` asks and tells, `commitment_scp` hears.

References
----------
DICOM PS3.4 Annex J (Storage Commitment Push Model), PS3.3 C.14 (storage commitment module), PS3.7 10.1.1, 10.1.4.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

from pydicom.dataset import Dataset

from node.domain.identifiers import is_uid
from node.network.identifier import MalformedIdentifier, TooManyItems, encode_dataset, items_of, texts_of

PUSH_MODEL = "1.2.840.10008.1.20.1"
#: The one SOP instance of it that there is (PS3.4 J.3.5).
PUSH_MODEL_INSTANCE = "1.2.840.10008.1.20.1.1"

#: PS3.4 J.3.2.1.1, J.3.3.1.1
REQUEST_ACTION = 1
ALL_COMMITTED, SOME_FAILED = 1, 2

#: The most instances of a request or result. So many are handed from one process to another in one message, whatever
#: their UIDs: however many processes receive, the answer is the same.
MAXIMUM_INSTANCES = 5000

#: The longest request or result that is read: four times what so many instances need that are named and no more.
MAXIMUM_BYTES = 3 << 20

#: More SOP classes than there are (PS3.6 A); of those that are named, each is handed on once.
_MAXIMUM_CLASSES = 256


class FailureReason(IntEnum):
    """(0008,1197) Failure Reason of one instance (PS3.3 C.14.1.1)."""

    PROCESSING_FAILURE = 0x0110
    NO_SUCH_OBJECT_INSTANCE = 0x0112
    CLASS_INSTANCE_CONFLICT = 0x0119
    SOP_CLASS_NOT_SUPPORTED = 0x0122
    DUPLICATE_TRANSACTION_UID = 0x0131
    RESOURCE_LIMITATION = 0x0213


@dataclass(frozen=True, slots=True)
class Question:
    """What a peer is asked to commit to.

    Parameters
    ----------
    transaction_uid
        Under which identity the result comes.
    instances
        SOP Class UID and SOP Instance UID of each.
    """

    transaction_uid: str
    instances: Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class CommitmentRequest:
    """A peer asks this node to commit to instances.

    Parameters
    ----------
    calling_ae_title, address
        Who asks.
    transaction_uid
        Under which identity the result is told.
    instances
        SOP Class UID and SOP Instance UID of each.
    """

    calling_ae_title: str
    address: str
    transaction_uid: str
    instances: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class CommitmentResult:
    """A peer says what it commits to.

    Parameters
    ----------
    calling_ae_title, address
        Who says so; the address is empty where it came on an association that this node opened.
    transaction_uid
        Of the request.
    committed
        SOP Instance UIDs for which it takes responsibility.
    failed
        SOP Instance UID and (0008,1197) Failure Reason of those for which it does not.
    """

    calling_ae_title: str
    address: str
    transaction_uid: str
    committed: tuple[str, ...]
    failed: tuple[tuple[str, int], ...]


Heard = CommitmentRequest | CommitmentResult
"""What a peer says of storage commitment."""


def encode_request(transaction_uid: str, instances: Sequence[tuple[str, str]], transfer_syntax_uid: str) -> bytes:
    """Return the Action Information of a request (PS3.4 Table J.3-1)."""
    dataset = Dataset()
    dataset.TransactionUID = transaction_uid
    dataset.ReferencedSOPSequence = [_reference(*instance) for instance in instances]
    return encode_dataset(dataset, transfer_syntax_uid)


def decode_request(encoded: bytes, transfer_syntax_uid: str, calling_ae_title: str, address: str) -> CommitmentRequest:
    """Return the request with this Action Information.

    Raises
    ------
    MalformedIdentifier
        When it cannot be decoded, or a UID of it is missing or none; `TooManyItems` where it names more than
        `MAXIMUM_INSTANCES`.
    """
    transaction_uid = _transaction(encoded, transfer_syntax_uid)
    items = items_of(encoded, transfer_syntax_uid, "ReferencedSOPSequence", MAXIMUM_INSTANCES)
    instances = tuple(dict.fromkeys((item.get("ReferencedSOPClassUID", ""), _instance(item)) for item in items))
    classes = {sop_class for sop_class, _ in instances}
    if not instances or not all(map(is_uid, classes)) or len(classes) > _MAXIMUM_CLASSES:
        raise MalformedIdentifier("it names no instance, one without a SOP class, or more SOP classes than there are")
    return CommitmentRequest(calling_ae_title, address, transaction_uid, instances)


def encode_result(
    transaction_uid: str,
    committed: Sequence[tuple[str, str]],
    failed: Sequence[tuple[str, str, int]],
    transfer_syntax_uid: str,
) -> bytes:
    """Return the Event Information of a result (PS3.4 Table J.3-2); an empty sequence is left out."""
    dataset = Dataset()
    dataset.TransactionUID = transaction_uid
    if committed:
        dataset.ReferencedSOPSequence = [_reference(*instance) for instance in committed]
    if failed:
        dataset.FailedSOPSequence = [_reference(sop_class, uid, reason) for sop_class, uid, reason in failed]
    return encode_dataset(dataset, transfer_syntax_uid)


def decode_result(encoded: bytes, transfer_syntax_uid: str, calling_ae_title: str, address: str) -> CommitmentResult:
    """Return the result with this Event Information; an instance that stands in both sequences has failed.

    Raises
    ------
    MalformedIdentifier
        When it cannot be decoded, or a UID of it is missing or none; `TooManyItems` where it names more than
        `MAXIMUM_INSTANCES`.
    """
    items = items_of(encoded, transfer_syntax_uid, "FailedSOPSequence", MAXIMUM_INSTANCES)
    failed = {_instance(item): _reason(item) for item in items}
    items = items_of(encoded, transfer_syntax_uid, "ReferencedSOPSequence", MAXIMUM_INSTANCES)
    committed = dict.fromkeys(map(_instance, items))
    if len(committed) + len(failed) > MAXIMUM_INSTANCES:
        raise TooManyItems(f"more than {MAXIMUM_INSTANCES} instances")
    return CommitmentResult(
        calling_ae_title,
        address,
        _transaction(encoded, transfer_syntax_uid),
        tuple(uid for uid in committed if uid not in failed),
        tuple(failed.items()),
    )


def _transaction(encoded: bytes, transfer_syntax_uid: str) -> str:
    uid = texts_of(encoded, transfer_syntax_uid).get("TransactionUID", "")
    if not is_uid(uid):
        raise MalformedIdentifier("it has no Transaction UID")
    return uid


def _instance(item: dict[str, str]) -> str:
    uid = item.get("ReferencedSOPInstanceUID", "")
    if not is_uid(uid):
        raise MalformedIdentifier("it names an instance without a UID")
    return uid


def _reason(item: dict[str, str]) -> int:
    """Return why an instance failed; that it did stands, also where the reason cannot be read."""
    text = item.get("FailureReason", "")
    is_reason = text.isascii() and text.isdecimal() and len(text) <= 5 and int(text) <= 0xFFFF
    return int(text) if is_reason else FailureReason.PROCESSING_FAILURE


def _reference(sop_class_uid: str, sop_instance_uid: str, reason: int | None = None) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = sop_class_uid, sop_instance_uid
    if reason is not None:
        item.FailureReason = reason
    return item
