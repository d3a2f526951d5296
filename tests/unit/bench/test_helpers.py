"""The parts that the benchmarks are made of."""

import io
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from pydicom import Dataset, dcmread

from bench.killing.kills import Phase, Victim, draw_kills
from bench.measuring.memory_held import memory_of, receiving
from bench.receiving.aims import Aim
from bench.receiving.workloads import Workload, cr, ct, small
from tests.support.nodes.process import CHECKOUT

_RATE = Aim("rate", "node", "storescp", "rate", 0.8, 1.1)
_COST = Aim("cost", "node", "storescp", "CPU", 1.5, 1.0)


@pytest.mark.parametrize(
    ("aim", "value", "verdict"),
    [
        (_RATE, 1.1, "goal met"),
        (_RATE, 0.8, "floor met"),
        (_RATE, 0.79, "MISSED"),
        (_COST, 1.0, "goal met"),
        (_COST, 1.5, "floor met"),
        (_COST, 1.51, "MISSED"),
    ],
)
def test_a_ratio_is_held_to_floor_and_goal(aim: Aim, value: float, verdict: str) -> None:
    """Of a rate more is better, of a cost less."""
    assert aim.verdict(value) == verdict


@pytest.mark.parametrize("make", [ct, cr, small])
def test_the_instances_of_a_run_have_uids_of_their_own(make: Callable[[int], Workload]) -> None:
    """As long as those of any other run, so that nothing else changes."""
    workload = make(2)
    first, second = (dict(workload.files(run)) for run in (1, 2))
    assert not first.keys() & second.keys()
    assert sorted(map(len, first.values())) == sorted(map(len, second.values()))
    for uid, whole in second.items():
        dataset = dcmread(io.BytesIO(whole))
        assert dataset.SOPInstanceUID == uid == dataset.file_meta.MediaStorageSOPInstanceUID
        assert ".100002." in dataset.StudyInstanceUID


@pytest.mark.parametrize("make", [ct, cr, small])
def test_a_header_is_as_long_as_those_of_scanners(make: Callable[[int], Workload]) -> None:
    """With what stands in its sequences."""
    workload = make(1)
    assert 120 <= _elements(dcmread(io.BytesIO(workload.templates[0]))) <= 150


def _elements(dataset: Dataset) -> int:
    nested = sum(_elements(item) for element in dataset if element.VR == "SQ" for item in element.value)
    return len(dataset) + nested


def test_kills_come_from_the_seed_and_strike_the_tree_every_other_time() -> None:
    """And now and then the main process alone, or another."""
    kills = draw_kills(20, random.Random(3))
    assert kills == draw_kills(20, random.Random(3))
    assert [it.victim for it in kills][::2] == [Victim.TREE] * 10
    assert {it.victim for it in kills} == set(Victim)
    assert {it.phase for it in kills} == set(Phase)


def test_the_process_behind_a_port_is_found_and_weighed() -> None:
    """By the socket that it holds."""
    program = (
        "import socket,sys; s=socket.create_server(('127.0.0.1',0)); print(s.getsockname()[1],flush=True); input()"
    )
    command = [sys.executable, "-c", program]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as child:
        assert child.stdout is not None
        port = int(child.stdout.readline())
        found = receiving(child.pid, port)
        held = memory_of(found)
        child.communicate("\n")
    assert found == [child.pid]
    assert held.whole > 1_000_000


@pytest.mark.parametrize("launcher", ["unsynced", "undurable"])
def test_without_durability_nothing_is_synced(launcher: str, tmp_path: Path) -> None:
    """Neither files nor SQLite, whatever the node asks for."""
    asked = (
        f"import os, bench.running.{launcher}; from bench.running import unsynced;"
        "from node.store.connection import engines;"
        "unsynced.keep_database_unsynced();"
        f"connection = engines.sqlite_writer('sqlite:///{tmp_path}/node.db', 1).connect();"
        "print(connection.exec_driver_sql('PRAGMA synchronous').scalar(), os.fsync(-1), os.fdatasync(-1))"
    )
    done = subprocess.run([sys.executable, "-c", asked], cwd=CHECKOUT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["0", "None", "None"]
