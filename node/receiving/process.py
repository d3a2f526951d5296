"""What a receiving process begins with.

The first process has it forked, hands it the listening socket and keeps it up. It has its own view of the files, and on
a database server its own connections; on SQLite it hands over what it received to the first process and imports no
database. It recovers nothing, reads nothing, composes nothing and delivers nothing. The first process imports this file
to name the functions, so nothing large is imported here.
"""

import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from node import telemetry
from node.config import Settings
from node.domain.errors import OperatorError, Transient
from node.pipeline.steps import Reached
from node.runtime.line import Line
from node.runtime.memory import share_arenas

if TYPE_CHECKING:
    from node.pipeline.served import Served

_FIRST, _LAST = "node.receiving.preload", "node.receiving.freeze"
HANDS_OVER = (_FIRST, "node.receiving.handing", _LAST)
WRITES = (_FIRST, "node.receiving.own_rows", "sqlalchemy.dialects.postgresql.psycopg", _LAST)
"""What to import, in this order and once, for all processes that run the one function or the other."""


def hand_over(line: Line, listener: socket.socket, settings: Settings, reached: Reached) -> None:
    """Receive on a listening socket that others share, and have the first process write the rows.

    Parameters
    ----------
    line
        To the process that started this one; it tells when to end, and takes what is handed over.
    listener
        It listens already.
    settings
        As the first process has them.
    reached
        Called at each step of an instance; for tests that end the process there.
    """
    with _begun(settings):
        from node.receiving.handing import hand_over_until_told  # noqa: PLC0415 - after what is left out

        hand_over_until_told(line, listener, settings, reached)


def write(line: Line, listener: socket.socket, settings: Settings, reached: Reached, served: "Served") -> None:
    """Receive as `hand_over`, and write the rows from this process to a database server.

    Parameters
    ----------
    line, listener, settings, reached
        As of `hand_over`.
    served
        What the models ask for.
    """
    with _begun(settings):
        from node.receiving.own_rows import write_until_told  # noqa: PLC0415 - it imports a database

        write_until_told(line, listener, settings, reached, served)


@contextmanager
def _begun(settings: Settings) -> Iterator[None]:
    from node.receiving import preload  # noqa: F401, PLC0415 - here already, but where the server could not import it

    share_arenas()
    telemetry.configure(settings.log.level, settings.log.format)
    try:
        yield
    except (OperatorError, Transient) as error:
        telemetry.logger("receiving").error("receiving process cannot work", reason=str(error))
        sys.exit(1)
