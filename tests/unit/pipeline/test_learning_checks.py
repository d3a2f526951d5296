"""What `check` says of [retrain] and [gate] before a training fails by it."""

import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from node.config import Settings
from node.pipeline.checks import learning_checks

NOW = datetime(2026, 10, 24, 22, tzinfo=UTC)


@pytest.fixture
def berlin() -> Iterator[None]:
    """Let this machine stand in Berlin."""
    before = os.environ.get("TZ")
    os.environ["TZ"] = "Europe/Berlin"
    time.tzset()
    yield
    os.environ.pop("TZ")
    os.environ.update({} if before is None else {"TZ": before})
    time.tzset()


def _said(tmp_path: Path, **tables: Any) -> list[tuple[str, str]]:
    node = {"node": {"ae_title": "PACSNODE", "data_dir": tmp_path}}
    found = learning_checks.lines(Settings.model_validate(node | tables), NOW)
    return [(line.verdict, line.text) for line in found]


def test_what_is_shipped_needs_no_line(tmp_path: Path) -> None:
    """Nothing is scheduled, the recipe is there, the gate is as it was."""
    assert _said(tmp_path) == []


@pytest.mark.usefixtures("berlin")
def test_the_next_firings_are_said_in_local_time(tmp_path: Path) -> None:
    """Over the end of summer time: half past two comes once."""
    ((verdict, text),) = _said(tmp_path, retrain={"schedule": "30 2 * * *"})
    assert verdict == "ok"
    assert "next at Sun 2026-10-25 02:30, Mon 2026-10-26 02:30, Tue 2026-10-27 02:30" in text


def test_recipes_and_folders_that_are_not_there_are_faults(tmp_path: Path) -> None:
    """Each with its name."""
    (tmp_path / "empty").mkdir()
    replay = [str(tmp_path / "gone"), str(tmp_path / "empty")]
    recipe, gone, empty = _said(tmp_path, retrain={"recipe": "nosuch", "replay": replay})
    assert recipe[0] == gone[0] == empty[0] == "fault"
    assert "nosuch is neither a recipe's file nor the name of one (" in recipe[1]
    assert f"{tmp_path / 'gone'} is not there" in gone[1]
    assert f"{tmp_path / 'empty'} is empty" in empty[1]


def test_a_gate_looser_than_the_shipped_one_is_noted_by_its_keys(tmp_path: Path) -> None:
    """A stricter one is not."""
    gate = {
        "auc_margin": 1.0,
        "min_patients": 2,
        "min_negatives": 60,
        "ece_margin": 0.0,
        "confidence": 0.9,
        "subgroup_min": 50,
    }
    assert _said(tmp_path, gate=gate) == [
        ("note", "[gate] confidence 0.9 is looser than 0.95, as shipped"),
        ("note", "[gate] auc_margin 1 is looser than 0.01, as shipped"),
        ("note", "[gate] min_patients 2 is looser than 50, as shipped"),
        ("note", "[gate] subgroup_min 50 is looser than 30, as shipped"),
    ]
