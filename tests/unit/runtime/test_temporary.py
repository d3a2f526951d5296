"""Temporary files in a folder of the node's own: they go with the child that left them, or with the next start."""

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from node.runtime import temporary
from node.runtime.child import Child, ChildFailed

_SOCKET_AND_FILE = """
import subprocess, sys
from multiprocessing.connection import Client, Listener
from pathlib import Path
from node.runtime import temporary
temporary.keep_in(Path(sys.argv[1]))
with Listener(family="AF_UNIX") as listener:
    Client(listener.address).close()
    print(Path(listener.address).resolve(), flush=True)
name = "import tempfile; print(tempfile.NamedTemporaryFile().name)"
subprocess.run([sys.executable, "-c", name], check=True)
"""


@pytest.fixture(autouse=True)
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let this process put its temporary files into a folder of this test, until its end."""
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    folder = tmp_path / "temporary"
    temporary.keep_in(folder)
    return folder


def test_what_a_child_leaves_goes_when_it_is_stopped(own: Path) -> None:
    """As the code that TensorFlow generates: a child never ends by itself."""
    child = Child(deadline_s=20)
    left = Path(child.call(_leave_file))
    assert left.is_relative_to(own)
    assert left.exists()
    child.stop()
    assert _names(own) == []


def test_what_a_child_leaves_goes_when_it_dies_or_misses_its_deadline(own: Path) -> None:
    """Whatever ends it; the next child has a folder of its own."""
    child = Child(deadline_s=3)
    with pytest.raises(ChildFailed, match="SIGKILL"):
        child.call(_leave_file_and_die)
    assert _names(own) == []
    with pytest.raises(ChildFailed, match="longer"):
        child.call(_leave_file_and_hang)
    assert _names(own) == []


def test_what_a_killed_node_left_goes_at_the_next_start(own: Path, tmp_path: Path) -> None:
    """Folders, sockets and files; a link goes alone."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "kept").touch()
    (own / "link").symlink_to(elsewhere)
    (own / "child-1").mkdir()
    (own / "child-1" / "left.py").touch()
    (own / "file").touch()
    temporary.keep_in(own)
    assert _names(own) == []
    assert (elsewhere / "kept").exists()


def test_where_the_own_folder_cannot_be_made_the_systems_is_used(tmp_path: Path) -> None:
    """A node on a full disk still starts, answers and delivers."""
    (tmp_path / "file").touch()
    temporary.keep_in(tmp_path / "file" / "temporary")
    assert not Path(tempfile.gettempdir()).is_relative_to(tmp_path)
    assert Path(tempfile.gettempdir()).is_dir()


def test_a_child_for_which_there_is_no_folder_shares_its_parents(own: Path) -> None:
    """It reads on; a job is not failed for want of a folder."""
    own.rmdir()
    child = Child(deadline_s=20)
    assert not Path(child.call(tempfile.gettempdir)).is_relative_to(own)
    child.stop()


def test_a_socket_is_named_in_a_folder_of_any_depth(tmp_path: Path) -> None:
    """The system takes 107 bytes for the name of one; the server that forks names its own in the folder."""
    deep = tmp_path / ("d" * 120) / "temporary"
    deep.parent.mkdir()
    command = [sys.executable, "-c", _SOCKET_AND_FILE, str(deep)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert [Path(line).is_relative_to(deep) for line in done.stdout.splitlines()] == [True, True]


def _names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def _leave_file() -> str:
    with tempfile.NamedTemporaryFile(delete=False) as file:
        return file.name


def _leave_file_and_die() -> None:
    _leave_file()
    os.kill(os.getpid(), signal.SIGKILL)


def _leave_file_and_hang() -> None:
    _leave_file()
    signal.pause()
