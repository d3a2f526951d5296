"""Receiving processes that do nothing but live and end, and what is heard of them."""

import queue
import socket
from pathlib import Path

from node.runtime.kept_process import Told
from node.runtime.kept_processes import KeptProcesses
from node.runtime.line import Line

PATIENCE_S = 30.0


class ReceiversHouse:
    """Receivers, and what they said."""

    def __init__(self) -> None:
        self.wakes: queue.SimpleQueue[None] = queue.SimpleQueue()
        self.deaths: queue.SimpleQueue[None] = queue.SimpleQueue()
        self.losses: queue.SimpleQueue[None] = queue.SimpleQueue()
        self.told, self.told_by = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.told.settimeout(PATIENCE_S)
        self.receivers: list[KeptProcesses] = []

    def of(self, count: int, target: object, ask_every_s: float = 5.0) -> KeptProcesses:
        """Return so many processes of a target, which also gets a socket to tell this test something."""
        made = KeptProcesses(
            count,
            target,  # type: ignore[arg-type]
            (self.told_by,),
            Told(
                lambda: self.wakes.put(None),
                socket.socket.close,
                lambda: self.deaths.put(None),
                lambda: self.losses.put(None),
            ),
            ask_every_s=ask_every_s,
        )
        self.receivers.append(made)
        return made

    def heard(self) -> str:
        """Return what a process told."""
        return self.told.recv(100).decode()


def drained(receivers: KeptProcesses, timeout_s: float) -> bool:
    """Tell all to end, and return whether they did by themselves."""
    receivers.finish()
    return receivers.ended(timeout_s)


def until_told(line: Line, told: socket.socket) -> None:
    """Live until told to end, and tell how."""
    line.ready()
    told.send(f"told to drain: {line.told_to_drain()}".encode())


def never_ready(line: Line, _: socket.socket) -> None:
    """Live, and say nothing."""
    line.told_to_drain()


def parent_of(pid: int) -> int:
    """Return which process forked another."""
    return int(Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[1])
