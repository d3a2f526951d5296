"""A connection to a PostgreSQL server that is given up when the server falls silent.

What the server itself can bound, it bounds (`node.store.connection.engines`). A server process that is stopped, a disk
under it that hangs, or a standby that a commit waits for bounds nothing, and its host goes on acknowledging what is
sent: no time-out of TCP ever ends such a wait. So this side has a deadline of its own. It knows no engine and no
statement.

References
----------
PostgreSQL documentation, 34.1.2 (`tcp_user_timeout`, `keepalives`), 20.11.1 (`statement_timeout`, which ends before a
commit).
"""

import math
import time
from collections.abc import Generator
from typing import Any, TypeVar

import psycopg
from psycopg.waiting import Ready

Result = TypeVar("Result")
_Steps = Generator[Any, Any, Result]


class ServerSilent(psycopg.OperationalError):
    """The server has said nothing for so long that the connection was closed; what it was asked it may still do."""


class ImpatientConnection(psycopg.Connection[Any]):
    """A connection on which every wait ends: with an answer, or closed.

    A long answer is not a silence: the time counts anew with whatever comes.
    """

    answer_within_s = math.inf  #: how long the server may say nothing while it is asked

    def wait(self, gen: _Steps[Result], *arguments: Any, **named: Any) -> Result:
        """Run a step of the driver to its end.

        Raises
        ------
        ServerSilent
            Where the server says nothing for too long; the connection is closed.
        """
        try:
            return super().wait(_bounded(gen, self.answer_within_s), *arguments, **named)
        except ServerSilent:
            self.pgconn.finish()  # what is left of the answer would be taken for that to the next question
            raise


def _bounded(steps: _Steps[Result], silence_s: float) -> _Steps[Result]:
    """Yield what a step of the driver waits for; the driver comes back with nothing about ten times a second."""
    heard_at = time.monotonic()
    try:
        awaited = next(steps)
        while True:
            ready = yield awaited
            if ready != Ready.NONE:
                heard_at = time.monotonic()
            elif time.monotonic() - heard_at > silence_s:
                raise ServerSilent(f"the server has not answered for {silence_s:g} s")
            awaited = steps.send(ready)
    except StopIteration as done:
        result: Result = done.value
        return result
