"""The work loop: claims, handles, settles failures, waits and stops."""

import queue
import threading
from datetime import UTC, datetime

import pytest

from node.domain.errors import Transient
from node.runtime.loop import WorkLoop


class _Bench:
    """Work as a list, with events that tests wait for."""

    def __init__(self) -> None:
        self.work: queue.SimpleQueue[str] = queue.SimpleQueue()
        self.handled: queue.SimpleQueue[str] = queue.SimpleQueue()
        self.failed: queue.SimpleQueue[tuple[str, Exception]] = queue.SimpleQueue()
        self.looked = threading.Event()
        self.trouble = 0
        self.loop = WorkLoop("bench", self.claim, self.handle, self.fail, self.next_due, _now)

    def fail(self, work: str, error: Exception) -> None:
        self.failed.put((work, error))

    def next_due(self) -> datetime | None:
        self.looked.set()
        return None if self.work.empty() else _now()

    def claim(self) -> str | None:
        if self.trouble:
            self.trouble -= 1
            raise Transient("the database is away")
        return None if self.work.empty() else self.work.get()

    def handle(self, work: str) -> None:
        if work == "bad":
            raise ValueError(work)
        self.handled.put(work)


def _stopped(loop: WorkLoop[str]) -> bool:
    loop.finish()
    return loop.ended(5)


def _now() -> datetime:
    return datetime.now(UTC)


def test_what_is_claimed_is_handled_and_a_wake_brings_the_next() -> None:
    """Nothing polls: the loop sleeps until it is woken."""
    bench = _Bench()
    bench.loop.start()
    assert bench.looked.wait(5)
    bench.work.put("one")
    bench.loop.wake()
    assert bench.handled.get(timeout=5) == "one"
    assert _stopped(bench.loop)


def test_an_error_settles_its_work_as_failed_and_the_loop_goes_on() -> None:
    """One study's trouble is not the next one's."""
    bench = _Bench()
    bench.work.put("bad")
    bench.work.put("good")
    bench.loop.start()
    work, error = bench.failed.get(timeout=5)
    assert (work, type(error)) == ("bad", ValueError)
    assert bench.handled.get(timeout=5) == "good"
    assert _stopped(bench.loop)


def test_a_database_that_is_away_is_waited_for() -> None:
    """The loop does not die of it."""
    bench = _Bench()
    bench.trouble = 1
    bench.work.put("one")
    bench.loop.start()
    assert bench.handled.get(timeout=10) == "one"
    assert _stopped(bench.loop)


@pytest.mark.parametrize("step", ["next_due", "claim", "fail"])
def test_any_error_in_any_step_leaves_the_loop_alive(step: str) -> None:
    """Not only those that were thought of: a loop that died silently would keep every study waiting."""
    bench = _Bench()
    sound, broken = getattr(bench, step), iter([True])

    def once(*arguments: object) -> object:
        if next(broken, False):
            raise RuntimeError("never thought of")
        return sound(*arguments)

    setattr(bench, step, once)
    bench.loop = WorkLoop("bench", bench.claim, bench.handle, bench.fail, bench.next_due, _now)
    bench.work.put("bad")
    bench.work.put("good")
    bench.loop.start()
    assert bench.handled.get(timeout=10) == "good"
    assert bench.failed.get(timeout=10)[0] == "bad"
    assert _stopped(bench.loop)


def test_stopping_waits_for_the_work_in_hand() -> None:
    """And says so when it takes longer than the bound."""
    entered, release = threading.Event(), threading.Event()
    work = iter(["long"])

    def handle(_: str) -> None:
        entered.set()
        release.wait(10)

    loop = WorkLoop("slow", lambda: next(work, None), handle, lambda *_: None, _now, _now)
    loop.start()
    assert entered.wait(5)
    loop.finish()
    assert not loop.ended(0.1)
    release.set()
    assert loop.ended(5)


def test_what_is_to_be_done_first_is_done_before_any_work() -> None:
    """On the loop's own thread; where it fails, the loop works all the same."""
    bench, first = _Bench(), list[str]()

    def warm() -> None:
        first.append("warm" if bench.handled.empty() else "late")
        raise Transient("not today")

    bench.loop.at_start(warm)
    bench.work.put("one")
    bench.loop.start()
    assert bench.handled.get(timeout=10) == "one"
    assert first == ["warm"]
    assert _stopped(bench.loop)
