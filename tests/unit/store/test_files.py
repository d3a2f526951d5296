"""Files of instances: durable before they are named, never overwritten, never outside."""

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from node.store.disk.files import InstanceFiles
from node.store.disk.part import PartFile

_LEAVES_A_PART = """
import os, sys
from pathlib import Path
from node.store.disk.files import InstanceFiles

InstanceFiles(Path(sys.argv[1])).open_part().write([b"never acknowledged"])
os._exit(9)
"""


def _opened(descriptor: int) -> str:
    return str(Path(f"/proc/self/fd/{descriptor}").readlink())


def test_a_kept_file_holds_the_bytes_that_were_written(kept_in: InstanceFiles) -> None:
    """Chunks are written one after the other, whatever kind of buffer they are."""
    part = kept_in.open_part()
    part.write([b"meta", memoryview(b"data"), b""])
    part.write([b"!"])

    path = kept_in.keep(part, "1.2.3", "1.2.3.1")

    assert kept_in.path(path).read_bytes() == b"metadata!"
    assert part.size_bytes == 9


def test_the_order_is_write_sync_rename_sync_of_the_folder(
    kept_in: InstanceFiles, written: Callable[..., PartFile], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The bytes are on the disk before the name, and the name before `keep` returns."""
    calls: list[str] = []
    sync, rename = os.fsync, os.rename

    def seen_sync(descriptor: int) -> None:
        calls.append(f"fsync {_opened(descriptor).removeprefix(str(tmp_path))}")
        sync(descriptor)

    def seen_rename(source: str, target: str) -> None:
        calls.append("rename")
        rename(source, target)

    monkeypatch.setattr(os, "fsync", seen_sync)
    monkeypatch.setattr(os, "rename", seen_rename)

    part = written()
    temporary = Path(part.path).name
    path = Path(kept_in.keep(part, "1.2.3", "1.2.3.1"))

    study, spread = path.parent, path.parent.parent
    assert calls == [
        f"fsync /incoming/{temporary}",
        "fsync ",  # the data folder, which names instances/
        "fsync /instances",
        f"fsync /{spread}",
        "rename",
        f"fsync /{study}",
    ]


def test_a_new_data_folder_is_on_the_disk_with_what_names_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise a power cut after the first start could take the whole folder along, and all that was acknowledged."""
    synced: list[str] = []
    monkeypatch.setattr(os, "fsync", lambda descriptor: synced.append(_opened(descriptor)))

    InstanceFiles(tmp_path / "var")

    assert synced == [str(tmp_path / "var"), str(tmp_path)]


def test_a_folder_that_someone_else_made_is_synced_before_it_is_relied_on(
    kept_in: InstanceFiles, written: Callable[..., PartFile], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Another thread may have made the study's folder and not have synced its parent yet."""
    path = Path(kept_in.keep(written(), "1.2.3", "1.2.3.1"))
    synced: list[str] = []
    monkeypatch.setattr(os, "fsync", lambda descriptor: synced.append(_opened(descriptor)))

    InstanceFiles(tmp_path).keep(written(), "1.2.3", "1.2.3.2")

    assert str(tmp_path / path.parent.parent) in synced


def test_the_second_file_of_a_study_syncs_only_itself_and_its_folder(
    kept_in: InstanceFiles, written: Callable[..., PartFile], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is known to be durable is neither made nor synced again: each sync costs milliseconds."""
    kept_in.keep(written(), "1.2.3", "1.2.3.1")
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", synced.append)
    monkeypatch.setattr(Path, "mkdir", None)

    kept_in.keep(written(), "1.2.3", "1.2.3.2")

    assert len(synced) == 2


def test_what_is_synced_already_is_not_synced_again(
    written: Callable[..., PartFile], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Until more is written."""
    part = written()
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", synced.append)

    part.sync()
    part.sync()
    part.write([b"more"])
    part.sync()

    assert len(synced) == 2
    part.discard()


def test_the_folder_of_a_study_that_was_deleted_is_made_again(
    kept_in: InstanceFiles, written: Callable[..., PartFile]
) -> None:
    """What was known to be there may be gone when the next instance of the study comes."""
    first = kept_in.path(kept_in.keep(written(), "1.2.3", "1.2.3.1"))
    first.unlink()
    first.parent.rmdir()

    path = kept_in.keep(written(b"second"), "1.2.3", "1.2.3.2")

    assert kept_in.path(path).read_bytes() == b"second"


def test_two_files_of_one_uid_lie_side_by_side(kept_in: InstanceFiles, written: Callable[..., PartFile]) -> None:
    """Keeping never overwrites: both copies are there, under names of their own."""
    first = kept_in.keep(written(b"first"), "1.2.3", "1.2.3.1")
    second = kept_in.keep(written(b"second"), "1.2.3", "1.2.3.1")

    assert kept_in.path(first).read_bytes() == b"first"
    assert kept_in.path(second).read_bytes() == b"second"


@pytest.mark.parametrize("uid", ["../../etc/passwd", "/etc/passwd", "..", "1.2/../../3"])
def test_no_uid_leads_out_of_the_data_folder(
    kept_in: InstanceFiles, written: Callable[..., PartFile], tmp_path: Path, uid: str
) -> None:
    """Paths come from digests, so what a peer sends never becomes part of one."""
    path = kept_in.path(kept_in.keep(written(), uid, uid))

    assert path.resolve().is_relative_to(tmp_path.resolve() / "instances")


@pytest.mark.parametrize("relative", ["../outside", "instances/../../outside", "/etc/passwd"])
def test_a_path_that_leads_out_is_refused(kept_in: InstanceFiles, relative: str) -> None:
    """A row that was tampered with opens nothing outside."""
    with pytest.raises(ValueError, match="not a path inside"):
        kept_in.path(relative)


def test_a_discarded_file_is_gone(written: Callable[..., PartFile], tmp_path: Path) -> None:
    """Discarding twice is harmless, and so is closing before."""
    part = written()
    part.close()

    part.discard()
    part.discard()

    assert list((tmp_path / "incoming").iterdir()) == []


def test_discarding_what_was_kept_touches_nothing(kept_in: InstanceFiles, written: Callable[..., PartFile]) -> None:
    """So whoever cleans up need not know how far it came."""
    part = written()
    path = kept_in.keep(part, "1.2.3", "1.2.3.1")

    part.discard()

    assert kept_in.path(path).read_bytes() == b"x"


def test_a_scratch_file_leaves_no_name(kept_in: InstanceFiles, tmp_path: Path) -> None:
    """What is written there is read back, and nobody else ever sees it."""
    with kept_in.open_scratch() as scratch:
        scratch.write(b"inflated")
        scratch.seek(0)

        assert scratch.read() == b"inflated"
        assert list((tmp_path / "incoming").iterdir()) == []


def test_a_kept_file_is_set_aside_into_the_quarantine(kept_in: InstanceFiles, written: Callable[..., PartFile]) -> None:
    """Its path there is what a row may name; the quarantine is not part of what is compared with rows."""
    aside = kept_in.set_aside(kept_in.keep(written(), "1.2.3", "1.2.3.1"))

    assert aside.startswith("quarantine/")
    assert kept_in.path(aside).read_bytes() == b"x"
    assert list(kept_in.kept()) == []


def test_sweeping_removes_what_a_killed_process_left_and_nothing_else(
    kept_in: InstanceFiles, written: Callable[..., PartFile], tmp_path: Path
) -> None:
    """Its temporary was never acknowledged; what was kept stays, and what a living process writes stays, too."""
    path = kept_in.keep(written(), "1.2.3", "1.2.3.1")
    subprocess.run([sys.executable, "-c", _LEAVES_A_PART, str(tmp_path)], check=False)
    living = written()

    assert kept_in.sweep() == 1

    assert [str(left) for left in (tmp_path / "incoming").iterdir()] == [living.path]
    assert list(kept_in.kept()) == [path]
    living.discard()


def test_what_cannot_be_swept_holds_up_no_start(kept_in: InstanceFiles, tmp_path: Path) -> None:
    """It lies there until it can be removed, and whatever else was left goes."""
    (tmp_path / "incoming" / "foreign.part").mkdir()
    (tmp_path / "incoming" / "left.part").touch()

    assert kept_in.sweep() == 1

    assert [left.name for left in (tmp_path / "incoming").iterdir()] == ["foreign.part"]


def test_kept_files_come_in_the_order_of_their_paths(
    kept_in: InstanceFiles, written: Callable[..., PartFile], tmp_path: Path
) -> None:
    """Also where somebody else has put folders and files beside ours: they are compared with rows in that order."""
    for number in range(40):
        kept_in.keep(written(), f"1.2.{number % 7}", f"1.2.3.{number}")
    shard = next((tmp_path / "instances").iterdir())
    for folder in (f"{shard.name}.old/copy", f"{shard.name}-1/copy", f"{shard.name}/.x", f"{shard.name}/-"):
        (tmp_path / "instances" / folder).mkdir(parents=True)
        (tmp_path / "instances" / folder / "a.dcm").touch()
    (tmp_path / "instances" / "note.txt").touch()

    kept = list(kept_in.kept())

    assert len(kept) == 44
    assert kept == sorted(kept)


def test_removing_a_kept_file_takes_it_out_of_the_store(
    kept_in: InstanceFiles, written: Callable[..., PartFile]
) -> None:
    """A file whose row was not committed is taken back."""
    path = kept_in.keep(written(), "1.2.3", "1.2.3.1")

    kept_in.remove(path)

    assert list(kept_in.kept()) == []


def test_a_sweep_never_takes_a_file_that_has_just_been_opened(tmp_path: Path) -> None:
    """Other receiving processes open files while the first one sweeps what a dead one left."""
    writing, sweeping = InstanceFiles(tmp_path), InstanceFiles(tmp_path)
    is_over, began = threading.Event(), threading.Event()

    def sweep() -> None:
        while not is_over.is_set():
            sweeping.sweep()
            began.set()

    sweeper = threading.Thread(target=sweep)
    sweeper.start()
    try:
        assert began.wait(10)
        for number in range(1000):
            part = writing.open_part()
            part.write([b"whole"])
            assert Path(part.path).read_bytes() == b"whole", number
            part.discard()
    finally:
        is_over.set()
        sweeper.join()
