"""The moments at which the node is killed and what of it is killed, drawn from a seed."""

import os
import random
import signal
import threading
from dataclasses import dataclass
from enum import StrEnum

from bench.killing.modalities import Sender
from bench.measuring.memory_held import receiving
from tests.support.nodes.process import Node, NodeFolder, launch
from tests.support.programs.processes import Program, members
from tests.support.waiting import wait_until

_ORPHANS_END_S = 20.0


class Phase(StrEnum):
    """What the node is about when it is killed."""

    STARTING = "starting"
    """Before it is ready: after a random time from the start of the process."""

    RECEIVING = "receiving"
    """In the middle of the new instances: after a random number of acknowledgements."""

    WORKING = "working"
    """After a random time from the arrival of the new instances: it reads, composes or delivers."""


class Victim(StrEnum):
    """What is killed."""

    TREE = "tree"
    """All processes of the node at once."""

    MAIN = "main"
    """The process that was started, alone; the others must notice and end."""

    CHILD = "child"
    """One of the others, alone, by turns: the node must go on without being started again."""


@dataclass(frozen=True, slots=True)
class Kill:
    """One kill to come: the phase, how far into it, from 0 to 1, and what is killed."""

    phase: Phase
    share: float
    victim: Victim


def draw_kills(count: int, jitter: random.Random) -> list[Kill]:
    """Return `count` kills in random order, every fifth while starting and the others half and half.

    Every other one strikes all processes; of those between, one strikes the main process alone and the next a child.
    """
    kinds = [Phase.STARTING, Phase.RECEIVING, Phase.WORKING, Phase.RECEIVING, Phase.WORKING]
    phases = [kinds[number % len(kinds)] for number in range(count)]
    jitter.shuffle(phases)
    turns = [Victim.TREE, Victim.MAIN, Victim.TREE, Victim.CHILD]
    victims = [turns[number % len(turns)] for number in range(count)]
    return [Kill(phase, jitter.random(), victim) for phase, victim in zip(phases, victims, strict=True)]


@dataclass(slots=True)
class Toll:
    """What the kills showed by themselves."""

    outlived: int = 0  #: processes that were still there long after the main process was killed
    fell: int = 0  #: times that the node ended although only a child was killed
    receivers: int = 0  #: kills that struck a receiving process other than the main one


def kill_while_starting(home: NodeFolder, kill: Kill, longest_s: float, toll: Toll) -> None:
    """Start the node and kill it before it is ready."""
    process = launch(home)
    threading.Event().wait(kill.share * longest_s)
    _kill_main(process, toll) if kill.victim is Victim.MAIN else process.kill()


def wait_for_moment(kill: Kill, sender: Sender, released: int, longest_s: float) -> None:
    """Wait until the moment of a kill, after `released` new instances were given to the sender."""
    already = len(sender.acknowledged)
    if kill.phase is Phase.RECEIVING:
        sender.wait_acknowledged(already + max(1, int(kill.share * released)), longest_s)
    else:
        threading.Event().wait(kill.share * longest_s)


def strike(kill: Kill, node: Node, turn: int, toll: Toll) -> bool:
    """Kill what is to be killed, and return whether the node still serves."""
    children = _children(node)
    if kill.victim is Victim.CHILD and children:
        others = set(receiving(node.process.pid, node.port)) - {node.process.pid}
        victim = children[turn % len(children)]
        toll.receivers += victim in others
        os.kill(victim, signal.SIGKILL)
        return True
    _kill_main(node.process, toll) if kill.victim is Victim.MAIN else node.process.kill()
    return False


def _children(node: Node) -> list[int]:
    """Return the other processes of a node, those that receive first: where there are several, each has its turn."""
    group = node.process.pid
    first = set(receiving(group, node.port))
    return sorted(set(members(group)) - {group}, key=lambda pid: (pid not in first, pid))


def _kill_main(process: Program, toll: Toll) -> None:
    os.kill(process.pid, signal.SIGKILL)
    process.process.wait(10)
    try:
        wait_until(lambda: not members(process.pid), _ORPHANS_END_S, "the end of the other processes")
    except TimeoutError:
        toll.outlived += len(members(process.pid))
        process.kill()
