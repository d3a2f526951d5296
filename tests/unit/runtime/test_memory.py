"""Arenas of memory, counted in a process of their own."""

import subprocess
import sys

_PROGRAM = """
import threading
from pathlib import Path
from node.runtime.memory import share_arenas

{first}
together = threading.Barrier(17)

def hold():
    kept = [bytearray(100_000) for _ in range(5)]
    together.wait()
    together.wait()

for _ in range(16):
    threading.Thread(target=hold, daemon=True).start()
together.wait()
# what an arena has reserved and not used yet
print(sum(1 for line in Path("/proc/self/maps").read_text().splitlines() if "---p" in line and line.endswith(" 0 ")))
together.wait()
"""


def _reserved(first: str) -> int:
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM.format(first=first)], capture_output=True, text=True, check=True, timeout=60
    )
    return int(done.stdout)


def test_threads_share_two_arenas() -> None:
    """Sixteen threads reserve less than they do without."""
    assert _reserved("assert share_arenas()") < _reserved("") - 5


_FAULTS = """
import resource
from node.runtime.memory import keep_what_is_freed

{first}

def use():
    for _ in range(50):
        bytearray(b"1") * (4 << 20)

use()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
use()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def test_memory_that_was_freed_is_used_again() -> None:
    """Pages of four megabytes are not asked of the system anew for each use."""

    def faults(first: str) -> int:
        command = [sys.executable, "-c", _FAULTS.format(first=first)]
        return int(subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout)

    assert faults("assert keep_what_is_freed()") < 1024
