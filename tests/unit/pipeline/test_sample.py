"""Samples of images from files: what is none is skipped by its name and never ends the sample."""

import struct
import zlib
from pathlib import Path

import cv2
import numpy as np

from node.pipeline.registry.sample import MAXIMUM_PICTURE_BYTES, Sample


def _claiming_png(rows: int, columns: int) -> bytes:
    """Return a PNG whose header claims a size, and that has hardly any pixels."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", columns, rows, 8, 0, 0, 0, 0)
    pixels = zlib.compress(bytes(1000))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def test_a_picture_that_claims_too_many_pixels_is_skipped_by_its_name(tmp_path: Path) -> None:
    """The others of the folder are read."""
    (tmp_path / "huge.png").write_bytes(_claiming_png(70_000, 70_000))
    cv2.imwrite(str(tmp_path / "small.png"), np.arange(6, dtype=np.uint8).reshape(2, 3))
    sample = Sample(tmp_path)
    (image,) = sample
    assert image.values.tolist() == [[0, 1, 2], [3, 4, 5]]
    assert sample.skipped == {"pictures that cannot be decoded, such as huge.png": 1}


def test_a_large_file_that_is_no_dicom_is_not_read(tmp_path: Path) -> None:
    """It is told by its size."""
    with (tmp_path / "large.bin").open("wb") as stream:
        stream.truncate(MAXIMUM_PICTURE_BYTES + 1)
    sample = Sample(tmp_path)
    assert [*sample] == []
    assert sample.skipped == {"no image": 1}
