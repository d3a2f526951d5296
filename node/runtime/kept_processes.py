"""Processes of one kind, kept up: started together, told together to end; each by `node.runtime.kept_process`.

It knows nothing of what the processes do.
"""

import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from node.domain.errors import OperatorError
from node.runtime.forking import FORKS
from node.runtime.kept_process import KeptProcess, Told

_MOST_DEATHS_AT_START = 3


class KeptProcesses:
    """So many processes that run the same function, each kept up by a thread of this process.

    Parameters
    ----------
    count
        How many.
    target
        A function of an importable module; it gets its `Line` and `arguments`, calls `Line.ready`, and returns once
        `Line.told_to_drain` has.
    arguments
        What can be pickled; sockets too, which are then shared with this process.
    told
        Who hears of it.
    preload
        Names of modules that all need, imported once for all.
    ask_every_s
        How often each is asked whether it is well.
    """

    def __init__(
        self,
        count: int,
        target: Callable[..., None],
        arguments: tuple[Any, ...],
        told: Told,
        preload: Sequence[str] = (),
        ask_every_s: float = 5.0,
    ) -> None:
        FORKS.set_forkserver_preload(list(preload))
        self._changed = threading.Condition()
        kept = (target, arguments, told, self._changed, ask_every_s)
        self._kept = [KeptProcess(number, *kept) for number in range(1, count + 1)]

    @property
    def pids(self) -> list[int]:
        """The identifiers of the processes that are ready."""
        return [one.pid for one in self._kept if one.pid is not None]

    def start(self, timeout_s: float) -> None:
        """Start all, and return once all are ready.

        Raises
        ------
        OperatorError
            Where one dies again and again before it is ready, or is not ready in time; then none is left.
        """
        for one in self._kept:
            one.start()
        with self._changed:
            self._changed.wait_for(lambda: self._are_ready() or any(map(_is_hopeless, self._kept)), timeout_s)
            if self._are_ready():
                return
        late = next(one for one in self._kept if not one.is_ready)
        self.kill()
        raise OperatorError(
            f"receiving process {late.number} does not start ({late.last_end or f'not ready after {timeout_s:g} s'}): "
            "what it wrote above says why; [receive] processes = 1 does without"
        )

    def serve(self, within_s: float) -> bool:
        """Return whether all are kept up and one at least is ready, after so long at most, in seconds."""
        with self._changed:
            self._changed.wait_for(lambda: bool(self.pids) or not self._are_kept_up(), within_s)
        return bool(self.pids) and self._are_kept_up()

    def finish(self) -> None:
        """Tell all to end, and start none again."""
        for one in self._kept:
            one.finish()

    def ended(self, timeout_s: float) -> bool:
        """Wait for all after `finish`, and kill those that take longer; return whether all ended by themselves."""
        deadline = time.monotonic() + timeout_s
        ended = [one.ended(deadline - time.monotonic()) for one in self._kept]
        return all(ended)

    def kill(self) -> None:
        """End all at once, whatever they do."""
        for one in self._kept:
            one.kill()

    def _are_kept_up(self) -> bool:
        return all(one.is_kept_up for one in self._kept)

    def _are_ready(self) -> bool:
        return all(one.is_ready for one in self._kept)


def _is_hopeless(one: KeptProcess) -> bool:
    return one.deaths >= _MOST_DEATHS_AT_START
