"""Threads without which their process lives on and does not do its work: their end is told, however it comes.

It catches nothing. What nobody foresaw ends such a thread, and the process is then to end too, so that whatever runs it
starts it again. What ended it is logged as for any thread (`node.telemetry`), and after its end was told: that rests
on nothing which may fail itself.
"""

import threading
from collections.abc import Callable


def vital(name: str, run: Callable[[], None], lost: Callable[[], None]) -> threading.Thread:
    """Return a thread that is not started yet.

    Parameters
    ----------
    name
        Of the thread; it stands in the log.
    run
        What it does; to return is to have done it.
    lost
        Called once, on the thread, where that raises instead.
    """
    return threading.Thread(target=_watched, args=(run, lost), name=name, daemon=True)


def _watched(run: Callable[[], None], lost: Callable[[], None]) -> None:
    is_done = False
    try:
        run()
        is_done = True
    finally:
        if not is_done:
            lost()
