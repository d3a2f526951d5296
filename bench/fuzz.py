"""Send the node what is broken, odd or cut off, thousands of times, and see that it lives and keeps its promises.

``.venv/bin/python bench/fuzz.py --seed 1 --seconds 60`` runs a node with each reader and talks to it over real
sockets: broken associations, PDUs, command sets and datasets, other protocols, and connections cut at any byte, some
valid ones among them. After every batch the node has to answer C-ECHO and a valid C-STORE, to hold no more threads and
descriptors than before, and to have on the disk, byte for byte, whatever it answered with 0x0000, and nothing torn.
The cases of a batch in which something was wrong are saved; ``--replay FILE`` sends them to a fresh node, one by one.
Exit status 1 where something was wrong.
"""

import argparse
import itertools
import json
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from bench.fuzzing.batches import Complaint, Said, say_all
from bench.fuzzing.cases import Case, draw, from_json, proof_of_life
from bench.fuzzing.vitals import Watch
from bench.running.launched import CALLING, READERS, SHORT_DEADLINES, node_tables
from tests.support.nodes.process import NodeFolder, Peer, serving
from tests.support.programs.processes import free_port

_PROOFS_FROM = 5_000_000  # numbers of cases that no batch comes to
_SHOWN = 5


def main() -> int:
    """Fuzz the node with each reader, or replay what was saved, and return the exit status."""
    options = _options()
    if options.replay:
        saved = json.loads(options.replay.read_text())
        return _replayed(saved["reader"], [from_json(it) for it in saved["cases"]])
    seconds = options.seconds / len(options.readers)
    wrong = [_fuzzed(options, reader, seconds) for reader in options.readers]
    print(f"\nseed {options.seed}: {'SOMETHING IS WRONG' if any(wrong) else 'nothing wrong'}")
    return 1 if any(wrong) else 0


def _fuzzed(options: argparse.Namespace, reader: str, seconds: float) -> int:
    """Send batches for so long, print what was answered, and return how many things were wrong."""
    said: Said = Counter()
    wrong, sent, ends = 0, 0, time.monotonic() + seconds
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder, serving(_home(Path(folder), reader)) as node:
        watch = Watch(node)
        for batch in itertools.count():
            numbers = range(batch * options.batch, (batch + 1) * options.batch)
            cases = [draw(options.seed, number) for number in numbers]
            complaints = say_all(node.port, watch, cases, said, proof_of_life(options.seed, _PROOFS_FROM + batch))
            sent += len(cases)
            print(f"  {reader} {sent} cases: {watch.last}", file=sys.stderr)
            if complaints:
                wrong += len(complaints)
                _save(options, reader, batch, complaints)
            if time.monotonic() > ends or len(complaints) > options.batch // 2:
                break
        print(f"\nreader {reader}, seed {options.seed}: {sent} cases in {batch + 1} batches, {wrong} wrong")
        print(f"at first {watch.first}\nat most  {watch.most}\nat last  {watch.last}")
    _print_said(said)
    return wrong


def _print_said(said: Said) -> None:
    for (kind, outcome), count in sorted(said.items(), key=lambda it: (it[0][0], -it[1])):
        print(f"{count:>7}  {kind:<12} {outcome}")


def _save(options: argparse.Namespace, reader: str, batch: int, complaints: Sequence[Complaint]) -> None:
    """Write the cases behind each complaint to a file of its own, and say so."""
    options.save_to.mkdir(parents=True, exist_ok=True)
    for index, (complaint, cases) in enumerate(complaints[:_SHOWN]):
        path = options.save_to / f"fuzz-{options.seed}-{reader}-{batch}-{index}.json"
        saved = {"reader": reader, "complaint": complaint, "cases": [case.as_json() for case in cases]}
        path.write_text(json.dumps(saved))
        print(f"{reader}, batch {batch}: {complaint}; replay {path}", flush=True)


def _replayed(reader: str, cases: Sequence[Case]) -> int:
    """Send cases one by one, each followed by the look that a batch gets, and return the exit status."""
    wrong = 0
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder, serving(_home(Path(folder), reader)) as node:
        watch = Watch(node)
        for index, case in enumerate(cases):
            said: Said = Counter()
            complaints = say_all(node.port, watch, [case], said, proof_of_life(0, _PROOFS_FROM + index))
            wrong += len(complaints)
            print(f"{case.number} {case.kind}: {next(iter(said))[1]}", *(it for it, _ in complaints), sep="; ")
        print(node.process.errors()[-2000:])
    return 1 if wrong else 0


def _home(folder: Path, reader: str) -> NodeFolder:
    peers = [Peer("bench", CALLING, free_port(), may_send=True)]
    return NodeFolder(folder / "node", peers, tables=node_tables(SHORT_DEADLINES, reader=reader), models=())


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=60, help="for all readers together")
    parser.add_argument("--batch", type=int, default=200, help="cases between two looks at the node")
    parser.add_argument("--readers", nargs="+", choices=READERS, default=READERS)
    parser.add_argument("--replay", type=Path, help="a file that an earlier run has saved")
    parser.add_argument("--save-to", type=Path, default=Path("var"), help="folder for cases that showed something")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
