"""Compare how fast the node, DCMTK's storescp and Orthanc receive a CT series, and what it costs them.

Run with the project's Python: ``.venv/bin/python bench/receive.py``. The receivers take turns within each repetition,
each is started afresh, and every stored dataset is compared with what was sent before a figure is printed. DCMTK and
Orthanc run with TCP_NODELAY=1.
"""

import argparse
import os
import platform
import statistics
import sys
from collections.abc import Sequence
from pathlib import Path

from _ct import ct_series
from _measure import WARM_UP, Measured, Requests, measure
from _receivers import RECEIVERS
from _upper_layer import Instance


def main() -> int:
    """Run the comparison that the command line asks for, print it and return the exit status."""
    options = _options()
    series = ct_series(options.instances + WARM_UP)
    print(f"{options.instances} x {len(series[0].dataset)} bytes, {options.repetitions} repetitions; {_machine()}")
    print(f"load average of the last minute at the start: {os.getloadavg()[0]:.1f}")
    requests = Requests(series)
    for associations in options.associations:
        results = _repeat(options, series, requests, associations)
        _print_table(associations, results)
        print(f"load average of the last minute, this benchmark included: {os.getloadavg()[0]:.1f}")
    return 0


def _repeat(
    options: argparse.Namespace, series: list[Instance], requests: Requests, associations: int
) -> dict[str, list[Measured]]:
    """Return the measurements of each receiver; who goes first changes from one repetition to the next."""
    names = options.receivers
    results: dict[str, list[Measured]] = {name: [] for name in names}
    for repetition in range(options.repetitions):
        turn = repetition % len(names)
        for name in names[turn:] + names[:turn]:
            results[name].append(measure(name, series, requests, associations))
            print(f"  {associations} x {name}: {results[name][-1].per_second:.0f}/s", file=sys.stderr)
    return results


def _print_table(associations: int, results: dict[str, list[Measured]]) -> None:
    print(f"\n{associations} association{'s' if associations > 1 else ''}, every dataset compared byte for byte")
    print(f"{'receiver':<10} {'instances/s':>22} {'CPU ms/instance':>22}")
    for name, measured in results.items():
        rates, costs = [it.per_second for it in measured], [it.cpu_ms for it in measured]
        print(f"{name:<10} {_spread(rates, '.0f'):>22} {_spread(costs, '.2f'):>22}")
    for other in (name for name in results if name != "node" and "node" in results):
        pairs = list(zip(results["node"], results[other], strict=True))
        rates, costs = [a.per_second / b.per_second for a, b in pairs], [a.cpu_ms / b.cpu_ms for a, b in pairs]
        print(f"node / {other:<9} {_spread(rates, '.2f'):>16} {_spread(costs, '.2f'):>22}")


def _spread(values: Sequence[float], form: str) -> str:
    """Write the median, with the range behind it."""
    return f"{statistics.median(values):{form}} ({min(values):{form}}-{max(values):{form}})"


def _machine() -> str:
    cpu = next((line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")), "")
    count = Path("/proc/cpuinfo").read_text().count("processor\t:")
    return f"{count} cores ({cpu.partition(': ')[2]}), Python {platform.python_version()}"


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--instances", type=int, default=500)
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--associations", type=int, nargs="+", default=[1, 8])
    parser.add_argument("--receivers", nargs="+", choices=list(RECEIVERS), default=list(RECEIVERS))
    parser.add_argument("--quick", action="store_true", help="80 instances, 2 repetitions: does it run at all")
    options = parser.parse_args()
    if options.quick:
        options.instances, options.repetitions = 80, 2
    return options


if __name__ == "__main__":
    sys.exit(main())
