"""Show by strace that a store is durable before it is acknowledged, and in which order.

``.venv/bin/python bench/durable_order.py`` runs the node on SQLite under strace (Debian package ``strace``), sends it
two instances of one study and prints what became of each: the file brought to the disk, renamed, its folder brought to
the disk, the database brought to the disk, the answer. Exit status 1 where one of these is missing, or begins before
the one before it is over. ``--undurable`` shows instead that the benchmark's node brings nothing to the disk.
"""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from bench.receiving.system_calls import Call, calls, faults, recording, steps
from bench.receiving.workloads import Workload, ct
from bench.running.launched import CALLING, READERS, UndurableFolder, node_tables
from bench.sending.upper_layer import Instance, send
from tests.support.nodes.process import AE_TITLE, NodeFolder, Peer, serving
from tests.support.programs.processes import free_port


def main() -> int:
    """Trace a store with each reader, print the order and return the exit status."""
    options = _options()
    disk = options.disk.resolve()
    disk.mkdir(parents=True, exist_ok=True)
    right = [_right(reader, disk, undurable=options.undurable) for reader in options.readers]
    return 0 if all(right) else 1


def _right(reader: str, disk: Path, *, undurable: bool) -> bool:
    """Store two instances on a traced node, print what it did, and return whether it is right."""
    made = UndurableFolder if undurable else NodeFolder
    with tempfile.TemporaryDirectory(prefix="bench-order-", dir=disk) as folder:
        home = made(
            Path(folder), [Peer("bench", CALLING, free_port(), may_send=True)], tables=node_tables(reader=reader)
        )
        trace = home.folder / "strace.txt"
        with serving(home) as running, recording(running.process.pid, trace):
            _store(running.port, ct(2))
        recorded = list(calls(trace.read_text(errors="replace").splitlines()))
    print(f"\nreader: {reader}")
    return _printed_none(recorded) if undurable else _printed_order(recorded, home.data)


def _printed_order(recorded: Sequence[Call], data: Path) -> bool:
    wrong: list[str] = []
    for number in range(2):
        found = steps(recorded, data, number)
        print(f"instance {number + 1} of 2, seconds from the first step to the end of each")
        began = next((step.call.began for step in found if step.call), 0.0)
        for step in found:
            if step.call is not None:
                said = step.call.text.replace(f"{data}/", "")
                print(f"  {step.call.ended - began:9.6f}  {step.what:<29} {said}")
        wrong += faults(found)
    print("\n".join(wrong) or "in the right order: nothing is acknowledged before it is durable")
    return not wrong


def _printed_none(recorded: Sequence[Call]) -> bool:
    synced = [call.text for call in recorded if call.is_sync]
    print("\n".join(synced) or f"nothing is brought to the disk in {len(recorded)} calls")
    return bool(recorded) and not synced


def _store(port: int, workload: Workload) -> None:
    send(port, CALLING, AE_TITLE, (Instance(workload.sop_class_uid, *each) for each in workload.datasets(1)))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--readers", nargs="+", choices=READERS, default=READERS)
    parser.add_argument("--undurable", action="store_true", help="the benchmark's node without durability")
    parser.add_argument("--disk", type=Path, default=Path("var"), help="where the node's folder is made")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
