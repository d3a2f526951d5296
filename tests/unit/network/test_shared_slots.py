"""Slots that processes share: counted over all of them, and given back by the system."""

import multiprocessing
import threading
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from node.network.refused import Rejection
from node.network.shared_slots import SharedSlots

_SPAWN = multiprocessing.get_context("spawn")


class _Other:
    """Another process with the same slots."""

    def __init__(self, file: Path, limits: tuple[int, int]) -> None:
        self._line, theirs = _SPAWN.Pipe()
        self._process = _SPAWN.Process(target=_obey, args=(theirs, file, limits), daemon=True)
        self._process.start()
        theirs.close()

    def take(self, address: str) -> Rejection | None:
        self._line.send(("take", address))
        answer: Rejection | None = self._line.recv()
        return answer

    def give_back(self, address: str) -> None:
        self._line.send(("give_back", address))
        self._line.recv()

    def kill(self) -> None:
        self._process.kill()
        self._process.join()


@pytest.fixture
def shared(tmp_path: Path) -> Iterator[Callable[[int, int], tuple[SharedSlots, _Other]]]:
    """Return what makes slots for this process and for another one."""
    made: list[tuple[SharedSlots, _Other]] = []

    def make(max_associations: int, max_per_address: int) -> tuple[SharedSlots, _Other]:
        file, limits = tmp_path / "associations.lock", (max_associations, max_per_address)
        made.append((SharedSlots(file, *limits), _Other(file, limits)))
        return made[-1]

    yield make
    for slots, other in made:
        slots.close()
        other.kill()


Make = Callable[[int, int], tuple[SharedSlots, _Other]]


def test_the_limit_in_all_counts_the_associations_of_every_process(shared: Make) -> None:
    """Whichever process accepts a connection, and one that is given back is free for the other."""
    here, there = shared(3, 3)
    assert [here.take("a"), there.take("b"), here.take("c")] == [None, None, None]
    assert here.take("d") is Rejection.LOCAL_LIMIT
    assert there.take("d") is Rejection.LOCAL_LIMIT
    here.give_back("a")
    assert there.take("d") is None
    assert here.take("a") is Rejection.LOCAL_LIMIT


def test_the_limit_for_an_address_counts_them_too_and_leaves_the_others_alone(shared: Make) -> None:
    """One peer that opens too many keeps nobody out."""
    here, there = shared(10, 2)
    assert [here.take("a"), there.take("a")] == [None, None]
    assert here.take("a") is Rejection.ADDRESS_LIMIT
    assert there.take("a") is Rejection.ADDRESS_LIMIT
    assert [here.take("b"), there.take("c")] == [None, None]
    there.give_back("a")
    assert here.take("a") is None


def test_a_rejection_of_an_address_keeps_no_slot_of_all(shared: Make) -> None:
    """Whoever asks again and again in vain takes no place from the others."""
    first, second = shared(3, 1)
    assert first.take("10.0.0.1") is None
    assert [second.take("10.0.0.1") for _ in range(5)] == [Rejection.ADDRESS_LIMIT] * 5
    assert [second.take(address) for address in ("10.0.0.2", "10.0.0.3")] == [None, None]


def test_a_rejection_in_all_keeps_no_slot_of_the_address(shared: Make) -> None:
    """Or an address would be kept out for what it was refused."""
    here, there = shared(1, 1)
    assert there.take("b") is None
    assert here.take("a") is Rejection.LOCAL_LIMIT
    there.give_back("b")
    assert there.take("a") is None


def test_what_a_killed_process_held_is_free_again(shared: Make) -> None:
    """Nobody has to notice and nobody has to count."""
    here, there = shared(2, 2)
    assert [there.take("a"), there.take("a")] == [None, None]
    assert here.take("a") is Rejection.ADDRESS_LIMIT
    there.kill()
    assert [here.take("a"), here.take("a")] == [None, None]
    assert here.take("b") is Rejection.LOCAL_LIMIT


def test_many_threads_never_hold_more_than_there_are(shared: Make) -> None:
    """Locks of one process do not stop its own threads; its memory of them does."""
    here, _ = shared(5, 8)
    start = threading.Barrier(16)
    answers: list[Rejection | None] = []

    def take() -> None:
        start.wait()
        answers.append(here.take("a"))

    threads = [threading.Thread(target=take) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers.count(None) == 5


def test_the_file_stays_empty_and_private(shared: Make, tmp_path: Path) -> None:
    """Only locks are on it, however far out the bytes lie."""
    here, _ = shared(2, 2)
    here.take("2001:db8::1")
    status = (tmp_path / "associations.lock").stat()
    assert (status.st_size, status.st_mode & 0o777) == (0, 0o600)


def _obey(line: Connection, file: Path, limits: tuple[int, int]) -> None:
    slots = SharedSlots(file, *limits)
    while True:
        try:
            verb, address = line.recv()
        except EOFError:
            return
        line.send(getattr(slots, verb)(address))
