"""The scripts in bench/ run, small, so that they still do when somebody needs them."""

import sys

import pytest

from tests.support.nodes import CHECKOUT
from tests.support.programs import run_program

pytestmark = [pytest.mark.peers, pytest.mark.timeout(480)]


def run_bench(script: str, *options: str) -> str:
    """Run a script and return what it printed; a script that fails is shown."""
    done = run_program([sys.executable, str(CHECKOUT / "bench" / script), *options], timeout_s=450)
    assert done.returncode == 0, done.stdout
    return done.stdout


def test_the_receiving_benchmark_measures_every_receiver_and_compares_every_byte() -> None:
    """A row for each receiver, and one for each figure that receiving is held to, with its floor and its goal."""
    receivers = ["node", "node-undurable", "storescp", "orthanc", "pynetdicom-app", "bare-loop", "sender-alone"]
    options = ["--quick", "--workloads", "ct", "--associations", "8", "--memory", "4"]
    lines = run_bench("receive.py", *options, "--receivers", *receivers).splitlines()
    said = {line.split()[0] for line in lines if line}
    assert said >= set(receivers)
    assert sum(line.endswith((" met", " MISSED")) for line in lines) == 9


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_every_promise_is_kept_through_four_kills(database: str) -> None:
    """The chaos scenario in small: it exits with 0 only when no promise is broken."""
    options = ["--studies", "8", "--kills", "4", "--seed", "4", "--settle", "120"]
    verdict = run_bench("chaos.py", *options, "--database", database)
    assert "BROKEN" not in verdict
    assert verdict.count("kept") >= 15
