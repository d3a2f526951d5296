"""What every benchmark prints alike: the machine, its load, and a median with its range."""

import os
import platform
import statistics
from collections.abc import Sequence
from pathlib import Path


def machine() -> str:
    """Return on what it runs: cores, their model, and the interpreter."""
    cpu = next((line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")), "")
    return f"{os.cpu_count()} cores ({cpu.partition(': ')[2]}), Python {platform.python_version()}"


def load_at_start() -> str:
    """Return the load that was there before."""
    return f"load average of the last minute at the start: {os.getloadavg()[0]:.1f}"


def load_included() -> str:
    """Return the load of a benchmark and of what runs beside it."""
    return f"load average of the last minute, this benchmark included: {os.getloadavg()[0]:.1f}"


def spread(values: Sequence[float], form: str = ".0f") -> str:
    """Write the median, with the range behind it where there are several."""
    middle = f"{statistics.median(values):{form}}"
    return f"{middle} ({min(values):{form}}-{max(values):{form}})" if len(values) > 1 else middle
