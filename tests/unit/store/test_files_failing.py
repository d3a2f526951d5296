"""What fails while a file is written leaves no file and no descriptor, and says why."""

import errno
import os
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from node.domain.errors import OperatorError
from node.store.disk import files
from node.store.disk.files import InstanceFiles
from node.store.disk.part import PartFile
from tests.support.nodes.footprint import descriptors_here


def _fails(code: int) -> Callable[..., int]:
    def fail(*_arguments: object) -> int:
        raise OSError(code, os.strerror(code))

    return fail


def test_a_disk_without_room_for_its_folders_is_refused_in_a_sentence(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """At a first start, whose lock found room."""
    monkeypatch.setattr(os, "mkdir", _fails(errno.ENOSPC))
    with pytest.raises(OperatorError, match=rf"data folder {tmp_path} cannot be written \(No space .*: free space "):
        InstanceFiles(tmp_path)


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS, errno.EIO])
@pytest.mark.parametrize("call", ["writev", "fsync", "rename"])
def test_whatever_fails_leaves_no_file_and_no_descriptor(
    kept_in: InstanceFiles, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, call: str, code: int
) -> None:
    """A full, read-only or broken disk: the error comes out as it is, and nothing stays behind."""
    before = descriptors_here()
    part = kept_in.open_part()
    monkeypatch.setattr(os, call, _fails(code))

    def store() -> None:
        part.write([b"x"])
        kept_in.keep(part, "1.2.3", "1.2.3.1")

    with pytest.raises(OSError, match=os.strerror(code)) as raised:
        store()

    assert raised.value.errno == code
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
    assert descriptors_here() - before == Counter()


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
    before = descriptors_here()
    part = kept_in.open_part()
    part.write([b"meta"])

    def refuse() -> None:
        with part.view() as view:
            raise LookupError(view[1:3])

    with pytest.raises(LookupError) as raised:
        refuse()
    part.discard()
    del raised

    assert descriptors_here() - before == Counter()


def test_keeping_lets_go_of_the_descriptor(kept_in: InstanceFiles, written: Callable[..., PartFile]) -> None:
    """Also when it is then set aside."""
    before = descriptors_here()

    kept_in.set_aside(kept_in.keep(written(), "1.2.3", "1.2.3.1"))

    assert descriptors_here() - before == Counter()


def test_files_are_for_their_owner_alone(
    kept_in: InstanceFiles, written: Callable[..., PartFile], tmp_path: Path
) -> None:
    """They hold patients' images."""
    path = kept_in.path(kept_in.keep(written(), "1.2.3", "1.2.3.1"))

    assert path.stat().st_mode & 0o077 == 0
    assert (tmp_path / "instances").stat().st_mode & 0o077 == 0


def test_free_says_what_the_file_system_says(
    kept_in: InstanceFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bytes for an unprivileged user, and inodes where the file system counts them."""
    asked, status = [], os.statvfs(tmp_path)
    monkeypatch.setattr(files.os, "statvfs", lambda path: (asked.append(path), status)[1])

    assert kept_in.free().bytes == status.f_bavail * status.f_frsize
    assert kept_in.free().inodes > 0
    assert set(map(str, asked)) == {str(tmp_path)}


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

    with pytest.raises(OperatorError, match=f"data folder {tmp_path / 'file'} cannot be written"):
        InstanceFiles(tmp_path / "file")


def test_folders_on_several_file_systems_are_refused(tmp_path: Path) -> None:
    """A rename between them fails for every instance, so a node must not begin to receive there."""
    with tempfile.TemporaryDirectory(dir="/dev/shm") as elsewhere:
        (tmp_path / "instances").symlink_to(elsewhere)
        with pytest.raises(OperatorError, match="several file systems"):
            InstanceFiles(tmp_path)
