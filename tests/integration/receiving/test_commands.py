"""Command sets: without what they need, unknown, broken; and the UIDs on which command and dataset must agree."""

from collections.abc import Mapping

import pytest

from tests.support.nodes.receiving import ReceivingNode
from tests.support.objects.raw_dataset import (
    CT,
    ITEM,
    SERIES,
    SOP_CLASS,
    SOP_INSTANCE,
    STUDY,
    Instance,
    Value,
    ct,
    element,
    marker,
    uid,
)
from tests.support.peers.raw_peer import (
    ABORTED,
    DATASET,
    ECHO_REQUEST,
    LAST_COMMAND,
    LAST_DATASET,
    P_DATA,
    VERIFICATION,
    command,
    pdu,
    pdv,
    store_request,
)

_MR = "1.2.840.10008.5.1.4.1.1.4"
_PRIVATE = 0x00091001
_STUDY = element(STUDY, *uid("1.2.3"))
_ITEM_WITH_STUDY = marker(ITEM, len(_STUDY)) + _STUDY
_BAD_UIDS = {
    "empty": "",
    "65 characters": "1." + "2" * 63,
    "letters": "1.2.abc",
    "hexadecimal": "0x12",
    "an empty component": "1..2",
    "two dots": "..",
    "a dot at the end": "1.2.",
    "a dot at the beginning": ".1.2",
    "a path upwards": "../../../../etc/x",
    "an absolute path": "/etc/passwd",
    "two values": "1.2\\1.3",
    "a space within": "1.2 .3",
    "a NUL within": "1.2\0.3",
    "a newline": "1.2\n3",
    "a negative component": "1.-2",
    "digits that are not ASCII": "1.\u0662",
    "SQL": "1'; DROP TABLE instances; --",
}


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"e1000": None}, id="no instance UID"),
        pytest.param({"e0002": None}, id="no class UID"),
        pytest.param({"e0002": None, "e1000": None}, id="no UID at all"),
        pytest.param({"e1000": b""}, id="an empty instance UID"),
        pytest.param({"e0002": b""}, id="an empty class UID"),
        pytest.param({"e0002": _MR.encode() + b"\0"}, id="a class that is not that of the context"),
        pytest.param({"e1000": b"9" * 200}, id="an instance UID of 200 digits"),
        pytest.param({"e1000": b"1.2.99"}, id="an instance UID that is not that of the dataset"),
    ],
)
def test_a_store_that_does_not_name_its_dataset_is_0xa900(
    changes: dict[str, bytes | None], node: ReceivingNode
) -> None:
    """The dataset is thrown away, and the association goes on."""
    files, instance, peer = node.files(), ct(node.uid()), node.associate()
    request = store_request(instance.sop_instance_uid.encode(), **changes)
    assert peer.store(instance, request=request) == 0xA900
    assert node.files() == files
    node.stores(instance, peer)


@pytest.mark.parametrize("said", _BAD_UIDS.values(), ids=_BAD_UIDS)
def test_a_uid_that_is_none_is_0xa900_wherever_it_stands(said: str, node: ReceivingNode) -> None:
    """In the command, in the dataset, in both; as UID of the instance, its study, its series or its class."""
    files, outside, good, peer = node.files(), node.everything(), node.uid(), node.associate()
    bad = Instance(said, ct(good, changes={SOP_INSTANCE: uid(said)}).dataset)
    assert peer.store(bad) == 0xA900
    assert peer.store(bad, request=store_request(good.encode())) == 0xA900
    for tag in (SOP_INSTANCE, STUDY, SERIES, SOP_CLASS):
        assert peer.store(ct(good, changes={tag: uid(said)})) == 0xA900
    assert (node.files(), node.everything()) == (files, outside)
    node.stores(ct(good), peer)


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({SOP_CLASS: None}, id="no class"),
        pytest.param({SOP_INSTANCE: None}, id="no instance"),
        pytest.param({STUDY: None}, id="no study"),
        pytest.param({SERIES: None}, id="no series"),
        pytest.param({SOP_CLASS: uid(_MR)}, id="another class"),
        pytest.param({SOP_INSTANCE: uid("1.2.99")}, id="another instance"),
        pytest.param({STUDY: None, _PRIVATE: ("SQ", _ITEM_WITH_STUDY)}, id="a study within a sequence alone"),
    ],
)
def test_a_dataset_that_is_not_what_the_command_said_is_0xa900(
    changes: Mapping[int, tuple[str, Value] | None], node: ReceivingNode
) -> None:
    """Missing from it, or different in it."""
    files, peer, good = node.files(), node.associate(), node.uid()
    assert peer.store(ct(good, changes=changes)) == 0xA900
    assert node.files() == files
    node.stores(ct(good), peer)


def test_a_command_and_a_dataset_of_another_class_than_the_context_are_0xa900(node: ReceivingNode) -> None:
    """Both agree with each other, and not with what was negotiated."""
    good = node.uid()
    other = Instance(good, ct(good, changes={SOP_CLASS: uid(_MR)}).dataset, sop_class_uid=_MR)
    peer = node.connect().associate((1, CT, (other.transfer_syntax_uid,)))
    assert peer.store(other) == 0xA900


def test_leading_zeros_and_64_characters_are_let_in(node: ReceivingNode) -> None:
    """The first break PS3.5 9.1 and come from scanners in use; the second is the longest that there is."""
    node.stores(ct(f"{node.uid()}.007.00"))
    node.stores(ct(node.uid().ljust(63, ".").replace(".", "1")[:63] + "7"))


@pytest.mark.parametrize("has_dataset", [False, True], ids=["alone", "with a dataset"])
@pytest.mark.parametrize(
    "field", [0x0000, 0x0002, 0x0010, 0x0020, 0x0021, 0x0100, 0x0130, 0x0140, 0x0150, 0x0777, 0x7FFF]
)
def test_an_operation_that_is_not_offered_is_0x0211(field: int, has_dataset: bool, node: ReceivingNode) -> None:  # noqa: FBT001 - a case of the table
    """Queries, moves, normalised services, and what nobody knows; the association goes on."""
    peer = node.associate()
    kind = b"\1\0" if has_dataset else b"\1\1"
    elements = {0x0002: CT.encode() + b"\0", 0x0100: field.to_bytes(2, "little"), 0x0110: b"\7\0", 0x0800: kind}
    peer.fragment(LAST_COMMAND, command(elements))
    if has_dataset:
        peer.send_dataset(bytes(40_000))
    assert peer.status() == 0x0211
    node.stores(ct(node.uid()), peer)


@pytest.mark.parametrize("field", [0x0FFF, 0x8001, 0x8030, 0x8020, 0xFFFF])
def test_a_stray_cancel_or_response_is_let_pass(field: int, node: ReceivingNode) -> None:
    """Neither has an answer; the next request is served."""
    peer = node.associate()
    elements = {0x0100: field.to_bytes(2, "little"), 0x0120: b"\1\0", 0x0800: b"\1\1", 0x0900: b"\0\0"}
    peer.fragment(LAST_COMMAND, command(elements))
    assert peer.echo() == 0x0000


def test_a_store_that_announces_no_dataset_is_0xa900(node: ReceivingNode) -> None:
    """There is nothing to store."""
    peer = node.associate()
    peer.fragment(LAST_COMMAND, store_request(node.uid().encode(), e0800=b"\1\1"))
    assert peer.status() == 0xA900
    assert peer.echo() == 0x0000


def test_an_echo_on_a_storage_context_is_answered(node: ReceivingNode) -> None:
    """Some peers do that to keep an association alive."""
    assert node.associate().echo(1) == 0x0000


def test_requests_that_do_not_wait_for_answers_are_answered_in_order(node: ReceivingNode) -> None:
    """Six instances and an echo in one write; no window was negotiated, and some peers send on all the same."""
    peer, instances = node.associate(), [ct(node.uid()) for _ in range(6)]
    messages = [
        pdu(P_DATA, pdv(LAST_COMMAND, store_request(instance.sop_instance_uid.encode(), e0110=bytes([number, 0]))))
        + pdu(P_DATA, pdv(LAST_DATASET, instance.dataset))
        for number, instance in enumerate(instances)
    ]
    peer.send(b"".join(messages) + pdu(P_DATA, pdv(LAST_COMMAND, ECHO_REQUEST, 3)))
    responses = [peer.response() for _ in range(7)]
    assert [response[0x0900] for response in responses] == [b"\0\0"] * 7
    assert [response[0x0120][0] for response in responses] == [*range(6), 6]
    assert [node.kept(instance.sop_instance_uid) for instance in instances] == [one.dataset for one in instances]


_INTERLEAVED = [
    pytest.param([(LAST_COMMAND, 1), (LAST_DATASET, 3)], id="a dataset on another context"),
    pytest.param([(LAST_COMMAND, 1), (DATASET, 1), (LAST_DATASET, 3)], id="half a dataset on another context"),
    pytest.param([(LAST_COMMAND, 1), (LAST_COMMAND, 3)], id="two commands"),
    pytest.param([(1, 1), (LAST_COMMAND, 3)], id="half a command on another context"),
    pytest.param([(LAST_DATASET, 1)], id="a dataset without a command"),
    pytest.param([(1, 1), (LAST_DATASET, 1)], id="a dataset within a command"),
]


@pytest.mark.parametrize("together", [False, True], ids=["in PDUs of their own", "in one PDU"])
@pytest.mark.parametrize("order", _INTERLEAVED)
def test_messages_that_are_interleaved_are_aborted(
    order: list[tuple[int, int]],
    together: bool,  # noqa: FBT001 - a case of the table
    node: ReceivingNode,
) -> None:
    """PS3.7 6.3.1: the fragments of a message come one after the other, on one context."""
    files, peer = (
        node.files(),
        node.connect().associate((1, CT, (ct("1").transfer_syntax_uid,)), (3, CT, ("1.2.840.10008.1.2",))),
    )
    request = store_request(node.uid().encode())
    fragments = [
        pdv(
            control,
            b"data" if control in {DATASET, LAST_DATASET} else request[: None if control == LAST_COMMAND else 20],
            at,
        )
        for control, at in order
    ]
    for data in [b"".join(fragments)] if together else fragments:
        peer.send(pdu(P_DATA, data))
    assert peer.ending() == ABORTED
    node.comes_to_rest()
    assert node.files() == files


@pytest.mark.parametrize(
    "said",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"no command set", id="text"),
        pytest.param(store_request(b"1.2.3")[:-3], id="a command cut short"),
        pytest.param(command({0x0100: b"\1\0"}), id="no dataset type"),
        pytest.param(command({0x0110: b"\1\0", 0x0800: b"\1\1"}), id="no command field"),
        pytest.param(store_request(b"1.2.3", e0100=b"\1"), id="a command field of one byte"),
        pytest.param(store_request(b"1.2.3", e0110=None, e0800=b"\1\1"), id="no message ID"),
        pytest.param(b"\x08\0\0\0\4\0\0\0\0\0\0\0", id="an element of another group"),
        pytest.param(command({0x1000: b"1" * 100_000}), id="100 KB"),
    ],
)
def test_what_is_no_command_set_is_aborted(said: bytes, node: ReceivingNode) -> None:
    """Nobody can say what would be answered."""
    peer = node.connect().associate((1, CT, ("1.2.840.10008.1.2",)), (3, VERIFICATION, ("1.2.840.10008.1.2",)))
    for at in range(0, max(len(said), 1), 16_000):
        piece = said[at : at + 16_000]
        peer.fragment(LAST_COMMAND if at + 16_000 >= len(said) else 1, piece)
    assert peer.ending() == ABORTED
