"""TCP connections that carry PDUs: how long one may be, and the options without which each of them stalls.

It knows neither associations nor the library.
"""

import socket

#: Longest P-DATA-TF that this node announces (PS3.8 D.1); larger ones gain nothing.
MAXIMUM_PDU_BYTES = 128 * 1024

#: No PDU is read beyond this: the library would gather a claimed 300 MB A-ASSOCIATE-RQ before it looks at it.
PDU_CAP_BYTES = 1 << 20

_QUICK_ACKNOWLEDGEMENT: int | None = getattr(socket, "TCP_QUICKACK", None)


def send_at_once(connection: socket.socket) -> None:
    """Set TCP_NODELAY: with Nagle's algorithm and delayed acknowledgements a C-STORE stalls for about 40 ms."""
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def acknowledge_at_once(connection: socket.socket) -> None:
    """Set TCP_QUICKACK before a read: a peer that leaves Nagle's algorithm on waits for our acknowledgement.

    DCMTK does, and writes header and body of a PDU apart. Linux forgets the option by itself, and only it knows it.
    """
    if _QUICK_ACKNOWLEDGEMENT is not None:
        connection.setsockopt(socket.IPPROTO_TCP, _QUICK_ACKNOWLEDGEMENT, 1)
