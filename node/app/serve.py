"""What the command line calls: a node opened on its data folder, and run until a signal."""

import os
import random
import signal
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial

from node import telemetry
from node.app.node import Node
from node.config import Settings
from node.domain.errors import OperatorError, Transient
from node.pipeline import running
from node.pipeline.registry.go_live import shadow_notes
from node.pipeline.steps import Reached, unobserved
from node.runtime import temporary
from node.runtime.clock import utc_now
from node.runtime.memory import share_arenas
from node.runtime.signals import StopSignals
from node.store import schema
from node.store.connection.database_lock import database_lock
from node.store.database import Database
from node.store.disk.folder_lock import DataFolderLock, wait_for_receivers

_LOOK_S, _ACCEPTS_WITHIN_S = 30.0, 30.0  # at the thread that accepts connections
_LEFTOVER_S = 20.0  # receiving processes whose node was killed end by themselves well before


@contextmanager
def opened_node(
    settings: Settings, reached: Reached = unobserved, lost: Callable[[], None] | None = None
) -> Iterator[Node]:
    """Lock the data folder, prepare and open the database, and yield a node that is not started yet.

    Parameters
    ----------
    settings
        The checked configuration.
    reached
        Called at each step of an instance that comes in; for tests that end the process there.
    lost
        Called where it receives nothing any more, by a defect; left out, the process is told to end, as by a signal.

    Raises
    ------
    OperatorError
        Where another node works on the folder, it cannot be written, the database is at another schema version or
        cannot be reached, or a bundle cannot be used.
    """
    lock, since = DataFolderLock(settings.node.data_dir), utc_now()
    with lock, database_lock(settings.database.url, _give_way):
        running.tell(lock, settings, since)
        wait_for_receivers(settings.node.data_dir, _LEFTOVER_S)
        schema.prepare(settings.database.url)
        with closing(Database.open(settings.database.url, data_dir=settings.node.data_dir)) as database:
            listens = partial(running.tell, lock, settings, since)
            node = Node(settings, database, utc_now, random.Random(), lost or _end, reached, listens)
            try:
                yield node
            finally:
                node.abandon()


def serve(settings: Settings, reached: Reached = unobserved) -> None:
    """Run a node until SIGTERM or SIGINT, then drain it; a second signal ends it at once.

    Parameters
    ----------
    settings
        The checked configuration.
    reached
        Called at each step of an instance that comes in; for tests that end the process there.

    Raises
    ------
    OperatorError
        As `opened_node`, and at the end of a node that lived on and could not receive any more.
    """
    share_arenas()
    telemetry.configure(settings.log.level, settings.log.format)
    log = telemetry.logger("app")
    loss = _Loss()
    with opened_node(settings, reached, loss) as node:
        temporary.keep_apart()
        signals = StopSignals(again=partial(_end_at_once, node))
        signals.watch()
        print(node.start(), flush=True)  # noqa: T201 - the one line on stdout that scripts wait for
        for line in [*shadow_notes(settings, node.registrations), *node.kept_back]:
            log.warning("results kept back", note=line)
        while not signals.wait(_LOOK_S):
            _see_to_clock(node)
            if not node.accepts(_ACCEPTS_WITHIN_S):
                log.error("accepting stands still", then="the node ends", after_s=_ACCEPTS_WITHIN_S)
                _end_at_once(node)
        log.info("draining")
        drained = node.drain(settings.node.drain_timeout_s)
        log.info("drained" if drained else "stopped with work in hand")
    if loss.has_happened:
        raise OperatorError(
            "the node could not receive any more and has ended: start it again, or let the service manager do so; the "
            "log says above where the defect is"
        )


def _see_to_clock(node: Node) -> None:
    try:
        node.look_at_clock()
    except Transient as error:  # the next start finds it
        telemetry.logger("app").warning("clock not looked at", reason=str(error))


class _Loss:
    """Ends a node that lives on and cannot receive any more: it drains, as at a signal, and then it has failed."""

    def __init__(self) -> None:
        self.has_happened = False

    def __call__(self) -> None:
        self.has_happened = True
        _end()


def _end() -> None:
    os.kill(os.getpid(), signal.SIGTERM)


def _give_way() -> None:
    """Stop, as at a signal, because another node works on the database by now."""
    telemetry.logger("app").error("another node took the database", since="its server was away", then="this node stops")
    _end()


def _end_at_once(node: Node) -> None:
    """Leave without waiting for anything: what was in hand goes on at the next start, as after a kill."""
    node.abandon()
    os._exit(1)
