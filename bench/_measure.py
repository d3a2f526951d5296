"""One measurement: a receiver is started, gets the series, is checked byte for byte and is removed."""

import os
import shutil
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from _ct import CT_IMAGE_STORAGE
from _receivers import CALLING, RECEIVERS, Receiver
from _upper_layer import Association, Instance, store_request

from tests.support.part10 import part10_files
from tests.support.programs import cpu_seconds

WARM_UP = 8
_IDLE_OVER_S, _IDLE_CPU_S, _LONGEST_START = 0.5, 0.02, 120


@dataclass(frozen=True, slots=True)
class Measured:
    """What one receiver did with the series once."""

    per_second: float  #: instances a second
    cpu_ms: float  #: user and system time of the receiver's processes for each instance, in milliseconds


class Requests:
    """The encoded requests of a series, kept for each PDU length that a receiver has asked for."""

    def __init__(self, series: Sequence[Instance]) -> None:
        self._series = series
        self._encoded: dict[int, list[bytes]] = {}

    def of(self, largest_pdu: int) -> list[bytes]:
        """Return one request for each instance, in order."""
        if largest_pdu not in self._encoded:
            numbered = enumerate(self._series, start=1)
            self._encoded[largest_pdu] = [store_request(it, number, largest_pdu) for number, it in numbered]
        return self._encoded[largest_pdu]


def measure(name: str, series: Sequence[Instance], requests: Requests, associations: int) -> Measured:
    """Send the series to a fresh receiver and return its figures; the first few instances only warm it up.

    Raises
    ------
    AssertionError
        When a dataset that was acknowledged is not in the receiver's folder, byte for byte.
    """
    folder = Path(tempfile.mkdtemp(prefix=f"bench-{name}-"))
    try:
        os.sync()  # what the receiver before has left to write must not be paid for by this one
        with RECEIVERS[name](folder) as receiver:
            _wait_idle(receiver.group)
            measured = _timed(receiver, requests, associations)
            _compare(name, series, receiver.folder)
        return measured
    finally:
        shutil.rmtree(folder)


def _wait_idle(group: int) -> None:
    """Wait until a receiver that has just started does nothing more, such as loading what receiving does not need."""
    pause = threading.Event()
    for _ in range(_LONGEST_START):
        before = cpu_seconds(group)
        pause.wait(_IDLE_OVER_S)
        if cpu_seconds(group) - before < _IDLE_CPU_S:
            return
    raise TimeoutError("the receiver is never idle")


def _timed(receiver: Receiver, requests: Requests, associations: int) -> Measured:
    opened = [Association(receiver.port, CALLING, receiver.ae_title, CT_IMAGE_STORAGE) for _ in range(associations)]
    encoded = requests.of(opened[0].largest_pdu)
    for number, request in enumerate(encoded[:WARM_UP]):
        opened[number % associations].store(request)
    timed = encoded[WARM_UP:]
    shares = [timed[start::associations] for start in range(associations)]
    cpu_before, started = cpu_seconds(receiver.group), time.perf_counter()
    _send_all(opened, shares)
    elapsed, cpu = time.perf_counter() - started, cpu_seconds(receiver.group) - cpu_before
    for association in opened:
        association.release()
    return Measured(len(timed) / elapsed, cpu * 1000 / len(timed))


def _send_all(opened: Sequence[Association], shares: Sequence[Sequence[bytes]]) -> None:
    failures: list[Exception] = []

    def send(association: Association, share: Sequence[bytes]) -> None:
        try:
            for request in share:
                association.store(request)
        except (OSError, ValueError) as failure:
            failures.append(failure)

    senders = [threading.Thread(target=send, args=pair) for pair in zip(opened, shares, strict=True)]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join()
    if failures:
        raise failures[0]


def _compare(name: str, series: Sequence[Instance], folder: Path) -> None:
    kept = {file.sop_instance_uid: file.dataset for file in part10_files(folder)}
    wrong = [it.sop_instance_uid for it in series if kept.get(it.sop_instance_uid) != it.dataset]
    if wrong:
        raise AssertionError(
            f"{name}: {len(wrong)} of {len(series)} datasets are not stored byte for byte: {wrong[:3]}"
        )
