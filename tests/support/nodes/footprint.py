"""What a process holds, as its kernel counts it: threads, descriptors, memory (proc(5))."""

import os
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from tests.support.programs.processes import open_files

#: The database's pool keeps connections once it has opened them; it has a size of its own, and is no leak.
_POOLED = re.compile(r"/node\.db(-wal|-shm|-journal)?$")
# the tests' PostgreSQL is reached over these; the seventh word of a line is a socket's inode
_SOCKETS = Path("/proc/net/unix")
_LISTENS = "0A"  # the state of a socket in /proc/net/tcp, proc(5)


@dataclass(frozen=True, slots=True)
class Footprint:
    """What a process holds at a moment.

    Parameters
    ----------
    threads
        Live threads.
    descriptors
        Open descriptors, but for those of the database's files, and sockets within the machine where it has a server.
    memory_kb
        Anonymous memory: what the process has written to. Pages of files are left out, because what falls to one
        process of those that it shares changes when another one ends.
    """

    threads: int
    descriptors: int
    memory_kb: int

    def is_within(self, before: "Footprint", slack_kb: int) -> bool:
        """Return whether nothing is held beyond what was held before, and memory within the slack."""
        return (
            self.threads <= before.threads
            and self.descriptors <= before.descriptors
            and self.memory_kb <= before.memory_kb + slack_kb
        )


def footprint(pid: int, *, has_server: bool = False) -> Footprint:
    """Return what a process holds now, whose database has a server or is a file."""
    status = _status(pid)
    return Footprint(status["Threads"], _descriptors(pid, has_server=has_server), status["RssAnon"])


def _descriptors(pid: int, *, has_server: bool) -> int:
    targets = [target for target in open_files(pid) if _POOLED.search(target) is None]
    if has_server:
        local = {f"socket:[{line.split()[6]}]" for line in _SOCKETS.read_text(encoding="utf-8").splitlines()[1:]}
        targets = [target for target in targets if target not in local]
    return len(targets)


def descriptors_here() -> Counter[str]:
    """Return what the open descriptors of this process refer to, and how many to each.

    Beside a test something of an earlier one may be about to be closed: what is held beyond what was is the difference
    of two of these, and no number.
    """
    return Counter(open_files(os.getpid()))


def accepted(pid: int, port: int) -> int:
    """Return how many connections to a TCP port a process holds; not the socket that listens."""
    rows = [line.split() for line in Path(f"/proc/{pid}/net/tcp").read_text(encoding="ascii").splitlines()[1:]]
    here = {f"socket:[{row[9]}]" for row in rows if row[3] != _LISTENS and int(row[1].partition(":")[2], 16) == port}
    return sum(target in here for target in open_files(pid))


def forget_peak(pid: int) -> int:
    """Let the peak of resident memory begin anew, and return where it begins, in kB."""
    Path(f"/proc/{pid}/clear_refs").write_text("5", encoding="ascii")
    return peak_kb(pid)


def peak_kb(pid: int) -> int:
    """Return the most resident memory since the last `forget_peak`, in kB."""
    return _status(pid)["VmHWM"]


def _status(pid: int) -> dict[str, int]:
    """Return the numbers of a process's status; those of memory are in kB."""
    lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    found = (re.fullmatch(r"(\w+):\s+(\d+)( kB)?", line) for line in lines)
    return {match[1]: int(match[2]) for match in found if match is not None}
