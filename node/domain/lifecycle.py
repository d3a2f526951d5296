"""The one lifecycle that jobs and deliveries share.

::

    waiting --claim--> running --finish--> done
       ^                 |  |
       |<--fail (again)--'  '--fail (permanent, or attempts used up)--> buried
       |<--lease ran out (rescued by the next claim)                      |
       '<------------------------- retry, by an operator -----------------'
    waiting | running --cancel--> cancelled
    waiting | running --keep back--> held --release, by an operator--> waiting
"""

import random
from datetime import datetime, timedelta
from enum import StrEnum

_BACKOFF_FIRST_S = 2.0
_BACKOFF_LONGEST_S = 900.0
_JITTER = 0.2

LONGEST_BACKOFF_S = _BACKOFF_LONGEST_S * (1 + _JITTER)
"""How far ahead work may be due that has failed, in seconds."""


class State(StrEnum):
    """Where a job or a delivery stands."""

    WAITING = "waiting"
    """Due at its `due_at`. A claim moves it to running; it may have failed before, and then `last_error` says how."""

    RUNNING = "running"
    """Held by one worker until its lease ends. Only the holder of its current attempt number may settle it; when the
    lease runs out, the next claim takes it over under a new attempt number and the late worker settles nothing."""

    DONE = "done"
    """Finished, in the same transaction as its results. A delivery is done when the peer has answered that it holds
    the report. A late image may put a compose job back to waiting; nothing else leaves this state."""

    BURIED = "buried"
    """Given up: a permanent failure, or its attempts are used up. Shown by ``queue`` or ``deliveries`` with the
    reason; ``retry`` puts it back to waiting with a fresh count of attempts."""

    CANCELLED = "cancelled"
    """No longer wanted, by an operator or because something newer took its place. It is kept for the timeline."""

    HELD = "held"
    """Kept back until an operator decides, with the reason in `last_error`: a result that came too late, or a patient
    who does not match. ``deliveries`` lists it; ``release`` sends or discards it."""


class HeldFor(StrEnum):
    """Why a delivery is kept back by itself; to release it waives this alone."""

    AGE = "age"
    """The result is too old to surprise a reader with."""

    STUDY = "study"
    """Its peer does not hold the study, so that whose it is there cannot be asked."""

    PATIENT = "patient"
    """Its peer holds the study under another identity."""


OPEN_STATES = (State.WAITING, State.RUNNING)
"""The states from which work is still to come."""


def next_due(now: datetime, failures: int, jitter: random.Random) -> datetime:
    """Return when work that has just failed for the `failures`-th time is due again.

    Two seconds, doubled for each failure up to a quarter of an hour, and up to 20 % more or less of that, so that
    what failed together does not come back together.

    Parameters
    ----------
    now
        The time of the failure.
    failures
        How often it has failed, 1 or more.
    jitter
        The random source; tests hand in a seeded one.
    """
    # the exponent is capped before it is raised: a delivery may fail for weeks, and 2.0**1100 overflows
    delay_s = min(_BACKOFF_FIRST_S * 2.0 ** min(failures - 1, 30), _BACKOFF_LONGEST_S)
    return now + timedelta(seconds=delay_s * jitter.uniform(1 - _JITTER, 1 + _JITTER))
