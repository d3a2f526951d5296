"""What every builder of loops is given, and how a loop of jobs is built."""

import os
import random
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from node.config import Settings
from node.domain.errors import WorkStopped
from node.domain.lifecycle import State
from node.pipeline.failure import described, is_permanent
from node.pipeline.registry.catalogue import Catalogue
from node.runtime.clock import Clock
from node.runtime.keeping import Keeper
from node.runtime.loop import WorkLoop
from node.store.database import Database, Transaction
from node.store.disk.files import InstanceFiles
from node.store.tables.choices import JobKind
from node.store.working import job_claims
from node.store.working.job_claims import ClaimedJob
from node.telemetry import logger

_log = logger("app")

LEASE_S = 60.0
"""How long a job is held without a word of its worker, who says that it is at it every `EXTEND_EVERY_S`."""

EXTEND_EVERY_S = 15.0


class OfStudy(Protocol):
    """Work on one study."""

    @property
    def study_instance_uid(self) -> str:
        """Which."""


def about(claimed: OfStudy) -> dict[str, str]:
    """Return what a log line says of work that failed."""
    return {"study_instance_uid": claimed.study_instance_uid}


def _about_jobs(jobs: Sequence[ClaimedJob]) -> dict[str, str]:
    return {"study_instance_uid": ", ".join(dict.fromkeys(job.study_instance_uid for job in jobs))}


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
    wake_only: Callable[[tuple[str, ...]], None]  #: the same, to those whose names begin so: each looks by itself
    keeper: Keeper  #: extends the leases of jobs in hand

    def worker(self, name: str) -> str:
        """Return who a loop is in the operator's listings."""
        return f"{socket.gethostname()}:{os.getpid()}:{name}"

    def jobs_loop(
        self, name: str, kind: JobKind, limit: int, handle: Callable[[list[ClaimedJob]], None]
    ) -> WorkLoop[list[ClaimedJob]]:
        """Return a loop that does jobs of one kind, at most `limit` at once; their leases are extended meanwhile."""
        return WorkLoop(
            name,
            partial(self._claimed, kind, self.worker(name), limit),
            partial(self._kept, handle),
            self.fail_jobs,
            lambda: self.database.read(lambda tx: job_claims.next_due(tx, [kind], self.clock())),
            self.clock,
            _about_jobs,
        )

    def _claimed(self, kind: JobKind, worker: str, limit: int) -> list[ClaimedJob] | None:
        attempts = self.settings.work.attempts
        taken = self.database.write(
            lambda tx: job_claims.claim_some(
                tx, [kind], self.clock(), LEASE_S, worker, limit=limit, max_attempts=attempts
            )
        )
        return taken or None

    def _kept(self, handle: Callable[[list[ClaimedJob]], None], jobs: list[ClaimedJob]) -> None:
        """Do jobs, and extend their leases meanwhile."""

        def extend() -> None:
            self.database.write(lambda tx: job_claims.extend_all(tx, jobs, self.clock(), LEASE_S))

        with self.keeper.keeping(extend):
            handle(jobs)

    def fail_jobs(self, jobs: list[ClaimedJob], error: Exception) -> None:
        """Settle jobs whose work raised, as far as they are not settled."""
        for job in jobs:
            self.fail_job(job, error)

    def fail_job(self, job: ClaimedJob, error: Exception) -> None:
        """Settle a job as failed; one that the end of the node interrupts goes back, and that counts as no failure."""

        def settle(tx: Transaction) -> State | None:
            now = self.clock()
            if isinstance(error, WorkStopped):
                job_claims.release(tx, job, now)
                return None
            permanent = is_permanent(error)
            return job_claims.fail(tx, job, now, described(error), permanent=permanent, jitter=self.jitter)

        if self.database.write(settle) is State.BURIED:
            what = {"kind": job.kind.value, "model": job.model, "study_instance_uid": job.study_instance_uid}
            _log.error("job given up", **what, sop_instance_uid=job.sop_instance_uid, reason=described(error))
        self.wake_only(("read", "compose"))
