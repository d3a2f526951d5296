"""What is no DICOM: a connection or a burst of them, and other protocols on the port."""

import ssl

import pytest

from tests.support.nodes.receiving import ReceivingNode
from tests.support.peers.raw_peer import ABORTED, CLOSED

_TLS_HELLO = bytes.fromhex("16030100310100002d0303") + bytes(32) + bytes.fromhex("000006c02bc02f002f0100")


@pytest.mark.parametrize(
    "said",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"\1", id="one byte of a request"),
        pytest.param(b"GET / HTTP/1.1\r\nHost: node\r\n\r\n", id="HTTP"),
        pytest.param(_TLS_HELLO, id="a TLS hello"),
        pytest.param(b"SSH-2.0-OpenSSH_9.2\r\n", id="SSH"),
        pytest.param(b"\0" * 4096, id="zeros"),
        pytest.param(b"\xff" * 4096, id="ones"),
        pytest.param(bytes(range(256)) * 64, id="garbage"),
        pytest.param(b"\1\0\0\0\0\0", id="a request of no length"),
        pytest.param(b"\1\0\0\0\0\4what", id="a request of four bytes"),
        pytest.param(b"\1\0\0\0\0\x44" + b"\xff" * 68, id="a request of ones"),
    ],
)
def test_what_is_no_dicom_is_let_go_once_it_has_spoken(said: bytes, node: ReceivingNode) -> None:
    """The end of the stranger's stream is the end of the connection, with or without an A-ABORT."""
    stranger = node.connect()
    stranger.send(said)
    stranger.shut()
    assert stranger.ending() in {ABORTED, CLOSED}


def test_a_scan_of_two_hundred_connections_keeps_nothing(node: ReceivingNode) -> None:
    """Connections that are closed as they are made, and a peer that is served in the midst of them."""
    for number in range(200):
        with node.connect() as scanner:
            if number % 2:
                scanner.reset()
        if number == 100:
            node.serves()


def test_a_tls_handshake_on_the_plain_port_fails_and_costs_nothing(node: ReceivingNode) -> None:
    """A real client's handshake, not a recording of one."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with pytest.raises((ssl.SSLError, ConnectionError)):
        context.wrap_socket(node.connect().connection)
