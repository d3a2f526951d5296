"""What the command line calls: a node opened on its data folder, and run until a signal."""

import os
import random
import signal
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import partial

from node import telemetry
from node.app.node import Node
from node.config import Settings
from node.pipeline.catalogue import shadow_notes
from node.pipeline.steps import Reached, unobserved
from node.runtime.clock import utc_now
from node.runtime.memory import share_arenas
from node.runtime.signals import StopSignals
from node.store import schema
from node.store.database import Database
from node.store.folder_lock import DataFolderLock, wait_for_receivers
from node.store.lock import database_lock

_LEFTOVER_S = 20.0  # receiving processes whose node was killed end by themselves well before


@contextmanager
def opened_node(settings: Settings, reached: Reached = unobserved) -> Iterator[Node]:
    """Lock the data folder, prepare and open the database, and yield a node that is not started yet.

    Parameters
    ----------
    settings
        The checked configuration.
    reached
        Called at each step of an instance that comes in; for tests that end the process there.

    Raises
    ------
    OperatorError
        Where another node works on the folder, it cannot be written, the database is at another schema version or
        cannot be reached, or a bundle cannot be used.
    """
    with DataFolderLock(settings.node.data_dir), database_lock(settings.database.url, _give_way):
        wait_for_receivers(settings.node.data_dir, _LEFTOVER_S)
        schema.prepare(settings.database.url)
        with closing(Database.open(settings.database.url)) as database:
            node = Node(settings, database, utc_now, random.Random(), reached)
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
    """
    share_arenas()
    telemetry.configure(settings.log.level, settings.log.format)
    log = telemetry.logger("app")
    with opened_node(settings, reached) as node:
        signals = StopSignals(again=partial(_end_at_once, node))
        signals.watch()
        print(node.start(), flush=True)  # noqa: T201 - the one line on stdout that scripts wait for
        for line in shadow_notes(settings, node.registrations):
            log.warning(line)
        signals.wait()
        log.info("draining")
        drained = node.drain(settings.node.drain_timeout_s)
        log.info("drained" if drained else "stopped with work in hand; it goes on at the next start")


def _give_way() -> None:
    """Stop, as at a signal, because another node works on the database by now."""
    telemetry.logger("app").error("another node took the database while its server was away: this one stops")
    os.kill(os.getpid(), signal.SIGTERM)


def _end_at_once(node: Node) -> None:
    """Leave without waiting for anything: what was in hand goes on at the next start, as after a kill."""
    node.abandon()
    os._exit(1)
