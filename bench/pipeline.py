"""Measure the way from a stored image to the report at the PACS, and count what is lost and doubled on it.

Run with the project's Python: ``.venv/bin/python bench/pipeline.py``; the public chest radiographs must lie beside the
checkout. Each part starts a node of its own; parts can be named. ``--quick`` shows in two minutes that all of it runs.
"""

import argparse
import sys
import tempfile
from pathlib import Path

from bench.measuring.printed import load_at_start, load_included, machine
from bench.reporting.parts_of_the_way import PARTS
from bench.running.empty_database import DATABASES, database


def main() -> int:
    """Run the parts that the command line asks for and return the exit status: 1 where a report is lost or doubled."""
    options = _options()
    print(f"{machine()}; {options.database}, [work] processes = {options.processes}")
    print(load_at_start(), flush=True)
    kept = True
    with tempfile.TemporaryDirectory(prefix="bench-pipeline-") as folder, database(options.database) as url:
        for number, name in enumerate(options.parts):
            print(f"\n{name}: {PARTS[name].__doc__}", flush=True)
            if url and number:
                print("  left out: on a server of its own, one part a run")
                continue
            kept &= PARTS[name](options, Path(folder) / name, url)
    print(f"\n{load_included()}")
    return 0 if kept else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"all of {', '.join(PARTS)}, or some")
    parser.add_argument("--database", choices=DATABASES, default=DATABASES[0])
    parser.add_argument("--processes", type=int, default=1, help="[work] processes, and of the bare networks")
    parser.add_argument("--images", type=int, default=400, help="of each measurement of throughput")
    parser.add_argument("--seconds", type=float, default=6.0, help="that the bare networks run, before and after")
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--studies", type=int, default=40, help="of the measurement of latency")
    parser.add_argument("--slices", type=int, default=300)
    parser.add_argument("--backlog", type=int, default=10_000)
    parser.add_argument("--gathered", type=int, default=2000, help="reports that wait for a destination")
    parser.add_argument("--held", type=int, default=100_000)
    parser.add_argument("--few", type=int, default=1000)
    parser.add_argument("--minutes", type=float, default=30.0, help="of steady load")
    parser.add_argument("--rate", type=float, default=5.0, help="studies a second of the steady load")
    parser.add_argument("--limit", type=float, default=3600.0, help="longest wait for a backlog, in seconds")
    parser.add_argument("--quick", action="store_true", help="all of it, so small that no figure means anything")
    options = parser.parse_args()
    if unknown := set(options.parts) - set(PARTS):
        parser.error(f"no part {', '.join(sorted(unknown))}: there are {', '.join(PARTS)}")
    options.parts = options.parts or list(PARTS)
    if options.quick:
        options.images, options.seconds, options.repetitions, options.studies, options.slices = 40, 1.0, 1, 3, 20
        options.backlog, options.gathered, options.held, options.few, options.minutes = 20, 10, 500, 300, 0.1
    return options


if __name__ == "__main__":
    sys.exit(main())
