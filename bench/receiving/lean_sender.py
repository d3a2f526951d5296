"""A sender as a process of its own: everything is read and encoded before the clock starts.

``python -m bench.receiving.lean_sender PORT CALLING CALLED SOP_CLASS FOLDER`` opens one association, says ``ready``,
waits for a line, sends the folder's files one after the other, and says when it began and ended, on the clock that all
processes share. It waits for another line and releases. ``--bare`` speaks no DICOM: see `bare_loop`.
"""

import argparse
import json
import socket
import struct
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from bench.sending.upper_layer import LARGEST_PDU, Association, Instance, store_request
from bench.sending.whole_files import uid_and_dataset

_ANSWER = b"k"


class Line(Protocol):
    """Where requests go."""

    largest_pdu: int

    def store(self, request: bytes) -> None:
        """Send one request and wait for its answer."""

    def release(self) -> None:
        """End."""


class BareLine:
    """A connection to the bare loop: the length of each request, the request, one byte back."""

    def __init__(self, port: int) -> None:
        self.largest_pdu = LARGEST_PDU
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=60)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def store(self, request: bytes) -> None:
        """Send one request and wait until it is in a file."""
        self._socket.sendall(struct.pack(">Q", len(request)))
        self._socket.sendall(request)
        if self._socket.recv(1) != _ANSWER:
            raise ConnectionError("the bare loop closed the connection")

    def release(self) -> None:
        """Close the connection."""
        self._socket.close()


def main() -> int:
    """Send what the command line names, and say when."""
    options = _options()
    files = [path.read_bytes() for path in sorted(options.folder.glob("*.dcm"))]
    instances = [Instance(options.sop_class, *uid_and_dataset(whole)) for whole in files]
    line = (
        BareLine(options.port)
        if options.bare
        else Association(options.port, options.calling, options.called, options.sop_class)
    )
    requests = [store_request(it, number, line.largest_pdu) for number, it in enumerate(instances, start=1)]
    print("ready", flush=True)
    sys.stdin.readline()
    print(json.dumps(_send(line, requests)), flush=True)
    sys.stdin.readline()
    line.release()
    return 0


def _send(line: Line, requests: Sequence[bytes]) -> dict[str, float]:
    began = time.monotonic()
    for request in requests:
        line.store(request)
    return {"began": began, "ended": time.monotonic(), "instances": len(requests)}


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("port", type=int)
    parser.add_argument("calling")
    parser.add_argument("called")
    parser.add_argument("sop_class")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--bare", action="store_true")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
