"""Where the node's time goes while it receives: functions by how long they hold the interpreter, and system calls.

``.venv/bin/python bench/receive_profile.py`` sends CT instances again and again while py-spy samples which of the
node's threads holds the interpreter's lock, and where (``--py-spy PATH`` where it is not on the PATH; it is no
dependency of the project: ``pip install py-spy`` into a place of its own). Only one thread can hold it, so that on
several associations this is what limits the node. Time inside of system calls is not in it; ``--syscalls`` counts those
with strace instead. Both need the right to trace processes.
"""

import argparse
import itertools
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import astuple
from functools import partial
from pathlib import Path

from bench.receiving.comparison import Run, run_once, started
from bench.receiving.contenders import RECEIVERS, Receiver
from bench.receiving.timed_senders import Measured
from bench.receiving.workloads import COUNTS, WORKLOADS, Workload

_WARM_UP_RUNS = 1


def main() -> int:
    """Profile what the command line asks for, print it and return the exit status."""
    options = _options()
    options.disk = options.disk.resolve()
    options.disk.mkdir(parents=True, exist_ok=True)
    workload = WORKLOADS[options.workload](options.instances or COUNTS[options.workload])
    for associations in options.associations:
        with started(options.receiver, options.disk, associations) as receiver:
            numbers = itertools.count(1)
            send = partial(_sent, options.receiver, receiver, workload, associations)
            for _ in range(_WARM_UP_RUNS):
                send(next(numbers))
            print(f"\n{options.receiver}, {options.workload}, {associations} associations", flush=True)
            watch = _count_calls if options.syscalls else _sample
            watch(options, receiver, map(send, numbers))
    return 0


def _sent(name: str, receiver: Receiver, workload: Workload, associations: int, number: int) -> Measured:
    return run_once(name, receiver, Run(workload, number, associations), "lean")


def _sample(options: argparse.Namespace, receiver: Receiver, runs: Iterator[Measured]) -> None:
    folded = Path(tempfile.mkdtemp(prefix="bench-profile-")) / "stacks"
    command = [options.py_spy, "record", "--pid", str(receiver.group), "--format", "raw", "--output", str(folded)]
    flags = ["--gil", "--nonblocking", "--rate", str(options.rate), "--duration", "3600"]
    with subprocess.Popen([*command, *flags], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as sampler:
        measured = list(_for_seconds(runs, options.seconds))
        sampler.send_signal(signal.SIGINT)
        sampler.wait(60)
    instances = len(measured) * (options.instances or COUNTS[options.workload])
    rate, cpu_ms = (statistics.median(values) for values in zip(*map(astuple, measured), strict=True))
    print(f"{rate:.0f} instances/s while sampled, {cpu_ms * 1000:.0f} us of CPU each, system calls included")
    _print_shares(folded.read_text().splitlines(), 1e6 / options.rate / instances, options.lines)
    shutil.rmtree(folded.parent)


def _print_shares(stacks: list[str], us_each: float, lines: int) -> None:
    """Print the functions that held the lock longest, themselves and with what they called."""
    own, whole = Counter[str](), Counter[str]()
    for stack, _, samples in (line.rpartition(" ") for line in stacks):
        frames = [re.sub(r":\d+\)$", ")", frame) for frame in stack.split(";")]
        own[frames[-1]] += int(samples)
        whole.update(dict.fromkeys(frames, int(samples)))
    print(f"{us_each * own.total():.0f} us of the lock for each instance; {own.total()} samples")
    print(f"{'us in it':>9} {'us below too':>13}  function")
    for name, count in own.most_common(lines):
        print(f"{us_each * count:>9.1f} {us_each * whole[name]:>13.1f}  {name}")
    print(f"{'':>9} {'us below too':>13}  most below")
    for name, count in whole.most_common(lines):
        print(f"{'':>9} {us_each * count:>13.1f}  {name}")


def _count_calls(options: argparse.Namespace, receiver: Receiver, runs: Iterator[Measured]) -> None:
    command = ["strace", "-f", "-c", "-U", "calls,errors,time,name", "-p", str(receiver.group)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as tracer:
        time.sleep(1)  # strace does not say when it has attached to all threads
        count = options.instances or COUNTS[options.workload]
        next(runs)
        tracer.send_signal(signal.SIGINT)
        said = tracer.communicate(timeout=60)[1]
    rows = [line.split() for line in said.splitlines() if re.match(r"\s*\d+\s", line)]
    print(f"{'calls for each instance':>24}  system call")
    for row in sorted(rows, key=lambda row: -int(row[0]))[: options.lines]:
        print(f"{int(row[0]) / count:>24.2f}  {row[-1]}")


def _for_seconds(runs: Iterator[Measured], seconds: float) -> Iterator[Measured]:
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        yield next(runs)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--receiver", choices=list(RECEIVERS), default="node-undurable")
    parser.add_argument("--workload", choices=list(WORKLOADS), default="ct")
    parser.add_argument("--associations", type=int, nargs="+", default=[1, 8])
    parser.add_argument("--instances", type=int, default=0, help="of each run; 0: as many as bench/receive.py sends")
    parser.add_argument("--seconds", type=float, default=10, help="how long is sampled")
    parser.add_argument("--rate", type=int, default=500, help="samples a second")
    parser.add_argument("--lines", type=int, default=25)
    parser.add_argument("--syscalls", action="store_true", help="count system calls with strace instead")
    parser.add_argument("--py-spy", default="py-spy", help="where py-spy is")
    parser.add_argument("--disk", type=Path, default=Path("var"), help="folder for receivers that keep durably")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
