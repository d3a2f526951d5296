"""What a process holds, as its kernel counts it: threads, descriptors, memory (proc(5))."""

import contextlib
import re
from dataclasses import dataclass
from pathlib import Path

#: The database's pool keeps connections once it has opened them; it has a size of its own, and is no leak.
_POOLED = re.compile(r"/node\.db(-wal|-shm|-journal)?$")


@dataclass(frozen=True, slots=True)
class Footprint:
    """What a process holds at a moment.

    Parameters
    ----------
    threads
        Live threads.
    descriptors
        Open descriptors, but for those of the database's files.
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


def footprint(pid: int) -> Footprint:
    """Return what a process holds now."""
    return Footprint(sum(1 for _ in Path(f"/proc/{pid}/task").iterdir()), _descriptors(pid), _memory_kb(pid))


def _descriptors(pid: int) -> int:
    return sum(_POOLED.search(target) is None for target in descriptor_targets(pid))


def descriptor_targets(pid: int) -> list[str]:
    """Return what each open descriptor of a process refers to."""
    targets = []
    for link in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # closed while we looked
            targets.append(str(link.readlink()))
    return targets


def _memory_kb(pid: int) -> int:
    return _kilobytes(Path(f"/proc/{pid}/smaps_rollup"), "Anonymous")


def forget_peak(pid: int) -> int:
    """Let the peak of resident memory begin anew, and return where it begins, in kB."""
    Path(f"/proc/{pid}/clear_refs").write_text("5", encoding="ascii")
    return peak_kb(pid)


def peak_kb(pid: int) -> int:
    """Return the most resident memory since the last `forget_peak`, in kB."""
    return _kilobytes(Path(f"/proc/{pid}/status"), "VmHWM")


def _kilobytes(file: Path, name: str) -> int:
    found = re.search(rf"^{name}:\s+(\d+) kB$", file.read_text(encoding="ascii"), re.MULTILINE)
    assert found is not None, f"{file} has no line {name}"
    return int(found[1])
