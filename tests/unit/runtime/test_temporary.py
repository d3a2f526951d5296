"""Temporary files in a folder of the node's own: they go with who left them or with the next start."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from node.runtime import temporary
from node.runtime.child import Child, ChildFailed
from tests.support.waiting import wait_until

_PATIENCE_S = 20.0
_NODE = """
import subprocess, sys, tempfile
from multiprocessing.connection import Client, Listener
from node.runtime import temporary
temporary.keep_apart()
with Listener(family="AF_UNIX") as listener:
    Client(listener.address).close()
    print(listener.address, flush=True)
name = "import tempfile; print(tempfile.NamedTemporaryFile().name)"
subprocess.run([sys.executable, "-c", name], check=True)
"""
_KILLED = """
import os, signal
from node.runtime import temporary
temporary.keep_apart()
os.kill(os.getpid(), signal.SIGKILL)
"""
_VERB = """
from node.runtime.child import Child
from tests.unit.runtime.test_temporary import leave_file_and_hang
if __name__ == "__main__":
    Child(deadline_s=60).call(leave_file_and_hang)
"""


@pytest.fixture(autouse=True)
def system(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Give a folder with a short name that is the system's for this test and what it starts."""
    folder = Path(tempfile.mkdtemp(prefix="system-"))
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setenv("TMPDIR", str(folder))
    yield folder
    shutil.rmtree(folder)


def test_what_a_child_leaves_goes_when_it_is_stopped(system: Path) -> None:
    """As the code that TensorFlow generates: a child never ends by itself."""
    child = Child(deadline_s=20)
    left = Path(child.call(leave_file))
    assert left.is_relative_to(system)
    assert left.exists()
    child.stop()
    assert _names(system) == []


def test_what_a_child_leaves_goes_when_it_dies_or_misses_its_deadline(system: Path) -> None:
    """Whatever ends it; the next child has a folder of its own."""
    child = Child(deadline_s=3)
    with pytest.raises(ChildFailed, match="SIGKILL"):
        child.call(leave_file_and_die)
    assert _names(system) == []
    with pytest.raises(ChildFailed, match="longer"):
        child.call(leave_file_and_hang)
    assert _names(system) == []


def test_a_child_for_which_there_is_no_folder_shares_its_parents(system: Path) -> None:
    """It reads on; a job is not failed for want of a folder."""
    assert tempfile.gettempdir() == str(system)
    system.rmdir()
    child = Child(deadline_s=20)
    assert not Path(child.call(tempfile.gettempdir)).is_relative_to(system)
    child.stop()
    system.mkdir()


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL])
def test_a_child_whose_parent_is_ended_removes_its_folder_itself(system: Path, end: signal.Signals) -> None:
    """As of a verb that is ended from outside in the middle of a call."""
    with subprocess.Popen([sys.executable, "-c", _VERB]) as verb:
        wait_until(lambda: any(system.glob("child-*/tmp*")), _PATIENCE_S, "a file of the call")
        verb.send_signal(end)
    wait_until(lambda: not _names(system), _PATIENCE_S, "the end of the child's folder")


def test_a_node_and_what_it_starts_keep_to_a_folder_that_goes_when_it_ends(system: Path) -> None:
    """Sockets and files alike."""
    assert [path.parts[len(system.parts)][:10] for path in _of_node()] == ["pacs-node-"] * 2
    assert _names(system) == []


def test_what_a_killed_node_left_goes_at_the_next_start(system: Path) -> None:
    """All that is in its folder; of a link the link alone."""
    _kill_node()
    (left,) = system.iterdir()
    elsewhere = system / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "kept").touch()
    (left / "link").symlink_to(elsewhere)
    (left / "child-1").mkdir()
    (left / "child-1" / "left.py").touch()
    _of_node()
    assert _names(system) == ["elsewhere"]
    assert _names(elsewhere) == ["kept"]


def test_nothing_is_removed_that_is_not_surely_of_a_killed_node(system: Path) -> None:
    """A folder that no node made, one that is linked, one that is in use, and a file."""
    (system / "pacs-node-backup").mkdir()
    (system / "pacs-node-backup" / "kept").touch()
    _kill_node()
    (left,) = system.glob("pacs-node-????????")
    left.rename(system / "scratch")
    (system / "pacs-node-12345678").symlink_to(system / "scratch")
    (system / "pacs-node-file").touch()
    temporary.keep_apart()
    used = Path(tempfile.gettempdir())
    before = _names(system)
    _of_node()
    assert used.parent == system
    assert _names(system) == before
    assert len(before) == 5
    assert all(_names(system / name) for name in ("pacs-node-backup", "scratch", used.name))


def test_what_cannot_be_removed_keeps_nothing_else(system: Path) -> None:
    """One folder that is held and one entry that is busy: the rest goes."""
    for _ in range(4):
        _kill_node()
    held = next(system.iterdir())
    descriptor = temporary._lock(held)
    _of_node()
    assert _names(system) == [held.name]
    os.close(descriptor)


def test_where_no_folder_can_be_made_the_systems_is_used(system: Path) -> None:
    """A node on a full disk still starts, answers and delivers."""
    assert tempfile.gettempdir() == str(system)
    system.rmdir()
    temporary.keep_apart()
    assert tempfile.gettempdir() == str(system)
    system.mkdir()


def test_a_socket_is_named_in_a_folder_of_any_depth_that_the_system_takes(
    system: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It takes 107 bytes for the name of one: the node starts wherever it would without a folder of its own."""
    deep = system / ("d" * (74 - len(str(system))))
    deep.mkdir()
    monkeypatch.setenv("TMPDIR", str(deep))
    assert all(path.is_relative_to(deep) for path in _of_node())
    assert _names(deep) == []


def _of_node() -> list[Path]:
    """Return where a node that ends by itself has a socket, and a process that it starts a file."""
    done = subprocess.run([sys.executable, "-c", _NODE], check=True, capture_output=True, text=True)
    return [Path(line) for line in done.stdout.splitlines()]


def _kill_node() -> None:
    assert subprocess.run([sys.executable, "-c", _KILLED], check=False).returncode == -signal.SIGKILL


def _names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def leave_file() -> str:
    """Leave a temporary file behind; in a child."""
    with tempfile.NamedTemporaryFile(delete=False) as file:
        return file.name


def leave_file_and_die() -> None:
    """Leave one and be killed."""
    leave_file()
    os.kill(os.getpid(), signal.SIGKILL)


def leave_file_and_hang() -> None:
    """Leave one and never end."""
    leave_file()
    signal.pause()
