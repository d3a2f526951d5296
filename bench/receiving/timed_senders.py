"""Who sends: the lean sender and DCMTK's storescu, as many processes as associations, each with files of its own."""

import json
import os
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.measuring.processor_time import cpu_seconds
from bench.measuring.recorded_rows import count as count_rows
from bench.measuring.recorded_rows import wait_recorded
from bench.receiving.contenders import LARGEST_PDU, Receiver
from bench.running.launched import CALLING
from bench.running.told_process import ToldProcess
from tests.support.programs.dcmtk import NO_DELAY
from tests.support.programs.processes import LOOPBACK, program

_LONGEST_S = 300
_LEAN = "bench.receiving.lean_sender"


@dataclass(frozen=True, slots=True)
class Measured:
    """What one receiver did with a workload once."""

    per_second: float  #: instances a second
    cpu_ms: float  #: user and system time of the receiver's processes for each instance, in milliseconds


Send = Callable[[Receiver, Sequence[Path], str], Measured]


def lean(receiver: Receiver, folders: Sequence[Path], sop_class_uid: str) -> Measured:
    """Send each folder on an association of its own; the clock runs from the first request to the last answer."""
    arguments = [str(receiver.port), CALLING, receiver.ae_title, sop_class_uid]
    bare = [] if receiver.speaks_dicom else ["--bare"]
    senders = [ToldProcess(_LEAN, [*arguments, str(folder), *bare]) for folder in folders]
    try:
        for sender in senders:
            sender.hear("ready")
        rows, before = count_rows(receiver.database), cpu_seconds(receiver.group)
        for sender in senders:
            sender.tell("go")
        said = [json.loads(sender.hear("{")) for sender in senders]
        count = sum(it["instances"] for it in said)
        wait_recorded(receiver.database, rows + count)
        used = cpu_seconds(receiver.group) - before
        for sender in senders:
            sender.tell("release")
            sender.end()
    finally:
        for sender in senders:
            sender.kill()
    elapsed = max(it["ended"] for it in said) - min(it["began"] for it in said)
    return Measured(count / elapsed, used * 1000 / count)


def storescu(receiver: Receiver, folders: Sequence[Path], _sop_class_uid: str) -> Measured:
    """Send each folder with a storescu of its own; its start, its reading and its association are in the time."""
    pdu = ["--max-pdu", str(LARGEST_PDU), "--max-send-pdu", str(LARGEST_PDU)]
    command = [program("storescu"), "-aet", CALLING, "-aec", receiver.ae_title, *pdu, "+sd", LOOPBACK]
    count = sum(len(list(folder.glob("*.dcm"))) for folder in folders)
    rows = count_rows(receiver.database)
    before, began = cpu_seconds(receiver.group), time.monotonic()
    senders = [
        subprocess.Popen([*command, str(receiver.port), str(folder)], env=os.environ | NO_DELAY) for folder in folders
    ]
    statuses = [sender.wait(_LONGEST_S) for sender in senders]
    elapsed = time.monotonic() - began
    if any(statuses):
        raise ConnectionError(f"storescu ended with {statuses} at {receiver.ae_title}")
    wait_recorded(receiver.database, rows + count)
    return Measured(count / elapsed, (cpu_seconds(receiver.group) - before) * 1000 / count)


SENDERS: dict[str, Send] = {"lean": lean, "storescu": storescu}
PARTS = {"lean": 1.0, "storescu": 0.25}  #: of a long run
