"""The figures that receiving is held to: ratios of pairs, their floor and goal, and whether they are met."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from bench.measuring.printed import spread
from bench.receiving.comparison import Cell, Results
from bench.receiving.timed_senders import Measured

_MEGABYTE = 1_000_000


@dataclass(frozen=True, slots=True)
class Aim:
    """One row of the table: what is compared with what, and what it should come to.

    Parameters
    ----------
    what
        ``rate`` or ``CPU``; of CPU, less is better.
    associations
        Where it counts; everywhere when empty.
    """

    title: str
    ours: str
    theirs: str
    what: str
    floor: float
    goal: float
    associations: Sequence[int] = ()

    def verdict(self, value: float) -> str:
        """Return whether a value reaches the goal, the floor or neither."""
        sign = -1 if self.what == "CPU" else 1
        if sign * value >= sign * self.goal:
            return "goal met"
        return "floor met" if sign * value >= sign * self.floor else "MISSED"


AIMS = (
    Aim("node without durability / storescp +B, rate", "node-undurable", "storescp", "rate", 0.8, 1.1),
    Aim("node without durability / storescp +B, CPU", "node-undurable", "storescp", "CPU", 1.5, 1.0),
    Aim("node unsynced / storescp +B, rate", "node-unsynced", "storescp", "rate", 0.8, 1.1),
    Aim("node unsynced / storescp +B, CPU", "node-unsynced", "storescp", "CPU", 1.5, 1.0),
    Aim("node / Orthanc with SyncStorageArea, rate", "node", "orthanc", "rate", 2.0, 3.5, (8,)),
    Aim("node without durability / pynetdicom's app, rate", "node-undurable", "pynetdicom-app", "rate", 8.0, 12.0),
)
_COLUMNS = f"{'':<50} {'workload':<8} {'assoc.':>6} {'sender':<9} {'ratio':>18} {'floor':>6} {'goal':>6}"
_MEMORY_FLOOR_MB, _MEMORY_GOAL_MB = 300, 150
_MEMORY_TITLE = "MB of PSS, 50 associations of 18 MB"


def print_cell(cell: Cell, measured: dict[str, list[Measured]], megabytes_each: float) -> None:
    """Print rate and cost of each receiver at one workload."""
    plural = "s" if cell.associations > 1 else ""
    print(f"\n{cell.workload}, {cell.associations} association{plural}, {cell.sender}; every dataset compared")
    print(f"{'receiver':<16} {'instances/s':>22} {'MB/s':>7} {'CPU ms/instance':>22}")
    for name, runs in measured.items():
        rates = [it.per_second for it in runs]
        volume = statistics.median(rates) * megabytes_each
        print(f"{name:<16} {spread(rates, '.0f'):>22} {volume:>7.0f} {spread([it.cpu_ms for it in runs], '.3f'):>22}")


def print_aims(results: Results, peaks: dict[str, int]) -> None:
    """Print the table: ratio of each pair, floor, goal, and whether they are met."""
    print(f"\nmedians of paired ratios, with their range\n{_COLUMNS}")
    for aim in AIMS:
        for cell, measured in results.items():
            if {aim.ours, aim.theirs} <= measured.keys() and cell.associations in (aim.associations or (1, 8)):
                print(_line(aim, cell, _ratios(aim, measured)))
    for name, peak in ((name, peaks[name]) for name in ("node", "node-undurable") if name in peaks):
        aim = Aim(f"{_MEMORY_TITLE}, {name}", name, "", "CPU", _MEMORY_FLOOR_MB, _MEMORY_GOAL_MB)
        print(_line(aim, Cell("cr-18", 50, "lean"), [peak / _MEGABYTE], ".0f"))


def _ratios(aim: Aim, measured: dict[str, list[Measured]]) -> list[float]:
    pairs = zip(measured[aim.ours], measured[aim.theirs], strict=True)
    if aim.what == "CPU":
        return [ours.cpu_ms / max(theirs.cpu_ms, 1e-6) for ours, theirs in pairs]
    return [ours.per_second / theirs.per_second for ours, theirs in pairs]


def _line(aim: Aim, cell: Cell, ratios: Sequence[float], form: str = ".2f") -> str:
    aims = f"{spread(ratios, form):>18} {aim.floor:>6g} {aim.goal:>6g}  {aim.verdict(statistics.median(ratios))}"
    return f"{aim.title:<50} {cell.workload:<8} {cell.associations:>6} {cell.sender:<9} {aims}"
