"""The bare recv-to-file loop: what the machine lets through when nothing is read, checked or kept.

``python -m bench.receiving.bare_loop PORT FOLDER``: a process for each connection, which takes a length, receives as
many bytes into a buffer of 512 KB, writes them to a file as they come, and answers with one byte. With ``--discard`` it
writes nothing: then the sender alone is what is measured.
"""

import argparse
import itertools
import os
import socket
import struct
import sys
from pathlib import Path

_BUFFER_BYTES = 512 * 1024
_ANSWER = b"k"


def main() -> int:
    """Listen until killed."""
    parser = argparse.ArgumentParser()
    parser.add_argument("port", type=int)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--discard", action="store_true")
    options = parser.parse_args()
    with socket.create_server(("127.0.0.1", options.port), backlog=128) as server:
        for number in itertools.count():
            connection, _ = server.accept()
            if os.fork() == 0:
                os._exit(_serve(connection, options.folder / f"{number:06d}", discard=options.discard))
            connection.close()
    return 0


def _serve(connection: socket.socket, prefix: Path, *, discard: bool) -> int:
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    buffer = memoryview(bytearray(_BUFFER_BYTES))
    for number in itertools.count():
        head = connection.recv(8, socket.MSG_WAITALL)
        if len(head) < 8:
            return 0
        (length,) = struct.unpack(">Q", head)
        target = os.devnull if discard else f"{prefix}-{number:06d}.raw"
        file = os.open(target, os.O_WRONLY | os.O_CREAT, 0o600)
        _receive(connection, file, length, buffer, discard=discard)
        os.close(file)
        connection.sendall(_ANSWER)
    return 0


def _receive(connection: socket.socket, file: int, length: int, buffer: memoryview, *, discard: bool) -> None:
    while length:
        got = connection.recv_into(buffer, min(length, _BUFFER_BYTES))
        if not got:
            raise ConnectionError("the sender closed the connection")
        if not discard:
            os.write(file, buffer[:got])
        length -= got


if __name__ == "__main__":
    sys.exit(main())
