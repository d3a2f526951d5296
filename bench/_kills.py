"""The moments at which the node is killed, drawn from a seed."""

import random
import threading
import time
from dataclasses import dataclass
from enum import StrEnum

from _sender import Sender

from tests.support.nodes import NodeFolder, launch


class Phase(StrEnum):
    """What the node is about when it is killed."""

    STARTING = "starting"
    """Before it is ready: after a random time from the start of the process."""

    RECEIVING = "receiving"
    """In the middle of the new instances: after a random number of acknowledgements."""

    WORKING = "working"
    """After a random time from the arrival of the new instances: it reads, composes or delivers."""


@dataclass(frozen=True, slots=True)
class Kill:
    """One kill to come: the phase, and how far into it, from 0 to 1."""

    phase: Phase
    share: float


def draw_kills(count: int, jitter: random.Random) -> list[Kill]:
    """Return `count` kills in random order, every fifth while starting and the others half and half."""
    kinds = [Phase.STARTING, Phase.RECEIVING, Phase.WORKING, Phase.RECEIVING, Phase.WORKING]
    phases = [kinds[number % len(kinds)] for number in range(count)]
    jitter.shuffle(phases)
    return [Kill(phase, jitter.random()) for phase in phases]


def kill_while_starting(home: NodeFolder, share: float, longest_s: float) -> float:
    """Start the node, kill it before it is ready, and return after how many seconds."""
    process, started = launch(home), time.monotonic()
    threading.Event().wait(share * longest_s)
    process.kill()
    return time.monotonic() - started


def wait_for_moment(kill: Kill, sender: Sender, released: int, longest_s: float) -> None:
    """Wait until the moment of a kill, after `released` new instances were given to the sender."""
    already = len(sender.acknowledged)
    if kill.phase is Phase.RECEIVING:
        sender.wait_acknowledged(already + max(1, int(kill.share * released)), longest_s)
    else:
        threading.Event().wait(kill.share * longest_s)
