"""Rows and what they rest on, joined for the process that writes them: the first one, or each on PostgreSQL."""

import random
from collections.abc import Callable

from node.config import Settings
from node.domain.identifiers import new_uid
from node.pipeline.delivery.commitment_heard import hearing_of
from node.pipeline.intake.books import Books
from node.pipeline.intake.recorder import Recorder
from node.pipeline.intake.recovery import Recovery
from node.pipeline.intake.synthetic_in_files import test_peers
from node.pipeline.receive_policy import ReceivePolicy
from node.pipeline.senders import senders_of
from node.pipeline.served import Served
from node.pipeline.steps import Reached, unobserved
from node.runtime.clock import Clock
from node.store.database import Database
from node.store.disk.files import InstanceFiles


def opened_books(
    settings: Settings,
    database: Database,
    files: InstanceFiles,
    served: Served,
    clock: Clock,
    wake: Callable[[], None],
    reached: Reached = unobserved,
) -> Books:
    """Return the ledger of a database.

    Parameters
    ----------
    settings
        The checked configuration.
    database, files
        Where rows and bytes are kept.
    served
        What the models ask for.
    clock
        The time now, aware.
    wake
        Called after the commit of an instance that caused work.
    reached
        Called at each step of an instance; for tests that end the process there.
    """
    hearing = hearing_of(settings, clock, random.Random(), new_uid)
    return Books(database, files, _recorder(settings, served, clock), hearing, wake, reached)


def recover(settings: Settings, database: Database, files: InstanceFiles, served: Served, clock: Clock) -> None:
    """Settle what a kill left behind, before any process receives; the parameters are those of `opened_books`."""
    Recovery(database, files, _recorder(settings, served, clock), clock).run()


def _recorder(settings: Settings, served: Served, clock: Clock) -> Recorder:
    return Recorder(served.rules, served.device_uids, _policy(settings), clock)


def _policy(settings: Settings) -> ReceivePolicy:
    return ReceivePolicy(
        settings.study.quiet_period_s,
        settings.study.max_wait_s,
        test_peers(settings),
        senders_of(settings),
        settings.study.release_grace_s,
        frozenset(name.strip().lower() for name in settings.study.ai_manufacturers),
    )
