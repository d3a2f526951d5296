"""Compare how fast the node and others receive, what it costs them, and how much memory they take.

Run with the project's Python: ``.venv/bin/python bench/receive.py``. Three workloads on 1 and 8 associations; receivers
take turns within each repetition, and every stored dataset is compared with what was sent before a figure is printed.
The programs of DCMTK and Orthanc run with TCP_NODELAY=1. Receivers and senders share the same cores.
"""

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path

from bench.measuring.printed import load_at_start, load_included, machine
from bench.receiving.aims import print_aims, print_cell
from bench.receiving.comparison import Plan, Results, measure
from bench.receiving.contenders import COMPARED, RECEIVERS
from bench.receiving.peaks import peaks_of
from bench.receiving.timed_senders import SENDERS
from bench.receiving.workloads import COUNTS, WORKLOADS
from bench.running.launched import CALLING

_STORESCU_TO = ("node", "node-undurable", "storescp", "orthanc")


def main() -> int:
    """Run the comparison that the command line asks for, print it and return the exit status."""
    options = _options()
    options.disk = options.disk.resolve()  # Orthanc takes relative paths as relative to its own configuration
    options.disk.mkdir(parents=True, exist_ok=True)
    print(f"{options.repetitions} repetitions; {machine()}; {load_at_start()}\nreceivers and senders share all cores")
    results: Results = {}
    plan = _plan(options)
    each = {it.name: it.megabytes / len(it.templates) for it in plan.workloads}
    for associations in options.associations:
        results |= measure(plan, associations, lambda cell, measured: print_cell(cell, measured, each[cell.workload]))
        print(load_included(), flush=True)
    peaks = dict(peaks_of(options.receivers, options.disk, options.memory)) if options.memory else {}
    print_aims(results, peaks)
    if options.json:
        options.json.write_text(_as_json(results, peaks))
    return 0


def _plan(options: argparse.Namespace) -> Plan:
    workloads = [WORKLOADS[name](max(8, COUNTS[name] // options.divide)) for name in options.workloads]
    for workload in workloads:
        print(f"{workload.name}: {len(workload.templates)} instances, {workload.megabytes:.0f} MB", flush=True)
    to = {"lean": options.receivers, "storescu": [it for it in options.receivers if it in _STORESCU_TO]}
    senders = {it: to[it] for it in options.senders}
    return Plan(workloads, options.receivers, senders, options.repetitions, options.disk)


def _as_json(results: Results, peaks: dict[str, int]) -> str:
    rows = [
        asdict(cell) | {"measured": {k: list(map(asdict, v)) for k, v in of.items()}} for cell, of in results.items()
    ]
    return json.dumps({"results": rows, "peak_bytes": peaks, "calling": CALLING}, indent=1)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workloads", nargs="+", choices=list(WORKLOADS), default=list(WORKLOADS))
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--associations", type=int, nargs="+", default=[1, 8])
    parser.add_argument("--receivers", nargs="+", choices=list(RECEIVERS), default=list(COMPARED))
    parser.add_argument("--senders", nargs="+", choices=list(SENDERS), default=list(SENDERS))
    parser.add_argument("--memory", type=int, default=50, help="associations that send 18 MB at once; 0: not measured")
    parser.add_argument("--divide", type=int, default=1, help="so many times fewer instances")
    parser.add_argument("--disk", type=Path, default=Path("var"), help="folder for receivers that keep durably")
    parser.add_argument("--json", type=Path, help="every measurement, written here")
    parser.add_argument("--quick", action="store_true", help="a 25th of all, 1 repetition: does it run at all")
    options = parser.parse_args()
    if options.quick:
        options.divide, options.repetitions, options.memory = 25, 1, min(options.memory, 8)
    return options


if __name__ == "__main__":
    sys.exit(main())
