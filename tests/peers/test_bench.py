"""The scripts in bench/ run, small, so that they still do when somebody needs them."""

import sys

import pytest

from tests.support.nodes.process import CHECKOUT
from tests.support.programs.processes import find_program, run_program

pytestmark = [pytest.mark.peers, pytest.mark.timeout(480)]


def run_bench(script: str, *options: str) -> str:
    """Run a script and return what it printed; a script that fails is shown."""
    done = run_program([sys.executable, str(CHECKOUT / "bench" / script), *options], timeout_s=450)
    assert done.returncode == 0, done.stdout
    return done.stdout


def test_the_receiving_benchmark_measures_every_receiver_and_compares_every_byte() -> None:
    """A row for each receiver, and one for each figure that receiving is held to, with its floor and its goal."""
    receivers = ["node", "node-undurable", "node-unsynced", "storescp"]
    receivers += ["orthanc", "pynetdicom-app", "bare-loop", "sender-alone"]
    options = ["--quick", "--workloads", "ct", "--associations", "8", "--memory", "4"]
    lines = run_bench("receive.py", *options, "--receivers", *receivers).splitlines()
    said = {line.split()[0] for line in lines if line}
    assert said >= set(receivers)
    assert sum(line.endswith((" met", " MISSED")) for line in lines) == 11


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_every_promise_is_kept_through_four_kills(database: str) -> None:
    """The chaos scenario in small: it exits with 0 only when no promise is broken."""
    options = ["--studies", "8", "--kills", "4", "--seed", "4", "--settle", "120"]
    verdict = run_bench("chaos.py", *options, "--database", database)
    assert "BROKEN" not in verdict
    assert verdict.count("kept") >= 15


def test_a_fuzzed_node_lives_and_keeps_what_it_acknowledged() -> None:
    """A batch or two for each reader."""
    verdict = run_bench("fuzz.py", "--seed", "11", "--seconds", "4", "--batch", "60")
    assert "nothing wrong" in verdict
    assert verdict.count("0 wrong") == 2


def test_a_store_is_durable_before_it_is_answered() -> None:
    """File, name, folder and database, in this order, by each reader; and the benchmark's switch does what it says."""
    if find_program("strace") is None:
        pytest.skip("strace is not installed: apt-get install strace")
    assert run_bench("durable_order.py").count("in the right order") == 2
    assert "nothing is brought to the disk" in run_bench("durable_order.py", "--undurable", "--readers", "fast")


@pytest.mark.data
def test_the_way_to_the_report_is_measured_and_nothing_is_lost_on_it() -> None:
    """A few images each: figures mean nothing, and no report is lost or doubled."""
    said = run_bench("pipeline.py", "--quick", "throughput", "latency", "held", "outage")
    assert "ratio" in said
    assert said.count("lost 0, doubled 0; studies without a report 0, with two 0") == 1
