"""What a peer may write where a request or a result of storage commitment is to stand."""

import struct
import tracemalloc

import pytest

from node.domain.errors import Refused
from node.network.command import Command, CommandField, Element
from node.network.commitment import (
    MAXIMUM_INSTANCES,
    PUSH_MODEL,
    PUSH_MODEL_INSTANCE,
    CommitmentRequest,
    CommitmentResult,
    Heard,
)
from node.network.commitment_scp import said
from node.network.identifier import texts_of

IMPLICIT, EXPLICIT = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1"
CT = "1.2.840.10008.5.1.4.1.1.2"
TRANSACTION, REFERENCED, FAILED = 0x00081195, 0x00081199, 0x00081198
SOP_CLASS, SOP_INSTANCE, REASON = 0x00081150, 0x00081155, 0x00081197
ITEM, ITEM_END, SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
UNDEFINED = 0xFFFFFFFF


def element(tag: int, value: bytes, vr: bytes = b"", length: int | None = None) -> bytes:
    """Return an element, with its VR where one is given; `length` is what it claims."""
    said_length = len(value) if length is None else length
    head = struct.pack("<HH", tag >> 16, tag & 0xFFFF)
    if vr in (b"SQ", b"UN"):
        return head + vr + struct.pack("<HL", 0, said_length) + value
    if vr:
        return head + vr + struct.pack("<H", said_length) + value
    return head + struct.pack("<L", said_length) + value


def text(value: str) -> bytes:
    """Return a UID as it is encoded."""
    return value.encode() + b"\0" * (len(value) % 2)


def reference(uid: str = "1.2.4", reason: bytes | None = None, vr: bytes = b"") -> bytes:
    """Return an item's content in Implicit VR, its reason under another VR where one is given."""
    named = element(SOP_CLASS, text(CT)) + element(SOP_INSTANCE, text(uid))
    return named if reason is None else named + element(REASON, reason, vr)


TRANSACTION_1 = element(TRANSACTION, text("1.2.3"))


def heard(dataset: bytes, syntax: str = IMPLICIT, *, is_result: bool = False) -> Heard:
    """Return what a message with this dataset says."""
    number = {Element.EVENT_TYPE_ID: 2} if is_result else {Element.ACTION_TYPE_ID: 1}
    field = CommandField.N_EVENT_REPORT_RQ if is_result else CommandField.N_ACTION_RQ
    names = (
        (Element.AFFECTED_SOP_CLASS_UID, Element.AFFECTED_SOP_INSTANCE_UID)
        if is_result
        else (Element.REQUESTED_SOP_CLASS_UID, Element.REQUESTED_SOP_INSTANCE_UID)
    )
    uids = dict(zip(names, (text(PUSH_MODEL), text(PUSH_MODEL_INSTANCE)), strict=True))
    numbers = {key: value.to_bytes(2, "little") for key, value in (number | {Element.COMMAND_FIELD: field}).items()}
    return said(Command({**uids, **numbers}), dataset, syntax, "CT1", "::1")


@pytest.mark.parametrize("reason", [b"", b"abcd", b"\x12", b"\x12\x01" * 2000])
def test_a_reason_that_cannot_be_read_fails_the_instance_all_the_same(reason: bytes) -> None:
    """Empty, text, half a number, four thousand bytes: the instance is not kept, for a reason that nobody knows."""
    dataset = TRANSACTION_1 + element(FAILED, element(ITEM, reference(reason=reason)))
    result = heard(dataset, is_result=True)
    assert isinstance(result, CommitmentResult)
    assert result.failed == (("1.2.4", 0x0110),)


def test_a_reason_under_another_vr_is_read_where_it_is_a_number() -> None:
    """LO with words is none; LO with a number of its range is."""
    for value, reason in ((b"abcd", 0x0110), (b"274 ", 0x0112), (b"99999 ", 0x0110)):
        content = element(SOP_CLASS, text(CT), b"UI") + element(SOP_INSTANCE, text("1.2.4"), b"UI")
        item = element(ITEM, content + element(REASON, value, b"LO"))
        dataset = element(TRANSACTION, text("1.2.3"), b"UI") + element(FAILED, item, b"SQ")
        result = heard(dataset, EXPLICIT, is_result=True)
        assert isinstance(result, CommitmentResult)
        assert result.failed == (("1.2.4", reason),)


@pytest.mark.parametrize("vr", [b"UN", b"SQ"])
@pytest.mark.parametrize("ends", [True, False])
def test_a_sequence_is_read_under_an_unknown_vr_and_of_either_length(vr: bytes, *, ends: bool) -> None:
    """What stands under UN is in Implicit VR (PS3.5 6.2.2); a length may be left open."""
    content = reference() if vr == b"UN" else b""
    content = content or element(SOP_CLASS, text(CT), b"UI") + element(SOP_INSTANCE, text("1.2.4"), b"UI")
    items = element(ITEM, content)
    if not ends:
        items = element(ITEM, content + element(ITEM_END, b""), length=UNDEFINED) + element(SEQUENCE_END, b"")
    sequence = element(REFERENCED, items, vr, None if ends else UNDEFINED)
    request = heard(element(TRANSACTION, text("1.2.3"), b"UI") + sequence, EXPLICIT)
    assert isinstance(request, CommitmentRequest)
    assert request.instances == ((CT, "1.2.4"),)


def test_nested_sequences_are_walked_without_a_recursion() -> None:
    """Sixty thousand of them: one that closes is passed over, one that never does is refused."""
    opens = (element(0x00400275, b"", length=UNDEFINED) + element(ITEM, b"", length=UNDEFINED)) * 60_000
    closes = (element(ITEM_END, b"") + element(SEQUENCE_END, b"")) * 60_000
    request = TRANSACTION_1 + element(REFERENCED, element(ITEM, reference()))
    assert isinstance(heard(request + opens + closes), CommitmentRequest)
    with pytest.raises(Refused) as caught:
        heard(request + opens)
    assert caught.value.status == 0x0115


def test_more_instances_than_the_limit_are_refused_before_they_are_decoded() -> None:
    """A hundred thousand empty items cost no memory; the most that there may be are taken."""
    many = TRANSACTION_1 + element(REFERENCED, element(ITEM, b"") * 100_000)
    one_more = [element(ITEM, reference(f"1.2.{number}")) for number in range(MAXIMUM_INSTANCES + 1)]
    tracemalloc.start()
    for dataset in (many, TRANSACTION_1 + element(REFERENCED, b"".join(one_more))):
        with pytest.raises(Refused, match=r"more than 5000 instances|without a UID") as caught:
            heard(dataset)
        assert caught.value.status == 0x0213
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 << 20
    request = heard(TRANSACTION_1 + element(REFERENCED, b"".join(one_more[1:])))
    assert isinstance(request, CommitmentRequest)
    assert len(request.instances) == MAXIMUM_INSTANCES


def test_both_lists_of_a_result_count_together() -> None:
    """What fails and what is kept is handed on in one message."""
    half = [element(ITEM, reference(f"1.2.{number}")) for number in range(MAXIMUM_INSTANCES)]
    with pytest.raises(Refused) as caught:
        heard(
            TRANSACTION_1 + element(FAILED, element(ITEM, reference("1.3"))) + element(REFERENCED, b"".join(half)),
            is_result=True,
        )
    assert caught.value.status == 0x0213


@pytest.mark.parametrize("cut", [1, 7, 9])
def test_a_dataset_that_ends_early_is_refused(cut: int) -> None:
    """Within a header or a value: never an error that ends the association."""
    whole = TRANSACTION_1 + element(REFERENCED, element(ITEM, reference()))
    with pytest.raises(Refused) as caught:
        heard(whole[:-cut])
    assert caught.value.status == 0x0115


def test_numbers_of_another_length_are_left_out() -> None:
    """Four thousand bytes make a number that cannot even be printed."""
    assert texts_of(element(REASON, b"\xff" * 4000), IMPLICIT) == {}
