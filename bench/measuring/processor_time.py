"""How much processor time a process group has used, to the nanosecond where the kernel tells.

The ticks of 10 ms in ``/proc/PID/stat`` are too coarse for what receiving an instance costs. The processor clock of
another process counts its ended threads too (clock_getcpuclockid(3)); only children that were already waited for are
left to the ticks.
"""

import contextlib
import os
import time
from pathlib import Path

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_SCHEDULED = 2  # CPUCLOCK_SCHED: user and system time of the whole process


def cpu_seconds(group: int) -> float:
    """Return user and system time, in seconds, that a process group has used, children already reaped included."""
    return sum(_used(folder) for folder in Path("/proc").iterdir() if folder.name.isdigit() and _in(folder, group))


def _in(folder: Path, group: int) -> bool:
    try:
        return os.getpgid(int(folder.name)) == group
    except ProcessLookupError:
        return False


def _used(folder: Path) -> float:
    with contextlib.suppress(OSError):
        fields = (folder / "stat").read_text().rpartition(")")[2].split()
        own = time.clock_gettime(~int(folder.name) << 3 | _SCHEDULED)
        return own + sum(map(int, fields[13:15])) / _TICKS_PER_S
    return 0.0
