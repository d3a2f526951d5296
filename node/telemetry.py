"""Structured log lines on stderr, one event each, without patient data.

What may stand in a line: UIDs, AE titles, addresses, counts, durations, states and reasons. Names, patient IDs, birth
dates and accession numbers never do. A line that cannot be written is lost, and whoever logged it goes on: a full disk
or a collector that is gone ends no work. This is the only home of structlog.
"""

import contextlib
import logging
import os
import sys
import threading
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

import structlog

_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


def configure(level: str = "info", form: str = "console") -> None:
    """Send log events of `level` and above to stderr, and the ends of threads that nobody foresaw with them.

    Parameters
    ----------
    level
        ``debug``, ``info``, ``warning`` or ``error``.
    form
        ``console`` for people, ``json`` for a log collector: one object a line.
    """
    quieten_libraries()
    threading.excepthook = _tell_thread_ended
    renderer: Any = (
        structlog.processors.JSONRenderer()
        if form == "json"
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), sort_keys=False)
    )
    sink: Any = _Lossy(sys.stderr)
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[level]),
        logger_factory=structlog.WriteLoggerFactory(file=sink),
        cache_logger_on_first_use=False,
    )


class _Lossy:
    """Writes to a stream what it takes, and never fails: its reader may be gone, and its disk full."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._descriptor = _descriptor_of(stream)

    def write(self, text: str) -> int:
        """Write a line past the stream's buffer, which would keep what failed and fail again at the process's end."""
        with contextlib.suppress(OSError, ValueError):
            if self._descriptor is None:
                self._stream.write(text)
            else:
                _write_all(self._descriptor, text.encode(errors="backslashreplace"))
        return len(text)

    def flush(self) -> None:
        """Keep nothing back, so there is nothing to write."""


def _descriptor_of(stream: TextIO) -> int | None:
    try:
        return stream.fileno()
    except (OSError, ValueError):
        return None


def _write_all(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]


def _tell_thread_ended(ended: threading.ExceptHookArgs) -> None:
    """Log where a thread ended by an error that nobody foresaw: its words may quote a dataset, and are left out."""
    if ended.exc_value is None or isinstance(ended.exc_value, SystemExit):
        return
    name = ended.thread.name if ended.thread is not None else "unknown"
    kind, place = type(ended.exc_value).__qualname__, place_of(ended.exc_value)
    logger("runtime").error("thread ended", thread=name, error=kind, place=place)


def quieten_libraries() -> None:
    """Keep libraries from warning on stderr: pydicom's warnings quote the values that they are about."""
    warnings.filterwarnings("ignore", module="pydicom|highdicom")
    for name in ("pydicom", "pynetdicom", "highdicom"):
        logging.getLogger(name).setLevel(logging.CRITICAL)


@contextmanager
def native_chatter_dropped() -> Iterator[None]:
    """Drop what native code writes to stderr by itself, as numerical libraries do when they are loaded.

    A log collector reads JSON there. For a process of one thread of work: the descriptor is the whole process's.
    """
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def place_of(error: BaseException) -> str:
    """Return where an exception was raised, as ``file:line``; its words are left out, for they may quote a dataset."""
    frames = traceback.extract_tb(error.__traceback__)
    return f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else "an unknown place"


def logger(room: str) -> Any:
    """Return the logger of a room; its events carry the room's name."""
    return structlog.get_logger(room=room)
