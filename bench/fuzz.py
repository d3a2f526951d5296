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
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from bench.fuzzing.cases import Case, draw, from_json, proof_of_life
from bench.fuzzing.talk import Answer, talk
from bench.fuzzing.vitals import Watch
from bench.receiving.contenders import CALLING, node_tables, readers, short_deadlines
from tests.support.nodes.process import NodeFolder, Peer, serving
from tests.support.programs.processes import free_port

_AT_ONCE = 24
_LIMIT_S = 15.0  # far above the node's deadlines, which are shortened
_PROOFS_FROM = 5_000_000  # numbers of cases that no batch comes to
_SHOWN = 5

Said = Counter[tuple[str, str]]


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
            complaints = _batch(node.port, watch, cases, said, proof_of_life(options.seed, _PROOFS_FROM + batch))
            sent += len(cases)
            print(f"  {reader} {sent} cases: {watch.last}", file=sys.stderr)
            if complaints:
                wrong += len(complaints)
                _save(options, reader, batch, complaints)
            if time.monotonic() > ends or len(complaints) > options.batch // 2:
                break
        print(
            f"\nreader {reader or 'as it is'}, seed {options.seed}: {sent} cases in {batch + 1} batches, {wrong} wrong"
        )
        print(f"at first {watch.first}\nat most  {watch.most}\nat last  {watch.last}")
    _print_said(said)
    return wrong


def _batch(port: int, watch: Watch, cases: Sequence[Case], said: Said, proof: Case) -> list[tuple[str, Sequence[Case]]]:
    """Send a batch, several cases at once, and return what was wrong, with the cases that it may come from."""
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        answers = list(pool.map(partial(_talk, port), cases))
    said.update((case.kind, _outcome(answer)) for case, answer in zip(cases, answers, strict=True))
    pairs = list(zip(cases, answers, strict=True))
    wrong: list[tuple[str, Sequence[Case]]] = [
        (complaint, [case]) for case, answer in pairs if (complaint := _complaint(case, answer))
    ]
    alive = _talk(port, proof)
    if complaint := _complaint(proof, alive):
        wrong.append((f"after the batch, a valid C-STORE and C-ECHO: {complaint}", cases))
    acknowledged = [uid for answer in [*answers, alive] for uid in answer.stored]
    wrong += [(complaint, cases) for complaint in watch.complaints([*cases, proof], acknowledged)]
    return wrong


def _talk(port: int, case: Case) -> Answer:
    try:
        return talk(port, case, _LIMIT_S)
    except OSError as error:
        return Answer((f"no connection: {error}",), (), closed=False, garbled=False)


def _complaint(case: Case, answer: Answer) -> str:
    """Return what is wrong with an answer by itself."""
    if not answer.closed:
        return f"not closed within {_LIMIT_S:g} s, after {', '.join(answer.said) or 'no word'}"
    if answer.garbled:
        return "something was said that is no PDU"
    if case.valid and answer.said.count("status 0x0000") != case.requests:
        return f"{case.requests} valid requests were answered: {', '.join(answer.said)}"
    return ""


def _outcome(answer: Answer) -> str:
    """Return the answers to the stores, or else what it ended with."""
    statuses = sorted({it for it in answer.said if it.startswith("status")})
    last = [it for it in answer.said[-1:] if not it.startswith("status") and it != "accepted"]
    return ", ".join([*statuses, *last]) or ("closed" if answer.closed else "left open")


def _print_said(said: Said) -> None:
    for (kind, outcome), count in sorted(said.items(), key=lambda it: (it[0][0], -it[1])):
        print(f"{count:>7}  {kind:<12} {outcome}")


def _save(
    options: argparse.Namespace, reader: str, batch: int, complaints: Sequence[tuple[str, Sequence[Case]]]
) -> None:
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
            complaints = _batch(node.port, watch, [case], said, proof_of_life(0, _PROOFS_FROM + index))
            wrong += len(complaints)
            print(f"{case.number} {case.kind}: {next(iter(said))[1]}", *(it for it, _ in complaints), sep="; ")
        print(node.process.errors()[-2000:])
    return 1 if wrong else 0


def _home(folder: Path, reader: str) -> NodeFolder:
    peers = [Peer("bench", CALLING, free_port(), may_send=True)]
    return NodeFolder(folder / "node", peers, tables=node_tables(reader, short_deadlines()), models=())


def _options() -> argparse.Namespace:
    known = list(readers() or ("",))
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=60, help="for all readers together")
    parser.add_argument("--batch", type=int, default=200, help="cases between two looks at the node")
    parser.add_argument("--readers", nargs="+", choices=known, default=known)
    parser.add_argument("--replay", type=Path, help="a file that an earlier run has saved")
    parser.add_argument("--save-to", type=Path, default=Path("var"), help="folder for cases that showed something")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
