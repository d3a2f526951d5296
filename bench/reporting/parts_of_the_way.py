"""What is measured on the way from a stored image to its report: each part starts a node, and prints what it found.

The first line of a part's docstring says what is measured, with floor and goal; it is printed before the part runs.
"""

import argparse
import statistics
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from bench.measuring.printed import spread
from bench.reporting.bare_networks import bare_rate
from bench.reporting.many_held import compared
from bench.reporting.measured_node import Bench, Keys, bench
from bench.reporting.noting_pacs import AE_TITLE, Pacs
from bench.reporting.radiographs import CT, DX, Source, ct_slice, radiograph
from tests.support.nodes.process import Peer
from tests.support.programs.processes import free_port

_READ = "SELECT count(*) FROM readings"
_SENT = "SELECT count(*) FROM deliveries WHERE state = 'done'"
_TINY = 64  # rows and columns of the images of a backlog
_WARM_UP_S = 60.0
_CT_RULE = 'modalities = ["CT"]\nbody_parts = []'


def throughput(options: argparse.Namespace, folder: Path, url: str) -> bool:
    """Read raw radiographs of 2 MB, stored to findings, beside the bare networks (floor 0.6, goal 0.9)."""
    image, source, ratios, rates, bares = radiograph(1024), Source(), [], [], []
    work = f"processes = {options.processes}"
    with bench(folder, url, None, Keys(quiet_s=900.0, work=work)) as node:
        _read_all(node, source, image, options.images // 4)  # the first batches load what they need
        for _ in range(options.repetitions):
            before = bare_rate(options.processes, options.seconds)
            rates.append(_read_all(node, source, image, options.images))
            bares.append((before + bare_rate(options.processes, options.seconds)) / 2)
            ratios.append(rates[-1] / bares[-1])
    print(f"  images/s through the node {spread(rates)}, bare {spread(bares)}, ratio {spread(ratios, '.2f')}")
    return True


def _read_all(node: Bench, source: Source, image: bytes, count: int) -> float:
    """Return images a second, of so many that are all stored before the first is read."""
    before = node.count(_READ)
    with node.readers_stopped():
        node.send(instance for _, instance in source.studies(image, DX, count))
        there = node.count(_READ)
        began = time.time()
    return (before + count - there) / (node.wait(_READ, before + count, 600) - began)


def latency(options: argparse.Namespace, folder: Path, url: str) -> bool:
    """Time from the completion of a study of one image to its report's C-STORE (floor 150 ms, goal 50 ms)."""
    image, source, port = radiograph(1024), Source(), free_port()
    with Pacs(port) as pacs, bench(folder, url, _peer(port), Keys(quiet_s=0.3)) as node:
        for number in range(1, options.studies + 1):
            node.send(instance for _, instance in source.studies(image, DX, 1))
            node.wait(_SENT, number, 60)
        arrived = dict(pacs.arrivals())
        due = node.rows(
            "SELECT renditions.sop_instance_uid, jobs.due_at FROM deliveries "
            "JOIN renditions ON renditions.id = deliveries.rendition_id "
            "JOIN analyses ON analyses.id = renditions.analysis_id "
            "JOIN jobs ON jobs.study_instance_uid = analyses.study_instance_uid AND jobs.kind = 'compose'"
        )
        late = [(arrived[str(uid)] - _seconds(at)) * 1000 for uid, at in due]
    print(f"  ms {spread(late)}")
    return True


def series(options: argparse.Namespace, folder: Path, url: str) -> bool:
    """Send a CT series of raw slices, each decoded and run: last answer to report (floor 1 s, goal 100 ms)."""
    image, source, port, tails, reads, sending = ct_slice(), Source(), free_port(), [], [], []
    rule, peer = _CT_RULE, "one_study_per_association = true"
    keys = Keys(quiet_s=20.0, grace_s=0.0, rule=rule, peer=peer, work=f"processes = {options.processes}")
    with (
        Pacs(port) as pacs,
        bench(folder, url, _peer(port), keys) as node,
    ):
        for number in range(1, options.repetitions + 1):
            before = node.count(_READ)
            _, slices = source.series(image, CT, options.slices)
            began = time.time()
            answered = node.send(slices)
            reads.append((node.wait(_READ, before + options.slices, 120) - answered) * 1000)
            node.wait(_SENT, number, 120)
            sending.append(options.slices / (answered - began))
            tails.append((pacs.arrivals()[-1][1] - answered) * 1000)
    print(f"  {options.slices} slices, sent at {spread(sending)} a second")
    print(f"  ms until all are read {spread(reads)}, until the report is at the PACS {spread(tails)}")
    return True


def backlog(options: argparse.Namespace, folder: Path, url: str) -> bool:
    """Send studies of one small image as fast as they are taken: reports lost and doubled (floor 0, 0)."""
    port, began = free_port(), time.time()
    with Pacs(port) as pacs, bench(folder, url, _peer(port), Keys(work=f"processes = {options.processes}")) as node:
        sent = node.send(instance for _, instance in Source().studies(radiograph(_TINY), DX, options.backlog))
        node.wait(_SENT, options.backlog, options.limit)
        print(f"  sent in {sent - began:.0f} s, all {options.backlog} reports there after {time.time() - began:.0f} s")
        return _counted(node, pacs, options.backlog)


def outage(options: argparse.Namespace, folder: Path, url: str) -> bool:
    """Let reports gather while the destination is down, until it comes back: reports lost and doubled (floor 0, 0)."""
    port = free_port()
    with bench(folder, url, _peer(port), Keys(work=f"processes = {options.processes}")) as node:
        node.send(instance for _, instance in Source().studies(radiograph(_TINY), DX, options.gathered))
        node.wait("SELECT count(*) FROM deliveries", options.gathered, options.limit)
        with Pacs(port) as pacs:
            began = time.time()
            node.wait(_SENT, options.gathered, options.limit)
            print(f"  {options.gathered} reports gathered; the last came {time.time() - began:.0f} s after the return")
            return _counted(node, pacs, options.gathered)


def held(options: argparse.Namespace, folder: Path, url: str) -> bool:  # noqa: ARG001 - as the other parts
    """Compare a claim, and the verbs `studies` and `deliveries`, with many held, beside few (floor 2, goal 1.2)."""
    folder.mkdir(parents=True)
    for name, (few, many) in compared(folder, options.few, options.held).items():
        sizes = f"{options.few} studies {few:.2f} ms, {options.held} studies {many:.2f} ms"
        print(f"  {name}: {sizes}, ratio {many / few:.2f}", flush=True)
    return True


def memory(options: argparse.Namespace, folder: Path, url: str) -> bool:
    """Compare the memory of all processes at the end of a steady load with its start (floor +10 %, goal +2 %)."""
    port, image, source = free_port(), radiograph(1024), Source()
    with Pacs(port), bench(folder, url, _peer(port), Keys()) as node:
        warm = _load(node, source, image, options.rate, min(_WARM_UP_S, options.minutes * 30))
        after = _load(node, source, image, options.rate, options.minutes * 60)
        read = node.count(_READ)
    print(
        f"  {read} images read; MB (PSS) after the warm-up {warm:.0f}, at the end {after:.0f}: {after / warm - 1:+.1%}"
    )
    return True


def _load(node: Bench, source: Source, image: bytes, rate: float, seconds: float) -> float:
    """Send so many studies of one image a second, for so long, and return the memory at the end."""
    began, sent = time.monotonic(), 0
    while time.monotonic() - began < seconds:
        node.send(instance for _, instance in source.studies(image, DX, 1))
        sent += 1
        time.sleep(max(began + sent / rate - time.monotonic(), 0.0))
    samples = []
    for _ in range(5):
        samples.append(node.memory_mb())
        time.sleep(0.2)
    return statistics.median(samples)


def _counted(node: Bench, pacs: Pacs, wanted: int) -> bool:
    """Print what is lost and doubled at the PACS and among the studies, and return whether nothing is."""
    came = Counter(uid for uid, _ in pacs.arrivals())
    reported = node.count("SELECT count(DISTINCT study_instance_uid) FROM analyses")
    analyses = node.count("SELECT count(*) FROM analyses")
    lost, doubled = wanted - len(came), sum(came.values()) - len(came)
    print(f"  at the PACS: lost {lost}, doubled {doubled}; studies without a report {wanted - reported}, "
          f"with two {analyses - reported}")  # fmt: skip
    return (lost, doubled, reported, analyses) == (0, 0, wanted, wanted)


def _peer(port: int) -> Peer:
    return Peer("pacs", AE_TITLE, port, gets_reports=True)


def _seconds(at: object) -> float:
    """Return a time of the database in seconds since 1970; SQLite gives it as text, in UTC."""
    time_ = at if isinstance(at, datetime) else datetime.fromisoformat(str(at))
    return (time_ if time_.tzinfo else time_.replace(tzinfo=UTC)).timestamp()


PARTS: dict[str, Callable[[argparse.Namespace, Path, str], bool]] = {
    part.__name__: part for part in (throughput, latency, series, held, backlog, outage, memory)
}
