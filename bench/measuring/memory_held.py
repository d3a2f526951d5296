"""How much memory a receiver's processes hold, sampled while others send.

PSS is a process's own pages, and its share of those that it shares with others (proc(5), smaps_rollup), so that the sum
over processes counts each page once. Counted are the processes that hold a socket of the receiver's port: those that
receive, and not those that a node keeps for reading images.
"""

import contextlib
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from tests.support.programs.processes import members

_EVERY_S = 0.02
_KILOBYTE = 1024


@dataclass(frozen=True, slots=True)
class Memory:
    """PSS in bytes, and how many processes it is the sum of."""

    whole: int
    anonymous: int  #: of these, pages that no file stands behind
    processes: int


NONE = Memory(0, 0, 0)


def receiving(group: int, port: int) -> list[int]:
    """Return which processes of a group hold a socket of a TCP port."""
    inodes = _sockets_of(port)
    return [pid for pid in members(group) if inodes & _sockets_held(pid)]


def memory_of(pids: list[int]) -> Memory:
    """Return what these processes hold together; one that has just ended holds nothing."""
    rollups = [rollup for pid in pids if (rollup := _rollup(pid))]
    whole, anonymous = (sum(it.get(key, 0) for it in rollups) for key in ("Pss", "Pss_Anon"))
    return Memory(whole, anonymous, len(rollups))


class Peak:
    """Watches a receiver in a thread of its own, and remembers when it held most."""

    def __init__(self, group: int, port: int) -> None:
        self.most = NONE
        self._group, self._port = group, port
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="peak", daemon=True)

    def __enter__(self) -> Self:
        """Begin to watch."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Watch no more."""
        self._ended.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._ended.wait(_EVERY_S):
            now = memory_of(receiving(self._group, self._port))
            self.most = max(self.most, now, key=lambda it: it.whole)


def _sockets_of(port: int) -> set[str]:
    wanted = f":{port:04X}"
    rows = (row.split() for row in Path("/proc/net/tcp").read_text().splitlines()[1:])
    return {f"socket:[{row[9]}]" for row in rows if row[1].endswith(wanted)}


def _sockets_held(pid: int) -> set[str]:
    return set(_quietly(lambda: [str(link.readlink()) for link in Path(f"/proc/{pid}/fd").iterdir()]))


def _rollup(pid: int) -> dict[str, int]:
    lines = _quietly(lambda: Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:])
    named = (line.split() for line in lines)
    return {fields[0].rstrip(":"): int(fields[1]) * _KILOBYTE for fields in named}


def _quietly(look: Callable[[], list[str]]) -> Iterator[str]:
    """Yield what was seen of a process, or nothing where it has ended meanwhile."""
    with contextlib.suppress(OSError):
        yield from look()
