"""The composition root: the only file that knows all parts.

`Node` joins the rooms into a running node; the functions below it are what the command line calls.
"""

import os
import random
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from typing import Any

from node import telemetry
from node.config import Settings
from node.domain.errors import Permanent, Transient
from node.pipeline.asking import ask_files, test_peers
from node.pipeline.catalogue import Catalogue, public_keys, seeded, shadow_notes
from node.pipeline.compose import Composer
from node.pipeline.deliver import Deliverer
from node.pipeline.failure import described, is_permanent
from node.pipeline.read import InstanceReader
from node.pipeline.reading import read_file, warm
from node.pipeline.steps import Reached, unobserved
from node.receivers.several import ReceivingProcesses
from node.receiving import Receiving
from node.runtime.child import Child
from node.runtime.clock import Clock, utc_now
from node.runtime.loop import WorkLoop
from node.runtime.memory import share_arenas
from node.runtime.signals import StopSignals
from node.store import job_claims, outbox, schema
from node.store.database import Database, Transaction
from node.store.files import InstanceFiles
from node.store.folder_lock import DataFolderLock, wait_for_receivers
from node.store.job_claims import ClaimedJob
from node.store.lock import database_lock
from node.store.outbox import ClaimedDelivery
from node.store.registry import Registration
from node.store.tables import JobKind

__all__ = ["Node", "opened_node", "serve", "utc_now"]

_COMPOSE_LEASE_S = 120.0
_DELIVERY_LEASE_S = 600.0
_LEASE_MARGIN_S = 60.0  # a read's lease outlives its deadline, so that a slow read is not done twice
_LEFTOVER_S = 20.0  # receiving processes whose node was killed end by themselves well before


class Node:
    """A running node on one data folder.

    Parameters
    ----------
    settings
        The checked configuration.
    database
        Open, at this program's schema.
    clock
        The time now, aware.
    jitter
        Random source of the backoffs.
    reached
        Called at each step of an instance that comes in; for tests that end the process there.
    """

    def __init__(
        self,
        settings: Settings,
        database: Database,
        clock: Clock,
        jitter: random.Random,
        reached: Reached = unobserved,
    ) -> None:
        self._settings, self._database, self._clock, self._jitter = settings, database, clock, jitter
        self._files = InstanceFiles(settings.node.data_dir)
        self._registrations = seeded(settings, database, clock)
        self._catalogue = Catalogue(self._registrations, public_keys(settings))
        work = settings.work
        self._children = [Child(work.deadline_s, memory_mb=work.memory_mb) for _ in range(work.processes)]
        self._reading = list(zip(self._children, self._read_loops(), strict=True))
        self._others = [self._compose_loop(), *self._deliver_loops()]
        self._draining = False
        served = self._catalogue.served_models
        self._alone = Receiving(settings, database, self._files, served, clock, self._wake, reached)
        self._receiving: Receiving | ReceivingProcesses = self._alone
        if settings.receive.processes > 1:
            self._receiving = ReceivingProcesses(settings, served, self._files, self._wake)

    @property
    def registrations(self) -> list[Registration]:
        """The registry's rows at the start."""
        return self._registrations

    def start(self) -> str:
        """Take back what a killed process held, accept associations, begin to work; return the ready line."""
        self._alone.recover()
        ask_files(self._database, self._files, test_peers(self._settings), self._clock())
        # the lock on the data folder is held: no other worker lives, so every lease is a dead process's
        attempts = self._settings.work.attempts
        self._database.write(lambda tx: job_claims.rescue(tx, self._clock(), max_attempts=attempts, everything=True))
        self._database.write(lambda tx: outbox.rescue(tx, self._clock(), everything=True))
        port = self._receiving.start()
        for loop in self._others:
            loop.start()
        for child, loop in self._reading:
            threading.Thread(target=self._begin_reading, args=(child, loop), name="warm", daemon=True).start()
        models = ",".join(f"{row.name}:{row.mode}" for row in self._registrations) or "none"
        return f"ready ae={self._settings.node.ae_title} port={port} web=off models={models}"

    def drain(self, timeout_s: float) -> bool:
        """Reject new associations, let current ones and the work in hand finish; return whether all did in time."""
        deadline = time.monotonic() + timeout_s
        self._draining = True
        for loop in self._loops:
            loop.finish()
        finished = self._receiving.drain(timeout_s)
        ended = [loop.ended(deadline - time.monotonic()) for loop in self._loops]
        self.abandon()
        return finished and all(ended)

    def abandon(self) -> None:
        """End the child processes, whatever they do."""
        self._draining = True
        for child in self._children:
            child.stop()
        self._receiving.abandon()

    def _wake(self) -> None:
        for loop in self._loops:
            loop.wake()

    @property
    def _loops(self) -> list[WorkLoop[Any]]:
        return [*(loop for _, loop in self._reading), *self._others]

    def _begin_reading(self, child: Child, loop: WorkLoop[Any]) -> None:
        """Load the bundles, then read. One that cannot be loaded stops reading, and nothing is called not assessed."""
        log = telemetry.logger("app")
        for bundle, public_key in self._catalogue.bundles:
            try:
                child.call(warm, bundle, public_key)
            except Permanent as error:
                log.error("reading waits: restart the node with a bundle that loads", reason=str(error))  # noqa: TRY400 - the reason says all
                return
            except Transient as error:  # the child died or was too slow: the first read tries again
                if not self._draining:
                    log.warning("bundle not loaded in time", reason=str(error))
        loop.start()

    def _read_loops(self) -> Iterator[WorkLoop[Any]]:
        for number, child in enumerate(self._children):
            reader = InstanceReader(
                self._database,
                self._files,
                self._catalogue,
                partial(child.call, read_file),
                self._clock,
                self._wake,
            )
            lease_s = self._settings.work.deadline_s + _LEASE_MARGIN_S
            yield self._job_loop(f"read-{number + 1}", JobKind.READ, lease_s, reader.handle)

    def _compose_loop(self) -> WorkLoop[Any]:
        peers = self._settings.peers
        composer = Composer(self._database, self._files, self._catalogue, peers, self._clock, self._wake)
        return self._job_loop("compose", JobKind.COMPOSE, _COMPOSE_LEASE_S, composer.handle)

    def _job_loop(
        self, name: str, kind: JobKind, lease_s: float, handle: Callable[[ClaimedJob], None]
    ) -> WorkLoop[ClaimedJob]:
        worker = f"{socket.gethostname()}:{os.getpid()}:{name}"
        attempts = self._settings.work.attempts

        def claim(tx: Transaction) -> ClaimedJob | None:
            return job_claims.claim(tx, [kind], self._clock(), lease_s, worker, max_attempts=attempts)

        return WorkLoop(
            name,
            lambda: self._database.write(claim),
            handle,
            self._fail_job,
            lambda: self._database.read(lambda tx: job_claims.next_due(tx, [kind])),
            self._clock,
        )

    def _fail_job(self, job: ClaimedJob, error: Exception) -> None:
        self._database.write(
            lambda tx: job_claims.fail(
                tx, job, self._clock(), described(error), permanent=is_permanent(error), jitter=self._jitter
            )
        )
        self._wake()

    def _deliver_loops(self) -> Iterator[WorkLoop[Any]]:
        """Yield a loop for each peer: one that is down or slow holds up nobody else."""
        peers = [peer for peer in self._settings.peers if peer.gets]
        deliverer = Deliverer(self._database, self._settings.node.ae_title, peers, self._clock, self._jitter)
        for peer in peers:
            yield self._deliver_loop(peer.name, deliverer)

    def _deliver_loop(self, peer: str, deliverer: Deliverer) -> WorkLoop[ClaimedDelivery]:
        worker = f"{socket.gethostname()}:{os.getpid()}:deliver-{peer}"
        return WorkLoop(
            f"deliver-{peer}",
            lambda: self._database.write(lambda tx: outbox.claim(tx, self._clock(), _DELIVERY_LEASE_S, worker, [peer])),
            deliverer.handle,
            self._fail_delivery,
            lambda: self._database.read(lambda tx: outbox.next_due(tx, [peer])),
            self._clock,
        )

    def _fail_delivery(self, delivery: ClaimedDelivery, error: Exception) -> None:
        self._database.write(
            lambda tx: outbox.fail(
                tx, delivery, self._clock(), described(error), permanent=is_permanent(error), jitter=self._jitter
            )
        )


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
