"""Files as memory maps: looked at without being loaded, and closed in every case."""

import mmap
import resource
import struct
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from node.dicom.encoding.mapped import mapped, same_bytes
from node.dicom.encoding.structure import check_structure
from node.dicom.encoding.transfer_syntax import NotParsable
from node.dicom.instance.header import inspect, pixel_bytes
from node.dicom.instance.part10 import NotPart10, opened_part10, preamble_and_meta, read_part10
from tests.unit.dicom.encoding.encoder import deflated
from tests.unit.dicom.raw import DEFLATED, EXPLICIT, JPEG_BASELINE, SMALL, UNDEFINED, explicit, implicit

_META = preamble_and_meta("1.2.840.10008.5.1.4.1.1.7", "1.2.3.4", EXPLICIT)
_TWO_GIGABYTES = (2 << 30) - 4096


def _is_mapped(path: Path) -> bool:
    return str(path) in Path("/proc/self/maps").read_text()


def _large(path: Path, before: bytes, after: bytes = b"", value_bytes: int = _TWO_GIGABYTES) -> Path:
    """Write a file with a value of zeros that takes up no room on the disk."""
    with path.open("wb") as file:
        file.write(before)
        file.seek(value_bytes, 1)
        file.write(after)
        file.truncate()
    return path


@contextmanager
def _small_memory(most_bytes: int) -> Iterator[None]:
    """Check that a block takes little memory, and touches few pages of what it has mapped."""
    tracemalloc.start()
    faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    yield
    touched = resource.getrusage(resource.RUSAGE_SELF).ru_minflt - faults
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak_bytes < most_bytes
    assert touched * mmap.PAGESIZE < 16 << 20


_LONG_VALUE = struct.pack("<HH2sHI", 0x7FE0, 0x0010, b"OW", 0, _TWO_GIGABYTES)
_LONG_FRAGMENT = (
    explicit(0x7FE00010, b"OB", b"", UNDEFINED) + implicit(0xFFFEE000, b"") + implicit(0xFFFEE000, b"", _TWO_GIGABYTES)
)


@pytest.mark.parametrize(
    ("pixels", "after", "syntax"),
    [(_LONG_VALUE, b"", EXPLICIT), (_LONG_FRAGMENT, implicit(0xFFFEE0DD, b""), JPEG_BASELINE)],
)
def test_two_gigabytes_are_walked_over_in_next_to_no_memory(
    tmp_path: Path, pixels: bytes, after: bytes, syntax: str
) -> None:
    """Only the pages that headers stand on are touched."""
    path = _large(tmp_path / "large.part", _META + SMALL + pixels, after + explicit(0xFFFCFFFC, b"OB", b""))
    with _small_memory(1 << 18), path.open("rb") as file, mapped(file, offset=len(_META)) as dataset:
        header = inspect(dataset, syntax)
    assert header.has_pixels
    assert not _is_mapped(path)


def test_more_than_four_gigabytes_are_refused(tmp_path: Path) -> None:
    """A length of so much is told from an undefined one nowhere in a dataset."""
    path = _large(tmp_path / "huge.part", SMALL + _LONG_VALUE, value_bytes=1 << 32)
    with pytest.raises(NotParsable, match="longer than 4 GiB"), path.open("rb") as file, mapped(file) as dataset:
        inspect(dataset, EXPLICIT)


def test_two_copies_of_two_gigabytes_are_taken_apart_in_next_to_no_memory(tmp_path: Path) -> None:
    """Their transfer syntax and where their pixels stand; the bytes are not touched."""
    held = _large(tmp_path / "held.dcm", _META + SMALL + _LONG_VALUE)
    with _small_memory(1 << 18), opened_part10(held) as one, opened_part10(held) as other:
        pixels = pixel_bytes(one.dataset, one.transfer_syntax_uid), pixel_bytes(other.dataset, EXPLICIT)
        assert [len(each) for each in pixels] == [_TWO_GIGABYTES] * 2
        del pixels
    assert not _is_mapped(held)


def test_copies_are_compared_in_pieces(tmp_path: Path) -> None:
    """Sixty megabytes, of which a few are held at a time; one byte at the very end makes the difference."""
    value = struct.pack("<HH2sHI", 0x7FE0, 0x0010, b"OW", 0, 60 << 20)
    paths = [
        _large(tmp_path / name, _META + SMALL + value, end, value_bytes=(60 << 20) - 2)
        for name, end in (("a", b"ab"), ("b", b"ab"), ("c", b"ac"))
    ]
    tracemalloc.start()
    with opened_part10(paths[0]) as a, opened_part10(paths[1]) as b, opened_part10(paths[2]) as c:
        assert same_bytes(a.dataset, b.dataset)
        assert same_bytes(pixel_bytes(a.dataset, EXPLICIT), pixel_bytes(b.dataset, EXPLICIT))
        assert not same_bytes(pixel_bytes(a.dataset, EXPLICIT), pixel_bytes(c.dataset, EXPLICIT))
        assert not same_bytes(a.dataset, b.dataset[:-1])
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak_bytes < 4 << 20
    assert not any(map(_is_mapped, paths))


def test_nothing_is_the_same_as_nothing() -> None:
    """Two copies without pixels."""
    assert same_bytes(memoryview(b""), memoryview(b""))


def test_an_opened_file_says_what_a_read_one_says(tmp_path: Path) -> None:
    """With its meta information and without it, plain and deflated."""
    for before, dataset, syntax in (
        (_META, SMALL, EXPLICIT),
        (b"", SMALL, EXPLICIT),
        (preamble_and_meta("1.2", "1.2.3", DEFLATED), deflated(SMALL), DEFLATED),
    ):
        path = tmp_path / "file.dcm"
        path.write_bytes(before + dataset)
        with opened_part10(path) as opened:
            assert (opened.transfer_syntax_uid, bytes(opened.dataset)) == (syntax, dataset)
            assert inspect(opened.dataset, opened.transfer_syntax_uid).patient_name == "Doe^Jane"
        assert read_part10(path).dataset == dataset
        assert not _is_mapped(path)


@pytest.mark.parametrize("data", [b"", SMALL[:-5], _META[:150], bytes(128) + b"DICM"])
def test_a_file_that_is_none_is_closed_again(tmp_path: Path, data: bytes) -> None:
    """Even while the error is looked at."""
    path = tmp_path / "file.dcm"
    path.write_bytes(data)
    with pytest.raises(NotPart10) as refusal, opened_part10(path):
        pytest.fail("it was opened")
    assert not _is_mapped(path), refusal.traceback


@pytest.mark.parametrize(
    ("dataset", "syntax"),
    [(SMALL[:-1], EXPLICIT), (b"\xff" * 99, EXPLICIT), (b"x", DEFLATED), (deflated(SMALL[:-1]), DEFLATED)],
)
def test_a_refused_dataset_is_held_by_nobody(tmp_path: Path, dataset: bytes, syntax: str) -> None:
    """A map of our own can be closed at once, while the error is looked at, because no view of it is left."""
    path = tmp_path / "refused.part"
    path.write_bytes(dataset)
    with path.open("rb") as file:
        whole = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    with pytest.raises(NotParsable) as refusal:
        inspect(whole, syntax)
    whole.close()
    assert not _is_mapped(path), refusal.traceback


def test_a_closed_structure_keeps_its_values_and_lets_go_of_the_map(tmp_path: Path) -> None:
    """In a block, by hand, and twice."""
    path = tmp_path / "whole.part"
    path.write_bytes(SMALL)
    with path.open("rb") as file:
        whole = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    with check_structure(whole, EXPLICIT) as structure:
        assert structure.values[0x00100010] == b"Doe^Jane"
    structure.close()
    whole.close()
    assert structure.values[0x00100010] == b"Doe^Jane"


def test_a_view_that_somebody_still_holds_keeps_the_map(tmp_path: Path) -> None:
    """It can be read after the block, and then the map is gone with it."""
    path = tmp_path / "file"
    path.write_bytes(b"some bytes")
    with path.open("rb") as file, mapped(file.fileno()) as view:
        held = view[5:]
    assert held == b"bytes"
    del held
    assert not _is_mapped(path)


def test_an_empty_file_is_an_empty_view(tmp_path: Path) -> None:
    """It cannot be mapped, and is no error."""
    path = tmp_path / "empty"
    path.touch()
    with path.open("rb") as file, mapped(file) as view:
        assert view == b""
    with pytest.raises(NotParsable, match="empty"), path.open("rb") as file, mapped(file) as view:
        inspect(view, EXPLICIT)
