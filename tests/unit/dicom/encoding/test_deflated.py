"""Deflated datasets: inflated in pieces, into a scratch file that is gone afterwards."""

import tempfile
import zlib
from pathlib import Path
from typing import BinaryIO

import pytest

from node.dicom.encoding.mapped import inflated
from node.dicom.encoding.structure import check_structure
from node.dicom.encoding.transfer_syntax import InflatesTooLarge, NotParsable, inflate, inflated_pieces
from node.dicom.instance.header import inspect, pixel_bytes
from tests.unit.dicom.encoding.encoder import deflated
from tests.unit.dicom.raw import DEFLATED, EXPLICIT, SMALL, explicit

_IMAGE = SMALL + explicit(0x7FE00010, b"OW", b"pixels")


class _Scratches:
    """Opens scratch files in a folder, and remembers them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.files: list[BinaryIO] = []

    def __call__(self) -> BinaryIO:
        """Open one."""
        self.files.append(tempfile.TemporaryFile(dir=self._folder))  # noqa: SIM115 - whoever asks for it closes it
        return self.files[-1]

    @property
    def are_gone(self) -> bool:
        """Whether each is closed, none is mapped and none is left in the folder."""
        maps = Path("/proc/self/maps")
        mapped = maps.exists() and str(self._folder) in maps.read_text()
        return all(file.closed for file in self.files) and not mapped and not list(self._folder.iterdir())


@pytest.fixture
def scratch(tmp_path: Path) -> _Scratches:
    """Return what opens scratch files in the test's folder."""
    return _Scratches(tmp_path)


@pytest.mark.parametrize(
    "trailer", [b"", b"\0", bytes(1000), zlib.crc32(SMALL).to_bytes(4, "little") + len(SMALL).to_bytes(4, "little")]
)
def test_a_deflated_dataset_is_walked_inflated(trailer: bytes, scratch: _Scratches) -> None:
    """Padding and gzip's trailer after the stream are let in."""
    with check_structure(deflated(SMALL) + trailer, DEFLATED, scratch) as structure:
        assert bytes(structure.dataset) == SMALL
    assert len(scratch.files) == 1
    assert scratch.are_gone
    assert structure.values[0x00100010] == b"Doe^Jane"


def test_a_dataset_that_is_not_deflated_needs_no_scratch_file(scratch: _Scratches) -> None:
    """None is opened."""
    check_structure(SMALL, EXPLICIT, scratch).close()
    assert not scratch.files


@pytest.mark.parametrize(
    "damaged",
    [
        deflated(SMALL)[:-3],
        deflated(SMALL) + b"what is this",
        deflated(SMALL) + bytes(1 << 17),
        deflated(SMALL) + bytes(1 << 17) + b"x",
        deflated(SMALL[:-1]),
        deflated(b""),
        b"\x07 not a stream",
        b"",
    ],
)
def test_a_damaged_deflate_stream_is_refused(damaged: bytes, scratch: _Scratches) -> None:
    """Truncated, followed by something else, inflating to half a dataset, or nothing; the scratch file is gone."""
    with pytest.raises(NotParsable) as refusal:
        check_structure(damaged, DEFLATED, scratch)
    assert scratch.are_gone, refusal.traceback


def test_a_deflate_bomb_is_stopped_at_the_cap(scratch: _Scratches) -> None:
    """It is inflated in pieces, and no further than one piece past the cap, in memory or in a scratch file."""
    bomb, cap = deflated(bytes(64 << 20)), 4 << 20
    with pytest.raises(InflatesTooLarge):
        inflate(bomb, maximum_bytes=cap)
    with pytest.raises(InflatesTooLarge), inflated(bomb, scratch, cap):
        pytest.fail("it was let in")
    assert scratch.are_gone
    assert max(map(len, inflated_pieces(deflated(bytes(cap)), cap))) <= 1 << 20


def test_a_stream_longer_than_what_it_may_inflate_to_is_not_looked_at(scratch: _Scratches) -> None:
    """Millions of empty blocks inflate to nothing, and would be inflated for ever."""
    empty_blocks = b"\0\0\0\xff\xff" * 1000
    with pytest.raises(InflatesTooLarge), inflated(empty_blocks, scratch, 4000):
        pytest.fail("it was let in")
    with pytest.raises(NotParsable, match="truncated"):
        inflate(empty_blocks)


def test_what_inflates_to_many_pieces_comes_out_whole(scratch: _Scratches) -> None:
    """Input and output both end in the middle of a piece."""
    pixels = b"".join(number.to_bytes(4, "little") for number in range(700_000))
    dataset = SMALL + explicit(0x7FE00010, b"OW", pixels)
    with check_structure(deflated(dataset), DEFLATED, scratch) as structure:
        assert structure.dataset == dataset
    assert inflate(deflated(dataset)) == dataset


def test_a_full_disk_is_told_as_such(tmp_path: Path) -> None:
    """It is no fault of the dataset."""
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("this system has no /dev/full")
    with pytest.raises(OSError, match="No space left"):
        inspect(deflated(SMALL + bytes(1 << 20)), DEFLATED, lambda: full.open("r+b", buffering=0))


def test_a_header_is_read_and_the_scratch_file_is_gone(scratch: _Scratches) -> None:
    """Nobody has to close anything."""
    assert inspect(deflated(_IMAGE), DEFLATED, scratch).has_pixels
    assert scratch.are_gone


def test_inflated_pixels_live_as_long_as_they_are_looked_at(scratch: _Scratches) -> None:
    """The map goes with the view."""
    pixels = pixel_bytes(deflated(_IMAGE), DEFLATED, scratch)
    assert pixels == b"pixels"
    del pixels
    assert scratch.are_gone
