"""What every builder of loops is given, and how a loop of jobs is built."""

import os
import random
import socket
from collections.abc import Callable
from dataclasses import dataclass

from node.config import Settings
from node.pipeline.catalogue import Catalogue
from node.pipeline.failure import described, is_permanent
from node.runtime.clock import Clock
from node.runtime.loop import WorkLoop
from node.store import job_claims
from node.store.database import Database, Transaction
from node.store.files import InstanceFiles
from node.store.job_claims import ClaimedJob
from node.store.tables import JobKind


@dataclass(frozen=True, slots=True)
class Parts:
    """What a running node is joined from."""

    settings: Settings
    database: Database
    files: InstanceFiles
    catalogue: Catalogue
    clock: Clock
    jitter: random.Random  #: of the backoffs
    wake: Callable[[], None]  #: says to all loops that there may be work

    def worker(self, name: str) -> str:
        """Return who a loop is in the operator's listings."""
        return f"{socket.gethostname()}:{os.getpid()}:{name}"

    def job_loop(
        self, name: str, kind: JobKind, lease_s: float, handle: Callable[[ClaimedJob], None]
    ) -> WorkLoop[ClaimedJob]:
        """Return a loop that does jobs of one kind, one at a time."""
        worker, attempts = self.worker(name), self.settings.work.attempts

        def claim(tx: Transaction) -> ClaimedJob | None:
            return job_claims.claim(tx, [kind], self.clock(), lease_s, worker, max_attempts=attempts)

        return WorkLoop(
            name,
            lambda: self.database.write(claim),
            handle,
            self.fail_job,
            lambda: self.database.read(lambda tx: job_claims.next_due(tx, [kind], self.clock())),
            self.clock,
        )

    def fail_job(self, job: ClaimedJob, error: Exception) -> None:
        """Settle a job as failed."""
        self.database.write(
            lambda tx: job_claims.fail(
                tx, job, self.clock(), described(error), permanent=is_permanent(error), jitter=self.jitter
            )
        )
        self.wake()
