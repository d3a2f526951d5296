"""A running node: its parts joined, started and drained."""

import random
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from node.app.committing_loops import committing_loops, take_back_commitments
from node.app.compose_loops import compose_loops
from node.app.counting_loops import counting_loops
from node.app.deliver_loops import deliver_loops
from node.app.fetching_loops import fetching_loops
from node.app.labelling_loops import labelling_loops
from node.app.monitoring_loops import monitoring_loops
from node.app.parts import EXTEND_EVERY_S, Parts
from node.app.reading_loops import Readers
from node.app.rejecting_loops import rejecting_loops
from node.app.retaining_loops import retaining_loops
from node.app.retraining_loops import Retraining
from node.config import Settings
from node.pipeline.intake.misdated import Misdated, longest_wait_s
from node.pipeline.intake.synthetic_in_files import ask_files, test_peers
from node.pipeline.learning.salt import minted
from node.pipeline.registry import recalled
from node.pipeline.registry.catalogue import catalogue_of, seeded
from node.pipeline.steps import Reached, unobserved
from node.receiving.bookkeeping import recover
from node.receiving.choosing import receiving_for
from node.receiving.one_process import Callbacks
from node.runtime.child import Child
from node.runtime.clock import Clock
from node.runtime.keeping import Keeper
from node.runtime.loop import WorkLoop
from node.store.database import Database
from node.store.disk.files import InstanceFiles
from node.store.keeping import backfills
from node.store.labelling import label_inbox
from node.store.learning import retrainings
from node.store.notices import Listener, Work
from node.store.registering.registry import Registration
from node.store.sending import outbox
from node.store.stopping import holds, rejection_notes
from node.store.working import job_claims

_WORK_OF_ARRIVALS = ("read", "compose", "reject", "count", "commit", "tell", "fetch", "label")
"""Beginnings of the names of the loops that what comes in may concern: a look of every loop at each would cost more."""

_LOOPS_OF = {work: (work.value,) for work in Work} | {
    Work.COMPOSE: ("compose", "count"),
    Work.DELIVER: ("deliver", "commit"),
    Work.COMMIT: ("commit", "tell"),
}
"""Beginnings of the names of the loops that a signal concerns; all of them where it tells of anything."""


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
    lost
        Called where it receives nothing any more, by a defect: it is to be drained and its process to end.
    reached
        Called at each step of an instance that comes in; for tests that end the process there.
    listens
        Called with the port once associations are accepted.
    """

    def __init__(
        self,
        settings: Settings,
        database: Database,
        clock: Clock,
        jitter: random.Random,
        lost: Callable[[], None],
        reached: Reached = unobserved,
        listens: Callable[[int], None] = lambda _: None,
    ) -> None:
        self._settings, self._database, self._clock, self._listens = settings, database, clock, listens
        self._files = InstanceFiles(settings.node.data_dir)
        minted(database, clock())  # before any backup: who is forgotten later is known in it by this alone
        self._registrations = seeded(settings, database, clock)
        catalogue = catalogue_of(settings, database, self._registrations)
        self._keeper, self._listener = Keeper(EXTEND_EVERY_S), Listener(settings.database.url, self._hear)
        parts = Parts(
            settings, database, self._files, catalogue, clock, jitter, self._wake, self._wake_only, self._keeper
        )
        self._readers = Readers(parts)
        self._writer = Child(settings.work.deadline_s, memory_mb=settings.work.memory_mb)
        self._others = [
            *compose_loops(parts, self._writer),
            *deliver_loops(parts),
            *rejecting_loops(parts),
            *counting_loops(parts),
        ]
        self._others += [*committing_loops(parts), *fetching_loops(parts), *retaining_loops(parts)]
        self._retraining = Retraining(parts)
        self._others += self._retraining.loops
        self._others += [*labelling_loops(parts), *monitoring_loops(parts)]
        self._served = catalogue.served_models
        callbacks = Callbacks(partial(self._wake_only, _WORK_OF_ARRIVALS), lost)
        self._receiving = receiving_for(settings, database, self._files, self._served, clock, callbacks, reached)
        self._misdated = Misdated(database, longest_wait_s(settings), clock, self._wake)

    @property
    def registrations(self) -> list[Registration]:
        """The registry's rows at the start."""
        return self._registrations

    @property
    def kept_back(self) -> list[str]:
        """What is kept back by an operator's word, a sentence each, without what the operator typed."""
        return self._database.read(lambda tx: [hold.in_short for hold in holds.in_force(tx)] + recalled.notes(tx))

    def start(self) -> str:
        """Take back what a killed process held, accept associations, begin to work; return the ready line."""
        recover(self._settings, self._database, self._files, self._served, self._clock)
        ask_files(self._database, self._files, test_peers(self._settings), self._clock())
        # the lock on the data folder is held: no other worker lives, so every lease is a dead process's
        attempts = self._settings.work.attempts
        self._database.write(lambda tx: job_claims.rescue(tx, self._clock(), max_attempts=attempts, everything=True))
        self._database.write(lambda tx: outbox.rescue(tx, self._clock(), everything=True))
        self._database.write(lambda tx: rejection_notes.rescue(tx, self._clock()))
        self._database.write(lambda tx: label_inbox.rescue(tx, self._clock()))
        self._database.write(lambda tx: take_back_commitments(tx, self._clock()))
        self._database.write(lambda tx: backfills.rescue(tx, self._clock(), everything=True))
        self._database.write(lambda tx: retrainings.rescue(tx, self._clock()))
        self._misdated.settle()
        port = self._receiving.start()
        self._keeper.start()
        self._listener.start()
        self._retraining.start()
        for loop in self._others:
            loop.start()
        self._readers.start()
        self._listens(port)
        models = ",".join(f"{row.name}:{row.mode}" for row in self._registrations) or "none"
        return f"ready ae={self._settings.node.ae_title} port={port} web=off models={models}"

    def look_at_clock(self) -> None:
        """See to what a clock has left that was ahead; to be called now and then."""
        self._misdated.look()

    def accepts(self, within_s: float) -> bool:
        """Return whether connections are accepted, after so long at most."""
        return self._receiving.accepts(within_s)

    def drain(self, timeout_s: float) -> bool:
        """Reject new associations, let current ones and the work in hand finish; return whether all did in time."""
        deadline = time.monotonic() + timeout_s
        self._readers.finish()
        self._retraining.stop()
        for loop in self._loops:
            loop.finish()
        finished = self._receiving.drain(timeout_s)
        ended = [loop.ended(deadline - time.monotonic()) for loop in self._loops]
        self.abandon()
        return finished and all(ended)

    def abandon(self) -> None:
        """End the child processes, whatever they do."""
        self._readers.stop()
        self._retraining.stop()
        self._writer.stop()
        self._keeper.stop()
        self._listener.stop()
        self._receiving.abandon()

    def _hear(self, work: Work) -> None:
        self._wake_only(_LOOPS_OF[work])

    def _wake(self) -> None:
        for loop in self._loops:
            loop.wake()

    def _wake_only(self, names: tuple[str, ...]) -> None:
        for loop in self._loops:
            if loop.name.startswith(names):
                loop.wake()

    @property
    def _loops(self) -> list[WorkLoop[Any]]:
        return [*self._readers.loops, *self._others]
