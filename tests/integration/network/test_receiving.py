"""Instances over real associations: what comes in is what was sent, and what is answered is what was decided."""

import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from pydicom.data import get_testdata_file
from pynetdicom import AE, _config
from pynetdicom.dsutils import split_dataset
from structlog.testing import capture_logs

from node.domain.errors import Refused
from tests.support.objects.raw_dataset import Instance
from tests.support.peers.raw_peer import LAST_COMMAND, LAST_DATASET, store_request

CT = "1.2.840.10008.5.1.4.1.1.2"
EXPLICIT, IMPLICIT = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2"
FILES = (
    "CT_small.dcm",
    "MR_small_implicit.dcm",
    "ExplVR_BigEnd.dcm",
    "image_dfl.dcm",
    "MR_small_RLE.dcm",
    "JPEG2000.dcm",
    "JPGExtended.dcm",
    "SC_rgb_jpeg_dcmtk.dcm",
    "MR_small_jpeg_ls_lossless.dcm",
    "reportsi.dcm",
)


def associated(port: int, *contexts: tuple[str, str]) -> Any:
    """Return an association of the library's own SCU with the node."""
    entity = AE("MODALITY")
    for abstract, transfer in contexts:
        entity.add_requested_context(abstract, transfer)
    association = entity.associate("127.0.0.1", port, ae_title="PACSNODE")
    assert association.is_established
    return association


def test_an_echo_is_answered(listen: Any) -> None:
    """C-ECHO of the library's own SCU is answered with success."""
    association = associated(listen().port, ("1.2.840.10008.1.1", IMPLICIT))
    assert association.send_c_echo().Status == 0x0000
    association.release()


@pytest.mark.parametrize("name", FILES)
def test_the_bytes_handed_on_are_those_that_were_sent(name: str, listen: Any, monkeypatch: Any) -> None:
    """The dataset of a file arrives bit for bit, with the syntaxes of its context and who sent it."""
    path = Path(get_testdata_file(name, download=False))
    meta, offset = split_dataset(path)
    monkeypatch.setattr(_config, "STORE_SEND_CHUNKED_DATASET", True)
    node = listen()
    association = associated(node.port, (meta.MediaStorageSOPClassUID, meta.TransferSyntaxUID))
    assert association.send_c_store(path).Status == 0x0000
    association.release()
    (instance,) = node.received
    assert instance.dataset == path.read_bytes()[offset:]
    assert instance.sop_class_uid == instance.context_sop_class_uid == meta.MediaStorageSOPClassUID
    assert instance.sop_instance_uid == meta.MediaStorageSOPInstanceUID
    assert instance.transfer_syntax_uid == meta.TransferSyntaxUID
    assert (instance.calling_ae_title, instance.called_ae_title) == ("MODALITY", "PACSNODE")
    assert instance.address == "127.0.0.1"


def test_a_retired_sop_class_is_stored(listen: Any, raw: Any) -> None:
    """Standalone Overlay Storage, which the library does not serve, reaches the callback like any other."""
    retired = "1.2.840.10008.5.1.4.1.1.8"
    node = listen()
    peer = raw(node)
    peer.request((1, retired, (EXPLICIT,)))
    assert peer.store(Instance("1.2.3", b"dataset", sop_class_uid=retired)) == 0x0000
    assert node.received[0].sop_class_uid == retired


def test_contexts_that_are_not_known_are_refused_one_by_one(listen: Any, raw: Any) -> None:
    """An unknown SOP class gives result 3, an unknown transfer syntax 4, and the context beside them lives."""
    peer = raw(listen())
    answer = peer.request((1, "1.2.3.4.5", (EXPLICIT,)), (3, CT, ("1.2.3.4.6",)), (5, CT, ("1.2.3.4.6", EXPLICIT)))
    assert answer.results == {1: 3, 3: 4, 5: 0}


def test_a_context_of_several_transfer_syntaxes_keeps_the_senders_compression(listen: Any, raw: Any) -> None:
    """A sender that lists RLE before the uncompressed syntaxes need not convert."""
    rle = "1.2.840.10008.1.2.5"
    node = listen()
    peer = raw(node)
    peer.request((1, CT, (rle, IMPLICIT, EXPLICIT)), (3, CT, (IMPLICIT, EXPLICIT)))
    assert peer.store(Instance("1.2.3", b"dataset")) == 0x0000
    peer.fragment(LAST_COMMAND, store_request(b"1.2.4"), 3)
    peer.fragment(LAST_DATASET, b"dataset", 3)
    assert peer.status() == 0x0000
    assert [one.transfer_syntax_uid for one in node.received] == [rle, EXPLICIT]


def test_the_status_that_was_decided_is_answered(listen: Any, raw: Any) -> None:
    """The number that the callback returns is the number on the wire, with the request's message ID and UIDs."""
    peer = raw(listen(lambda _: 0x0111))
    peer.request()
    peer.fragment(LAST_COMMAND, store_request(b"1.2.3"))
    peer.fragment(LAST_DATASET, b"dataset")
    response = peer.response()
    assert response[0x0900] == b"\x11\x01"
    assert response[0x0120] == b"\5\0"
    assert response[0x1000] == b"1.2.3\0"
    assert response[0x0100] == b"\x01\x80"


def test_a_refusal_gives_its_status_and_a_short_comment(listen: Any, raw: Any) -> None:
    """What the pipeline refuses is answered with its status and its reason, cut to 64 characters."""

    def refuse(_: Any) -> int:
        raise Refused(0xC000, "the dataset ends within an element " + "x" * 64)

    peer = raw(listen(refuse))
    peer.request()
    peer.fragment(LAST_COMMAND, store_request(b"1.2.3"))
    peer.fragment(LAST_DATASET, b"dataset")
    response = peer.response()
    assert response[0x0900] == b"\x00\xc0"
    assert response[0x0902].startswith(b"the dataset ends within an element ")
    assert len(response[0x0902]) == 64


def test_a_defect_of_ours_is_0xa700_and_says_nothing_of_the_patient(listen: Any, raw: Any) -> None:
    """An unexpected exception costs neither the association nor a secret: type and place are logged, its words not."""

    def fail(_: Any) -> int:
        raise KeyError("DOE^JANE")

    peer = raw(listen(fail))
    peer.request()
    with capture_logs() as events:
        assert peer.store(Instance("1.2.3", b"dataset")) == 0xA700
    assert peer.echo() == 0x0000
    assert "DOE" not in str(events)
    (failure,) = [event for event in events if event["event"] == "storing failed"]
    assert failure["error"] == "KeyError"
    assert failure["file"].endswith("test_receiving.py")


def test_nothing_is_acknowledged_before_the_callback_returns(listen: Any, raw: Any) -> None:
    """While the callback runs, no byte of a response is on the wire."""
    begun, allowed = threading.Event(), threading.Event()

    def hold(_: Any) -> int:
        begun.set()
        assert allowed.wait(10)
        return 0

    peer = raw(listen(hold))
    peer.request()
    peer.fragment(LAST_COMMAND, store_request(b"1.2.3"))
    peer.fragment(LAST_DATASET, b"dataset")
    assert begun.wait(10)
    peer.connection.settimeout(0.1)
    with pytest.raises(TimeoutError):
        peer.connection.recv(1)
    allowed.set()
    peer.connection.settimeout(10)
    assert peer.status() == 0x0000


def test_parallel_associations_are_served_side_by_side(listen: Any, raw: Any) -> None:
    """Four callbacks run at once: each waits for the other three."""
    together = threading.Barrier(4)

    def meet(_: Any) -> int:
        together.wait(10)
        return 0

    node = listen(meet)

    def send(number: int) -> int:
        peer = raw(node)
        peer.request()
        return int(peer.store(Instance(f"1.2.{number}", b"dataset %d" % number)))

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(send, range(4))) == [0, 0, 0, 0]
    assert sorted(one.dataset for one in node.received) == [b"dataset %d" % number for number in range(4)]


def test_accepted_connections_send_at_once(listen: Any, raw: Any) -> None:
    """TCP_NODELAY is set on the node's end."""
    node = listen()
    peer = raw(node)
    peer.request()
    (association,) = node.scp._open
    assert association.connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) != 0
