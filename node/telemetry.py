"""Structured log lines on stderr, one event each, without patient data.

What may stand in a line: UIDs, AE titles, addresses, counts, durations, states and reasons. Names, patient IDs, birth
dates and accession numbers never do. This is the only home of structlog.
"""

import logging
import os
import sys
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import structlog

_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


def configure(level: str = "info", form: str = "console") -> None:
    """Send log events of `level` and above to stderr.

    Parameters
    ----------
    level
        ``debug``, ``info``, ``warning`` or ``error``.
    form
        ``console`` for people, ``json`` for a log collector: one object a line.
    """
    quieten_libraries()
    renderer: Any = (
        structlog.processors.JSONRenderer()
        if form == "json"
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), sort_keys=False)
    )
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[level]),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=False,
    )


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
