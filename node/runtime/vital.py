"""Threads without which their process lives on and does not do its work: their end is told, however it comes.

It catches nothing. What nobody foresaw ends such a thread, and the process is then to end too, so that whatever runs it
starts it again.
"""

import sys
import threading
from collections.abc import Callable

from node.telemetry import logger, place_of


def vital(name: str, run: Callable[[], None], lost: Callable[[], None]) -> threading.Thread:
    """Return a thread that is not started yet.

    Parameters
    ----------
    name
        Of the thread, and in the log.
    run
        What it does; to return is to have done it.
    lost
        Called once, on the thread, where that raises instead.
    """
    return threading.Thread(target=_watched, args=(name, run, lost), name=name, daemon=True)


def _watched(name: str, run: Callable[[], None], lost: Callable[[], None]) -> None:
    is_done = False
    try:
        run()
        is_done = True
    finally:
        error = sys.exception()
        if not is_done and error is not None:
            logger("runtime").error("thread ended", thread=name, error=type(error).__qualname__, place=place_of(error))
            lost()
