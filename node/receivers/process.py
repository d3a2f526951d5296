"""What a receiving process begins with.

The first process has it forked, hands it the listening socket and keeps it up. It has its own connections to the
database and its own view of the files; it recovers nothing, reads nothing, composes nothing and delivers nothing. The
first process imports this file to name the function, so nothing large is imported here.
"""

import socket
import sys

from node import telemetry
from node.config import Settings
from node.domain.errors import OperatorError, Transient
from node.pipeline.served import Served
from node.runtime.line import Line
from node.runtime.memory import share_arenas


def receive(line: Line, listener: socket.socket, settings: Settings, served: Served) -> None:
    """Receive on a listening socket that others share, until told to drain or the first process is gone.

    Parameters
    ----------
    line
        To the process that started this one.
    listener
        It listens already.
    settings, served
        As the first process has them.
    """
    from node.receivers import preload  # noqa: F401, PLC0415 - here already, but where the server could not import it
    from node.receivers.serving import receive_until_told  # noqa: PLC0415 - after that

    share_arenas()
    telemetry.configure(settings.log.level, settings.log.format)
    try:
        receive_until_told(line, listener, settings, served)
    except (OperatorError, Transient) as error:
        telemetry.logger("receiving").error("receiving process cannot work", reason=str(error))
        sys.exit(1)
