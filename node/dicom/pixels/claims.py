"""What a header claims of its pixels, held against what is there, before anything is decoded.

Sizes are computed from the header and compared with what each compressed frame claims of itself. RLE alone has frames
that claim nothing. It knows no decoder.

References
----------
DICOM PS3.3 C.7.6.3 (Image Pixel), PS3.5 A.4 (encapsulation)
"""

from typing import Any

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset
from pydicom.encaps import generate_frames
from pydicom.uid import (
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    JPEGLSNearLossless,
    RLELossless,
)

from node.dicom.pixels.codestream import Codestream, FrameSize, codestream_of

_PIXEL_KEYWORDS = ("PixelData", "FloatPixelData", "DoubleFloatPixelData")
_FAMILIES = {
    JPEGBaseline8Bit: "JPEG",
    JPEGExtended12Bit: "JPEG",
    JPEGLossless: "JPEG lossless",
    JPEGLosslessSV1: "JPEG lossless",
    JPEGLSLossless: "JPEG-LS",
    JPEGLSNearLossless: "JPEG-LS",
}  # every other one that is decoded is of JPEG 2000


class PixelsUnreadable(Exception):  # noqa: N818 - the word of the design: it names a finding about a file
    """The file has no pixels, or none that can be decoded rightly; the message says why, without patient data."""


class TooManyFrames(PixelsUnreadable):
    """The file has more frames than the caller takes; none was decoded."""

    def __init__(self, frames: int, allowed: int) -> None:
        super().__init__(f"it has {frames} frames, more than {allowed}")
        self.frames = frames


def checked_size(dataset: Dataset, max_bytes: int, max_frames: int | None) -> FrameSize:
    """Return the size that the header gives a frame; refuse what is empty or would not fit."""
    if not _pixel_bytes(dataset):
        raise PixelsUnreadable("it has no pixel data")
    if max_frames is not None and number_of_frames(dataset) > max_frames:
        raise TooManyFrames(number_of_frames(dataset), max_frames)
    rows, columns = int(dataset.get("Rows") or 0), int(dataset.get("Columns") or 0)
    size = FrameSize(rows, columns, int(dataset.get("SamplesPerPixel") or 1))
    count = rows * columns * size.samples * number_of_frames(dataset)
    if count <= 0:
        raise PixelsUnreadable(f"it has {rows} rows and {columns} columns")
    decoded_bytes = count * max(int(dataset.BitsAllocated) // 8, np.dtype(np.float32).itemsize)
    if decoded_bytes > max_bytes:
        raise PixelsUnreadable(f"its pixels would take up {decoded_bytes} bytes, more than {max_bytes}")
    return size


def _pixel_bytes(dataset: Dataset) -> int:
    return next((len(dataset[keyword].value) for keyword in _PIXEL_KEYWORDS if dataset.get(keyword)), 0)


def number_of_frames(dataset: Dataset) -> int:
    """Return (0028,0008) Number of Frames; 1 where it is absent."""
    return int(dataset.get("NumberOfFrames") or 1)


def check_frames(dataset: Dataset, size: FrameSize) -> None:
    """Refuse more compressed frames than the header declares, and those of another size: a decoder believes them."""
    declared, claims_nothing = number_of_frames(dataset), dataset.file_meta.TransferSyntaxUID == RLELossless
    frames = generate_frames(
        dataset.PixelData,
        number_of_frames=declared,
        extended_offsets=_extended_offsets(dataset),
    )
    for number, frame in enumerate(frames, start=1):
        if number > declared:
            raise PixelsUnreadable(f"it has more compressed frames than the {declared} that its header declares")
        if not claims_nothing:
            _check_frame(dataset, frame, size)


def _check_frame(dataset: Dataset, frame: bytes, size: FrameSize) -> None:
    stream = codestream_of(frame)
    if stream is None:
        raise PixelsUnreadable("a compressed frame has no header that can be read")
    if stream.size != size:
        raise PixelsUnreadable(f"a compressed frame has the size {tuple(stream.size)}, the header {tuple(size)}")
    if not stream.is_whole:
        raise PixelsUnreadable("a compressed frame is truncated: it has no end marker")
    family = _FAMILIES.get(dataset.file_meta.TransferSyntaxUID, "JPEG 2000")
    if stream.family != family:
        raise PixelsUnreadable(f"a compressed frame is {stream.family}, and its transfer syntax is one of {family}")
    if not _samples_fit(dataset, stream):
        kept = f"{stream.samples.bits} bits {'with' if stream.samples.signed else 'without'} a sign"
        raise PixelsUnreadable(f"a compressed frame has samples of {kept}, which do not fit the header")


def _samples_fit(dataset: Dataset, stream: Codestream) -> bool:
    """Say whether the samples of a frame can be what the header says of them.

    Fewer bits than Bits Stored are values that happen to be small. Signed values may stand in a frame without a sign
    as the bits that they are, and then these must be all of them: with fewer, it is not known which bit is the sign.
    """
    bits, signed = stream.samples
    stored, allocated = int(dataset.BitsStored), int(dataset.BitsAllocated)
    if bits > allocated:
        return False
    if not int(dataset.PixelRepresentation):
        return not signed
    return signed or bits in {stored, allocated}


def check_range(dataset: Dataset, values: npt.NDArray[Any]) -> None:
    """Refuse values that need more bits than Bits Stored: a frame of more bits may hold small values, or not."""
    sign_bits = 1 if values.dtype.kind == "i" else 0
    limit = 1 << (int(dataset.BitsStored) - sign_bits)
    if int(values.max()) >= limit or int(values.min()) < -limit:
        raise PixelsUnreadable(f"its values do not fit into the {dataset.BitsStored} bits of its header")


def _extended_offsets(dataset: Dataset) -> tuple[bytes, bytes] | None:
    offsets, lengths = dataset.get("ExtendedOffsetTable"), dataset.get("ExtendedOffsetTableLengths")
    return (offsets, lengths) if offsets and lengths else None


def check_native_length(dataset: Dataset, size: FrameSize) -> None:
    """Refuse fewer bytes than the header promises: some decoders would make up the rest."""
    present_bytes = _pixel_bytes(dataset)
    promised_bits = size.rows * size.columns * size.samples * number_of_frames(dataset) * int(dataset.BitsAllocated)
    if dataset.get("PhotometricInterpretation") == "YBR_FULL_422":
        promised_bits = promised_bits * 2 // 3  # two samples of colour for two pixels (PS3.3 C.7.6.3.1.2)
    if present_bytes * 8 < promised_bits:
        raise PixelsUnreadable(f"its pixel data is truncated: {present_bytes} of {(promised_bits + 7) // 8} bytes")
