"""One node for one data folder, after the receiving processes of the one before it."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from node.domain.errors import OperatorError
from node.store.disk.folder_lock import DataFolderLock, receiving, wait_for_receivers

_HOLD = """
import sys, pathlib
from node.store.disk.folder_lock import DataFolderLock
lock = DataFolderLock(pathlib.Path(sys.argv[1]))
lock.acquire()
print("held", flush=True)
sys.stdin.read()
"""


def _holder(folder: Path) -> subprocess.Popen[str]:
    holder = subprocess.Popen(
        [sys.executable, "-c", _HOLD, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    return holder


def test_a_second_node_is_told_which_folder_and_which_process(tmp_path: Path) -> None:
    """The message names the folder, the holder and the way out."""
    holder = _holder(tmp_path)
    try:
        with pytest.raises(OperatorError) as raised:
            DataFolderLock(tmp_path).acquire()
    finally:
        holder.communicate()

    assert str(tmp_path) in str(raised.value)
    assert f"process {holder.pid}" in str(raised.value)
    assert "data_dir" in str(raised.value)


def test_a_killed_node_leaves_no_lock(tmp_path: Path) -> None:
    """The system lets go of it, so a restart needs no hand."""
    holder = _holder(tmp_path)
    os.kill(holder.pid, signal.SIGKILL)
    holder.communicate()

    with DataFolderLock(tmp_path):
        assert (tmp_path / "node.lock").read_text(encoding="ascii").strip() == str(os.getpid())


def test_a_released_lock_can_be_taken_again(tmp_path: Path) -> None:
    """Also by the same process, and releasing twice is harmless."""
    lock = DataFolderLock(tmp_path)
    lock.acquire()
    lock.release()
    lock.release()

    with lock:
        assert (tmp_path / "node.lock").read_text() == f"{os.getpid()}\n"


def test_a_missing_folder_is_made_for_its_owner_alone(tmp_path: Path) -> None:
    """The first start needs no preparation."""
    with DataFolderLock(tmp_path / "var" / "node"):
        assert (tmp_path / "var" / "node").stat().st_mode & 0o077 == 0


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    """One line with the folder and the way out."""
    (tmp_path / "file").write_text("not a folder")

    with pytest.raises(OperatorError, match=r"file cannot be written .* data_dir"):
        DataFolderLock(tmp_path / "file").acquire()


def test_a_full_disk_is_told_with_the_folder_and_the_way_out(tmp_path: Path) -> None:
    """At the first start, where the lock has no room of its own yet; nothing stays held."""
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("this system has no /dev/full")
    (tmp_path / "node.lock").symlink_to(full)
    said = rf"^the data folder {tmp_path} cannot be written \(No space left on device\): free space there, or set "
    for _ in range(2):
        with pytest.raises(OperatorError, match=said):
            DataFolderLock(tmp_path).acquire()


def test_a_later_start_writes_into_the_room_that_its_lock_has(tmp_path: Path) -> None:
    """What could not be written has taken nothing away: the file is shortened only once its new content is there."""
    (tmp_path / "node.lock").write_text("1\n{}\n", encoding="ascii")
    program = f"import resource\nresource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))\n{_HOLD}"
    done = subprocess.run([sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True, check=False)
    assert f"OperatorError: the data folder {tmp_path} cannot be written" in done.stderr
    assert (tmp_path / "node.lock").read_text(encoding="ascii") == "1\n{}\n"
    with DataFolderLock(tmp_path):
        assert (tmp_path / "node.lock").read_text(encoding="ascii") == f"{os.getpid()}\n"


def test_several_processes_receive_and_the_next_node_waits_for_all_of_them(tmp_path: Path) -> None:
    """What they are about to record would look to it like files without rows."""
    with receiving(tmp_path):
        with receiving(tmp_path), pytest.raises(OperatorError, match=rf"still works on the data folder {tmp_path}"):
            wait_for_receivers(tmp_path, 0)
        next_node = threading.Thread(target=wait_for_receivers, args=(tmp_path, 20))
        next_node.start()
    next_node.join(10)
    assert not next_node.is_alive()
    wait_for_receivers(tmp_path, 0)


def test_a_receiving_process_may_begin_after_a_node_has_waited(tmp_path: Path) -> None:
    """The node that waits holds nothing afterwards."""
    with DataFolderLock(tmp_path):
        wait_for_receivers(tmp_path, 0)
        with receiving(tmp_path):
            pass
