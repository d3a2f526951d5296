"""What a receiving process begins with, and what it does without.

The first process starts it, hands it the listening socket and keeps it up. It has its own connections to the database
and its own view of the files; it recovers nothing, reads nothing, composes nothing and delivers nothing. This file is
imported before anything large is, in that process and in the first one.
"""

import socket
import sys

from node import telemetry
from node.config import Settings
from node.domain.errors import OperatorError, Transient
from node.pipeline.served import Served
from node.runtime.receivers import Line

# pydicom takes these along where they are installed, to decode pixels and to fetch samples. Nothing of it happens here.
_LEFT_OUT = ("numpy", "gdcm", "PIL", "pylibjpeg", "openjpeg", "libjpeg", "rle", "jpeg_ls", "requests", "tqdm")


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
    for name in _LEFT_OUT:
        # which Python takes as: not to be found
        sys.modules.setdefault(name, None)  # type: ignore[arg-type]
    telemetry.configure(settings.log.level, settings.log.format)
    from node.receivers.serving import receive_until_told  # noqa: PLC0415 - only now: it would bring them all

    try:
        receive_until_told(line, listener, settings, served)
    except (OperatorError, Transient) as error:
        telemetry.logger("receiving").error("receiving process cannot work", reason=str(error))
        sys.exit(1)
