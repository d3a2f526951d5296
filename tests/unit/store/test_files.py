"""Files of instances: durable before they are named, never overwritten, never outside."""

import errno
import gc
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from node.domain.errors import OperatorError
from node.store.disk import files
from node.store.disk.files import InstanceFiles
from node.store.disk.part import PartFile

_LEAVES_A_PART = """
import os, sys
from pathlib import Path
from node.store.disk.files import InstanceFiles

InstanceFiles(Path(sys.argv[1])).open_part().write([b"never acknowledged"])
os._exit(9)
"""


@pytest.fixture
def kept_in(tmp_path: Path) -> InstanceFiles:
    """Return the files of a fresh data folder."""
    return InstanceFiles(tmp_path)


@pytest.fixture
def written(kept_in: InstanceFiles) -> Callable[..., PartFile]:
    """Return a function that writes a part file."""

    def write(data: bytes = b"x") -> PartFile:
        part = kept_in.open_part()
        part.write([data])
        return part

    return write


def _opened(descriptor: int) -> str:
    return str(Path(f"/proc/self/fd/{descriptor}").readlink())


def _descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def _descriptors_once_collected() -> int:
    """Return how many are open without those of earlier tests that the collector would close in the middle of this."""
    gc.collect()
    return _descriptors()


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


def _fails(code: int) -> Callable[..., int]:
    def fail(*_arguments: object) -> int:
        raise OSError(code, os.strerror(code))

    return fail


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS, errno.EIO])
@pytest.mark.parametrize("call", ["writev", "fsync", "rename"])
def test_whatever_fails_leaves_no_file_and_no_descriptor(
    kept_in: InstanceFiles, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, call: str, code: int
) -> None:
    """A full, read-only or broken disk: the error comes out as it is, and nothing stays behind."""
    before = _descriptors_once_collected()
    part = kept_in.open_part()
    monkeypatch.setattr(os, call, _fails(code))

    def store() -> None:
        part.write([b"x"])
        kept_in.keep(part, "1.2.3", "1.2.3.1")

    with pytest.raises(OSError, match=os.strerror(code)) as raised:
        store()

    assert raised.value.errno == code
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
    assert _descriptors() == before


def test_a_name_that_is_not_durable_is_taken_back(
    kept_in: InstanceFiles, written: Callable[..., PartFile], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Where the folder cannot be brought to the disk the file is gone under its new name, too."""
    kept_in.keep(written(), "1.2.3", "1.2.3.1")
    part = written()
    part.sync()
    monkeypatch.setattr(os, "fsync", _fails(errno.EIO))

    with pytest.raises(OSError, match=os.strerror(errno.EIO)):
        kept_in.keep(part, "1.2.3", "1.2.3.2")

    assert len(list(kept_in.kept())) == 1
    assert list((tmp_path / "incoming").iterdir()) == []


def test_short_writes_are_continued(kept_in: InstanceFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    """The system may take fewer bytes than it was given, also in the middle of a piece."""
    write = os.write
    monkeypatch.setattr(os, "writev", lambda descriptor, chunks: write(descriptor, b"".join(chunks)[:3]))
    part = kept_in.open_part()

    part.write([b"01", b"", memoryview(b"23456"), b"789"])

    assert Path(part.path).read_bytes() == b"0123456789"
    part.discard()


def test_more_pieces_than_the_system_takes_at_once_are_written(kept_in: InstanceFiles) -> None:
    """A peer may send an instance in pieces of a few bytes."""
    pieces = [bytes([number % 256]) for number in range(5000)]
    part = kept_in.open_part()

    part.write(pieces)

    assert Path(part.path).read_bytes() == b"".join(pieces)
    part.discard()


@pytest.mark.parametrize("data", [b"data", b"data" * 50_000])
def test_what_was_written_is_looked_at(kept_in: InstanceFiles, data: bytes) -> None:
    """Small or large, the view is read-only, holds all that was written before it, and is gone after its block."""
    part = kept_in.open_part()
    with part.view() as nothing:
        assert bytes(nothing) == b""
    part.write([b"meta", data])

    with part.view() as view:
        assert bytes(view[4:]) == data
        assert view.readonly

    with pytest.raises(ValueError, match="released"):
        view[0]
    part.discard()


def test_an_error_that_holds_a_piece_of_the_view_comes_out_as_it_is(kept_in: InstanceFiles) -> None:
    """And once it is gone no descriptor is held either."""
    before = _descriptors_once_collected()
    part = kept_in.open_part()
    part.write([b"meta"])

    def refuse() -> None:
        with part.view() as view:
            raise LookupError(view[1:3])

    with pytest.raises(LookupError) as raised:
        refuse()
    part.discard()
    del raised

    assert _descriptors() == before


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


def test_keeping_lets_go_of_the_descriptor(kept_in: InstanceFiles, written: Callable[..., PartFile]) -> None:
    """Also when it is then set aside."""
    before = _descriptors_once_collected()

    kept_in.set_aside(kept_in.keep(written(), "1.2.3", "1.2.3.1"))

    assert _descriptors() == before


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


def test_files_are_for_their_owner_alone(
    kept_in: InstanceFiles, written: Callable[..., PartFile], tmp_path: Path
) -> None:
    """They hold patients' images."""
    path = kept_in.path(kept_in.keep(written(), "1.2.3", "1.2.3.1"))

    assert path.stat().st_mode & 0o077 == 0
    assert (tmp_path / "instances").stat().st_mode & 0o077 == 0


def test_free_says_what_the_file_system_says(kept_in: InstanceFiles, tmp_path: Path) -> None:
    """Bytes for an unprivileged user, and inodes where the file system counts them."""
    status = os.statvfs(tmp_path)

    assert kept_in.free().bytes == pytest.approx(status.f_bavail * status.f_frsize, rel=0.05)
    assert kept_in.free().inodes > 0


def test_a_file_system_without_a_count_of_inodes_has_enough(
    kept_in: InstanceFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Btrfs reports none at all, which must not read as a full disk."""
    counted = list(os.statvfs("/"))
    counted[5] = counted[6] = counted[7] = 0
    monkeypatch.setattr(files.os, "statvfs", lambda _path: os.statvfs_result(counted))

    assert kept_in.free().inodes == sys.maxsize


def test_a_data_folder_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    """The error names the path, so that the one line an operator sees is enough."""
    (tmp_path / "file").write_text("not a folder")

    with pytest.raises(OSError, match="file"):
        InstanceFiles(tmp_path / "file")


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


def test_folders_on_several_file_systems_are_refused(tmp_path: Path) -> None:
    """A rename between them fails for every instance, so a node must not begin to receive there."""
    with tempfile.TemporaryDirectory(dir="/dev/shm") as elsewhere:
        (tmp_path / "instances").symlink_to(elsewhere)
        with pytest.raises(OperatorError, match="several file systems"):
            InstanceFiles(tmp_path)
