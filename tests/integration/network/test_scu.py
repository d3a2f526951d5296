"""The node as a requestor: what it sends, what it makes of the answer, and what it says when there is none."""

import socket
from pathlib import Path
from typing import Any

import pytest
from pydicom.data import get_testdata_file
from pynetdicom import AE, evt
from pynetdicom.dsutils import split_dataset
from pynetdicom.status import code_to_category

from node.domain.errors import Permanent, Refused, Transient
from node.network.answer_status import Answer, sort_status
from node.network.scu import (
    ContextNotAccepted,
    OutgoingInstance,
    PeerAddress,
    PeerUnreachable,
    Rejected,
    echo,
    open_association,
)
from tests.integration.network.calling import AE_TITLE, CT, EXPLICIT, INSTANCE, MR, RLE, at


@pytest.fixture
def node(listen: Any) -> Any:
    """Return a running SCP of ours that stores everything."""
    return listen()


def test_an_echo_finds_a_peer(node: Any) -> None:
    """A peer that answers raises nothing."""
    echo(at(node.port), AE_TITLE)


@pytest.mark.parametrize("name", ["CT_small.dcm", "MR_small_RLE.dcm", "image_dfl.dcm", "ExplVR_BigEnd.dcm"])
def test_datasets_leave_as_they_are(name: str, node: Any) -> None:
    """What arrives is what was handed in, bit for bit and in its own transfer syntax."""
    path = Path(get_testdata_file(name, download=False))
    meta, offset = split_dataset(path)
    dataset = path.read_bytes()[offset:]
    syntaxes = (str(meta.MediaStorageSOPClassUID), str(meta.TransferSyntaxUID))
    outgoing = OutgoingInstance(syntaxes[0], str(meta.MediaStorageSOPInstanceUID), syntaxes[1], dataset)
    with open_association(at(node.port), AE_TITLE, [syntaxes]) as association:
        assert association.store(outgoing).status == 0x0000
    assert node.received[0].dataset == dataset
    assert node.received[0].transfer_syntax_uid == syntaxes[1]


def test_a_dataset_longer_than_a_pdu_arrives_whole(node: Any) -> None:
    """A dataset of many PDUs, the last one full, is put together again."""
    dataset = bytes(range(256)) * 4096
    with open_association(at(node.port), AE_TITLE, [(CT, EXPLICIT)]) as association:
        for size in (1, 131_065, 131_066, 131_067, len(dataset)):
            association.store(OutgoingInstance(CT, f"1.2.{size}", EXPLICIT, dataset[:size]))
    assert [len(one.dataset) for one in node.received] == [1, 131_065, 131_066, 131_067, len(dataset)]
    assert node.received[-1].dataset == dataset


def test_the_librarys_own_scp_reads_what_is_sent() -> None:
    """An SCP that nobody here wrote, with small PDUs, decodes the dataset and answers."""
    read: list[Any] = []

    def handle(event: Any) -> int:
        read.append(event.dataset)
        return 0xB000

    entity = AE("PACS")
    entity.maximum_pdu_size = 4096
    entity.add_supported_context(CT, EXPLICIT)
    server = entity.start_server(("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_C_STORE, handle)])
    path = Path(get_testdata_file("CT_small.dcm", download=False))
    meta, offset = split_dataset(path)
    outgoing = OutgoingInstance(CT, str(meta.MediaStorageSOPInstanceUID), EXPLICIT, path.read_bytes()[offset:])
    peer = at(server.server_address[1], "PACS")
    try:
        with open_association(peer, AE_TITLE, [(CT, EXPLICIT), (MR, EXPLICIT), (CT, RLE)]) as association:
            assert association.store(outgoing).status == 0xB000
            with pytest.raises(ContextNotAccepted, match="does not accept MR Image Storage in Explicit VR"):
                association.store(OutgoingInstance(MR, "1.2.3", EXPLICIT, b""))
            with pytest.raises(ContextNotAccepted, match="does not accept CT Image Storage in RLE Lossless"):
                association.store(OutgoingInstance(CT, "1.2.3", RLE, b""))
            assert association.store(outgoing).status == 0xB000
    finally:
        server.shutdown()
    assert [one.SOPInstanceUID for one in read] == [meta.MediaStorageSOPInstanceUID] * 2


@pytest.mark.parametrize(
    ("status", "answer"),
    [
        (0x0000, Answer.SENT),
        (0x0111, Answer.SENT),
        (0xB007, Answer.SENT),
        (0xA700, Answer.AGAIN),
        (0xC000, Answer.BURIED),
    ],
)
def test_statuses_come_back_with_their_comment(status: int, answer: Answer, listen: Any) -> None:
    """The number and the words of the peer reach the sender, and the number is sorted."""

    def refuse(_: Any) -> int:
        raise Refused(status, f"it is {code_to_category(status)}")

    with open_association(at(listen(refuse).port), AE_TITLE, [(CT, EXPLICIT)]) as association:
        given = association.store(INSTANCE)
    assert given.status == status
    assert given.comment == f"it is {code_to_category(status)}"
    assert sort_status(given.status) is answer


def test_connections_send_at_once(node: Any) -> None:
    """TCP_NODELAY is set on the requestor's end."""
    with open_association(at(node.port), AE_TITLE, [(CT, EXPLICIT)]) as association:
        connection = association._requestor._connection
        assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) != 0


def test_more_contexts_than_an_association_has_are_for_the_caller_to_split(node: Any) -> None:
    """128 pairs fit, 129 do not, nor does none."""
    pairs = [(f"1.2.{number}", EXPLICIT) for number in range(129)]
    with pytest.raises(ValueError, match="1 to 128"), open_association(at(node.port), AE_TITLE, pairs):
        pass
    with pytest.raises(ValueError, match="not 0"), open_association(at(node.port), AE_TITLE, []):
        pass
    with open_association(at(node.port), AE_TITLE, [*pairs[:127], (CT, EXPLICIT)]) as association:
        assert association.store(INSTANCE).status == 0x0000


def test_an_error_of_the_callers_aborts_the_association(node: Any) -> None:
    """What fails between two stores does not leave the peer with an open association."""
    with pytest.raises(LookupError), open_association(at(node.port), AE_TITLE, [(CT, EXPLICIT)]):
        raise LookupError
    with node.scp._changed:
        assert node.scp._changed.wait_for(lambda: not node.scp._open, 5)


def test_rejections_say_whose_title_to_change_and_where(node: Any) -> None:
    """The two that a configuration mends name the title and the side, and are tried again."""
    with pytest.raises(Rejected, match="does not know the calling AE title STRANGER; add that title on the peer"):
        echo(at(node.port), "STRANGER")
    with pytest.raises(Rejected, match="does not answer to the AE title OTHER; set ae_title of this peer"):
        echo(at(node.port, "OTHER"), AE_TITLE)
    assert issubclass(Rejected, Transient)
    assert issubclass(ContextNotAccepted, Permanent)


def test_a_full_peer_is_for_now(listen: Any) -> None:
    """A rejection for want of room is told as one."""
    peer = at(listen(max_associations=0).port)
    with pytest.raises(Rejected, match="reached its limit of associations") as caught:
        echo(peer, AE_TITLE)
    assert caught.value.codes == (2, 3, 2)


def test_nobody_there_is_one_clear_sentence() -> None:
    """A closed port and a name that nobody knows are told apart."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(PeerUnreachable, match=f"PACSNODE at 127.0.0.1:{port} refused the connection"):
        echo(at(port), AE_TITLE)
    with pytest.raises(PeerUnreachable, match="host name that cannot be resolved"):
        echo(PeerAddress("PACSNODE", "nowhere.invalid", 104), AE_TITLE)
