"""Work that is killed at one of its steps, in a process of its own; what it had written by then stays."""

import os
import signal
from collections.abc import Callable
from dataclasses import replace

from node.pipeline.delivery.deliver import Courier
from node.pipeline.steps import DeliveryStep
from node.store.database import Database
from tests.support.houses.line import Line


def killed_at(step: object, work: Callable[[Callable[[object], None]], object], times: int = 1) -> None:
    """Do some work in a process that ends itself with SIGKILL at a step, the last of so many times that it is taken.

    The work is given what it is to call at each step, and opens a database of its own.
    """

    def reached(at: object) -> None:
        nonlocal times
        times -= at is step
        if not times:
            os.kill(os.getpid(), signal.SIGKILL)

    child = os.fork()
    if child == 0:
        try:
            work(reached)
        finally:
            os._exit(1)
    _, status = os.waitpid(child, 0)
    assert os.WTERMSIG(status) == signal.SIGKILL


def delivering_killed_at(step: DeliveryStep, line: Line) -> None:
    """Deliver to the first peer in a process that ends itself with SIGKILL at a step."""

    def deliver(reached: Callable[[object], None]) -> None:
        given = replace(line.delivering, database=Database.open(line.house.url), reached=reached)
        courier = Courier(given, line.peers[0], "killed")
        delivery = courier.claim()
        assert delivery is not None
        courier.handle(delivery)

    killed_at(step, deliver)
