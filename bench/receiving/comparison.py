"""Measurements: receivers that run side by side take turns at workloads, and every byte is compared.

All receivers are started before the first measurement and warmed up; while one is measured the others wait. Each run
has UIDs of its own. What was received is emptied after it was compared, so that no receiver pays for writing back what
an earlier one has left in the page cache.
"""

import atexit
import contextlib
import itertools
import os
import shutil
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from bench.measuring.processor_time import cpu_seconds
from bench.measuring.recorded_rows import recorded
from bench.measuring.stored_files import datasets_in, put_away
from bench.receiving.contenders import RECEIVERS, Receiver
from bench.receiving.timed_senders import PARTS, SENDERS, Measured
from bench.receiving.workloads import Workload

MEMORY = Path("/dev/shm")  # noqa: S108 - a file system in memory is what is wanted, and nothing there is trusted
_WARM_UP = 8
_LONG_RUN = 1000
_IDLE_OVER_S, _IDLE_CPU_S, _LONGEST_START = 0.25, 0.01, 240


@dataclass(frozen=True, slots=True)
class Cell:
    """Where a figure stands: workload, associations and sender."""

    workload: str
    associations: int
    sender: str


@dataclass(frozen=True, slots=True)
class Plan:
    """What is measured with what."""

    workloads: Sequence[Workload]
    receivers: Sequence[str]
    senders: Mapping[str, Sequence[str]]  #: for each sender, the receivers that it sends to
    repetitions: int
    disk: Path  #: where the folders of receivers that keep what they get durably are made
    runs: Iterator[int] = field(default_factory=lambda: itertools.count(1))


Results = dict[Cell, dict[str, list[Measured]]]
Seen = Callable[[Cell, dict[str, list[Measured]]], None]


def measure(plan: Plan, associations: int, seen: Seen) -> Results:
    """Return what each receiver did at each repetition, and say so of each cell once it is complete.

    Raises
    ------
    AssertionError
        When a dataset that was acknowledged is not in the receiver's folder, byte for byte.
    """
    results: Results = {}
    with contextlib.ExitStack() as stack:
        running = _all_started(stack, plan, associations)
        for name, receiver in running.items():
            warm_up = Run(plan.workloads[0], next(plan.runs), associations, _WARM_UP * associations)
            run_once(name, receiver, warm_up, "lean")
        for workload, sender in itertools.product(plan.workloads, plan.senders):
            cell = Cell(workload.name, associations, sender)
            results[cell] = _taking_turns(plan, cell, workload, running)
            seen(cell, results[cell])
    return results


def _all_started(stack: contextlib.ExitStack, plan: Plan, associations: int) -> dict[str, Receiver]:
    with ThreadPoolExecutor() as pool:
        running = pool.map(lambda name: stack.enter_context(started(name, plan.disk, associations)), plan.receivers)
        return dict(zip(plan.receivers, running, strict=True))


def _taking_turns(
    plan: Plan, cell: Cell, workload: Workload, running: Mapping[str, Receiver]
) -> dict[str, list[Measured]]:
    """Measure each receiver at each repetition; who goes first changes from one to the next."""
    names = list(plan.senders[cell.sender])
    measured: dict[str, list[Measured]] = {name: [] for name in names}
    for repetition in range(plan.repetitions):
        turn = repetition % len(names)
        for name in names[turn:] + names[:turn]:
            run = Run(workload, next(plan.runs), cell.associations, _first(name, cell.sender, len(workload.templates)))
            done = run_once(name, running[name], run, cell.sender)
            measured[name].append(done)
            print(
                f"  {cell.workload} {cell.associations} {cell.sender} {name}: {done.per_second:.0f}/s", file=sys.stderr
            )
    return measured


def _first(name: str, sender: str, instances: int) -> int | None:
    """Return how many instances a run needs: a slow receiver or sender gets a part; None for all of them."""
    whole = round(instances * PARTS[sender]) if instances > _LONG_RUN else instances
    part = RECEIVERS[name].first(whole) or whole
    return None if part == instances else part


@contextlib.contextmanager
def started(name: str, disk: Path, associations: int) -> Iterator[Receiver]:
    """Run a receiver in a new folder, on the disk or in memory, which is removed at the end of the program."""
    kind = RECEIVERS[name]
    folder = Path(tempfile.mkdtemp(prefix=f"bench-{name}-", dir=disk if kind.on_disk else MEMORY))
    try:
        with kind.run(folder, associations) as receiver:
            _wait_idle(receiver.group)
            yield receiver
    finally:
        atexit.register(shutil.rmtree, folder)  # not now, for the reason that `put_away` gives


def _wait_idle(group: int) -> None:
    """Wait until a receiver does nothing more, such as loading what receiving does not need."""
    pause = threading.Event()
    for _ in range(_LONGEST_START):
        before = cpu_seconds(group)
        pause.wait(_IDLE_OVER_S)
        if cpu_seconds(group) - before < _IDLE_CPU_S:
            return
    raise TimeoutError("the receiver is never idle")


@dataclass(frozen=True, slots=True)
class Run:
    """One sending of a workload, or of its first instances, under UIDs of its own."""

    workload: Workload
    number: int
    associations: int
    first: int | None = None


def run_once(name: str, receiver: Receiver, run: Run, sender: str) -> Measured:
    """Send to a receiver, compare what it kept, remove it, and return the figures."""
    folder = Path(tempfile.mkdtemp(prefix="bench-sent-", dir=MEMORY))
    try:
        folders = run.workload.write(run.number, folder, run.associations, run.first)
        if RECEIVERS[name].on_disk:
            os.sync()  # what others have left to write must not be paid for by this one
        measured = SENDERS[sender](receiver, folders, run.workload.sop_class_uid)
    finally:
        shutil.rmtree(folder)
    if name != "sender-alone":
        compare(name, receiver, itertools.islice(run.workload.datasets(run.number), run.first))
    return measured


def compare(name: str, receiver: Receiver, sent: Iterator[tuple[str, bytes]]) -> None:
    """Compare what a receiver keeps with what was sent, and remove it.

    Raises
    ------
    AssertionError
        Naming how many datasets are missing or differ, or have no row in the database of a node.
    """
    kept = datasets_in(receiver.folder)
    uids: set[str] = set()
    wrong: list[str] = []
    for uid, dataset in sent:
        uids.add(uid)
        if kept.pop(uid, None) != dataset:
            wrong.append(uid)
    if wrong or kept:
        raise AssertionError(
            f"{name}: {len(wrong)} datasets are not stored byte for byte, {len(kept)} were never sent: {wrong[:3]}"
        )
    unrecorded = uids - recorded(receiver.database) if receiver.database else set()
    if unrecorded:
        raise AssertionError(f"{name}: {len(unrecorded)} instances have no row: {sorted(unrecorded)[:3]}")
    put_away(receiver.folder)
