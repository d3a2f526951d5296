"""How much of a whole training is done, whatever it consists of, and how long each stage took. It knows shares."""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from models.training.checkpoints import replace_file

Tell = Callable[[str, int, int], None]
"""Called with the stage, what is done and what there is to do."""

WHOLE = "whole training"
PARTS = 1000
"""The whole is told of in so many parts."""


class Whole:
    """Passes on what is told of each stage, and tells of the whole beside it.

    Parameters
    ----------
    costs
        How long each stage takes, in any unit; stages that it does not name count nothing.
    tell
        Told of the stages, and of the whole under the name `WHOLE`.
    """

    def __init__(self, costs: Mapping[str, float], tell: Tell) -> None:
        self._costs, self._tell, self._told = costs, tell, 0
        self._shares = dict.fromkeys(costs, 0.0)
        tell(WHOLE, 0, PARTS)

    def __call__(self, stage: str, done: int, total: int) -> None:
        """Tell of a stage."""
        self._tell(stage, done, total)
        if stage in self._shares:
            self._shares[stage] = done / max(total, 1)
            cost = sum(self._costs[name] * share for name, share in self._shares.items())
            parts = int(PARTS * cost / sum(self._costs.values()))
            if parts != self._told:
                self._told = parts
                self._tell(WHOLE, parts, PARTS)


@dataclass(frozen=True, slots=True)
class Seconds:
    """Time spent: of the clock on the wall, and of processors."""

    wall: float
    cpu: float


Meter = Callable[[], Seconds]
"""Returns the time since any fixed moment of this process."""

EVERY = 5.0
"""Seconds of the wall between two times that what was spent is kept; a kill loses so much."""


def running() -> Seconds:
    """Return the time as this machine and this process count it, all threads together."""
    return Seconds(time.perf_counter(), time.process_time())


class Spent:
    """Passes on what is told, and adds up what each stage took, over all runs of one training.

    Time counts for the stage that is told of next, so that what prepares a stage counts as that stage's.

    Parameters
    ----------
    file
        Where it is kept; what an earlier run kept there is added to.
    meter
        Gives the time.
    tell
        Told of every step.
    """

    def __init__(self, file: Path, meter: Meter, tell: Tell) -> None:
        self._file, self._meter, self._tell = file, meter, tell
        self._last = self._kept = meter()
        self.stages = _spent_before(file)

    def __call__(self, stage: str, done: int, total: int) -> None:
        """Count the time since the last call, and pass on."""
        now, before = self._meter(), self.stages.get(stage, Seconds(0.0, 0.0))
        wall, cpu = now.wall - self._last.wall, now.cpu - self._last.cpu
        self.stages[stage] = Seconds(before.wall + wall, before.cpu + cpu)
        self._last = now
        if now.wall - self._kept.wall >= EVERY:
            self._kept = now
            kept = {name: (one.wall, one.cpu) for name, one in self.stages.items()}
            replace_file(self._file, json.dumps(kept).encode())
        self._tell(stage, done, total)


def _spent_before(file: Path) -> dict[str, Seconds]:
    try:
        return {name: Seconds(*one) for name, one in json.loads(file.read_bytes()).items()}
    except (OSError, ValueError):
        return {}
