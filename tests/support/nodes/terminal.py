"""A terminal of some width, for what a person sees and a pipe does not."""

import fcntl
import os
import pty
import re
import struct
import subprocess
import termios
from collections.abc import Sequence

from tests.support.nodes.process import CHECKOUT

_STYLE = re.compile(r"\x1b\[[0-9;]*m")


def seen_on_a_terminal(command: Sequence[str], columns: int) -> list[str]:
    """Run a command on a terminal of so many columns and return the lines that it printed, without their colours."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 25, columns, 0, 0))
    said = {name: value for name, value in os.environ.items() if name not in {"COLUMNS", "LINES", "NO_COLOR"}}
    environment = said | {"TERM": "xterm"}
    with subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, cwd=CHECKOUT, env=environment):
        os.close(theirs)
        printed = _read(ours)
    os.close(ours)
    return _STYLE.sub("", printed.decode()).splitlines()


def _read(terminal: int) -> bytes:
    printed = b""
    while True:
        try:
            read = os.read(terminal, 65536)
        except OSError:  # nobody holds the other end any more
            return printed
        if not read:
            return printed
        printed += read
