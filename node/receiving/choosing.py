"""How a node receives: in its first process, or in others beside it; and who then writes the rows."""

import os

from node.config import Settings
from node.pipeline.served import Served
from node.pipeline.steps import Reached, unobserved
from node.receiving.bookkeeping import opened_books
from node.receiving.handed_over import Recording
from node.receiving.one_process import Callbacks, Receiving
from node.receiving.several import FirstProcess, ReceivingProcesses
from node.runtime.clock import Clock
from node.store.database import Database
from node.store.disk.files import InstanceFiles

_MOST_SUITED = 4  # one process writes for them all, and is busy by then


def suited(cores: int) -> int:
    """Return how many receiving processes suit a machine on which this process may use so many cores.

    Half of them: the other half is for the process that writes, for reading, and for whatever sends. On one or two the
    first process receives alone.
    """
    return max(1, min(cores // 2, _MOST_SUITED))


def receiving_for(
    settings: Settings,
    database: Database,
    files: InstanceFiles,
    served: Served,
    clock: Clock,
    callbacks: Callbacks,
    reached: Reached = unobserved,
) -> Receiving | ReceivingProcesses:
    """Return what receives for a node, not started yet.

    Parameters
    ----------
    settings
        The checked configuration.
    database, files
        Where the first process keeps rows and bytes.
    served
        What the models ask for.
    clock
        The time now, aware.
    callbacks
        What it calls.
    reached
        Called at each step of an instance, in whichever process; for tests that end the process there.
    """
    count = settings.receive.processes or suited(len(os.sched_getaffinity(0)))
    books = opened_books(settings, database, files, served, clock, callbacks.wake, reached)
    own = Receiving(settings, files, books, callbacks.lost, reached)
    if count == 1:
        return own
    writer = Recording(books, callbacks.lost) if settings.database.is_embedded else None
    return ReceivingProcesses(settings, count, FirstProcess(own, files, writer), served, callbacks, reached)
