"""Files of instances: durable before they are named, never overwritten, never outside."""

import errno
import os
import sys
from pathlib import Path

import pytest

from node.store import files
from node.store.files import InstanceFiles


@pytest.fixture
def kept_in(tmp_path: Path) -> InstanceFiles:
    """Return the files of a fresh data folder."""
    return InstanceFiles(tmp_path)


def _opened(descriptor: int) -> str:
    return str(Path(f"/proc/self/fd/{descriptor}").readlink())


def test_a_kept_file_holds_the_bytes_that_were_written(kept_in: InstanceFiles) -> None:
    """Chunks are written one after the other, whatever kind of buffer they are."""
    stored = kept_in.write("1.2.3.1", "1.2.3", [b"meta", memoryview(b"data"), b""])

    path = kept_in.keep(stored)

    assert kept_in.path(path).read_bytes() == b"metadata"
    assert stored.size_bytes == 8


def test_the_order_is_write_sync_rename_sync_of_the_folder(
    kept_in: InstanceFiles, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The bytes are on the disk before the name, and the name before `keep` returns."""
    calls: list[str] = []
    sync, rename = os.fsync, Path.rename

    def seen_sync(descriptor: int) -> None:
        calls.append(f"fsync {_opened(descriptor).removeprefix(str(tmp_path))}")
        sync(descriptor)

    def seen_rename(source: Path, target: Path) -> Path:
        calls.append("rename")
        return rename(source, target)

    monkeypatch.setattr(os, "fsync", seen_sync)
    monkeypatch.setattr(Path, "rename", seen_rename)

    stored = kept_in.write("1.2.3.1", "1.2.3", [b"x"])
    path = Path(kept_in.keep(stored))

    study, spread = path.parent, path.parent.parent
    assert calls == [
        f"fsync /incoming/{stored.temporary.name}",
        "fsync ",  # the data folder, which names instances/
        "fsync /instances",
        f"fsync /{spread}",
        "rename",
        f"fsync /{study}",
    ]


def test_a_folder_that_someone_else_made_is_synced_before_it_is_relied_on(
    kept_in: InstanceFiles, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Another thread may have made the study's folder and not have synced its parent yet."""
    path = Path(kept_in.keep(kept_in.write("1.2.3.1", "1.2.3", [b"x"])))
    synced: list[str] = []
    monkeypatch.setattr(os, "fsync", lambda descriptor: synced.append(_opened(descriptor)))

    other = InstanceFiles(tmp_path)
    other.keep(other.write("1.2.3.2", "1.2.3", [b"y"]))

    assert str(tmp_path / path.parent.parent) in synced


def test_the_second_file_of_a_study_syncs_only_itself_and_its_folder(
    kept_in: InstanceFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is known to be durable is not synced again: each sync costs milliseconds."""
    kept_in.keep(kept_in.write("1.2.3.1", "1.2.3", [b"x"]))
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", synced.append)

    kept_in.keep(kept_in.write("1.2.3.2", "1.2.3", [b"y"]))

    assert len(synced) == 2


def test_two_files_of_one_uid_lie_side_by_side(kept_in: InstanceFiles) -> None:
    """Keeping never overwrites: both copies are there, under names of their own."""
    first = kept_in.keep(kept_in.write("1.2.3.1", "1.2.3", [b"first"]))
    second = kept_in.keep(kept_in.write("1.2.3.1", "1.2.3", [b"second"]))

    assert kept_in.path(first).read_bytes() == b"first"
    assert kept_in.path(second).read_bytes() == b"second"


@pytest.mark.parametrize("uid", ["../../etc/passwd", "/etc/passwd", "..", "1.2/../../3"])
def test_no_uid_leads_out_of_the_data_folder(kept_in: InstanceFiles, tmp_path: Path, uid: str) -> None:
    """Paths come from digests, so what a peer sends never becomes part of one."""
    path = kept_in.path(kept_in.keep(kept_in.write(uid, uid, [b"x"])))

    assert path.resolve().is_relative_to(tmp_path.resolve() / "instances")


@pytest.mark.parametrize("relative", ["../outside", "instances/../../outside", "/etc/passwd"])
def test_a_path_that_leads_out_is_refused(kept_in: InstanceFiles, relative: str) -> None:
    """A row that was tampered with opens nothing outside."""
    with pytest.raises(ValueError, match="not a path inside"):
        kept_in.path(relative)


def test_a_full_disk_leaves_no_partial_file(
    kept_in: InstanceFiles, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The error comes out as it is, and nothing stays behind."""

    def full(_descriptor: int, _chunk: memoryview) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "write", full)

    with pytest.raises(OSError, match="No space left") as raised:
        kept_in.write("1.2.3.1", "1.2.3", [b"x"])

    assert raised.value.errno == errno.ENOSPC
    assert list((tmp_path / "incoming").iterdir()) == []


def test_short_writes_are_continued(kept_in: InstanceFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    """The system may take fewer bytes than it was given."""
    write = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, chunk: write(descriptor, chunk[:3]))

    stored = kept_in.write("1.2.3.1", "1.2.3", [b"0123456789"])

    assert stored.temporary.read_bytes() == b"0123456789"


def test_a_discarded_file_is_gone(kept_in: InstanceFiles, tmp_path: Path) -> None:
    """Discarding twice is harmless."""
    stored = kept_in.write("1.2.3.1", "1.2.3", [b"x"])

    kept_in.discard(stored)
    kept_in.discard(stored)

    assert list((tmp_path / "incoming").iterdir()) == []


def test_a_quarantined_file_lies_apart_and_is_not_listed_as_kept(kept_in: InstanceFiles) -> None:
    """Quarantine is not part of the store that is compared with rows."""
    path = kept_in.quarantine(kept_in.write("1.2.3.1", "1.2.3", [b"x"]))

    assert path.startswith("quarantine/")
    assert kept_in.path(path).read_bytes() == b"x"
    assert list(kept_in.kept()) == []


def test_sweeping_removes_temporaries_and_nothing_else(kept_in: InstanceFiles, tmp_path: Path) -> None:
    """What a killed process left was never acknowledged; what was kept stays."""
    path = kept_in.keep(kept_in.write("1.2.3.1", "1.2.3", [b"x"]))
    kept_in.write("1.2.3.2", "1.2.3", [b"left over"])

    assert kept_in.sweep() == 1

    assert list((tmp_path / "incoming").iterdir()) == []
    assert list(kept_in.kept()) == [path]


def test_removing_a_kept_file_takes_it_out_of_the_store(kept_in: InstanceFiles) -> None:
    """A file whose row was not committed is taken back."""
    path = kept_in.keep(kept_in.write("1.2.3.1", "1.2.3", [b"x"]))

    kept_in.remove(path)

    assert list(kept_in.kept()) == []


def test_files_are_for_their_owner_alone(kept_in: InstanceFiles, tmp_path: Path) -> None:
    """They hold patients' images."""
    path = kept_in.path(kept_in.keep(kept_in.write("1.2.3.1", "1.2.3", [b"x"])))

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
