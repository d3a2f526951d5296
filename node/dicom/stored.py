"""A file opened and its pixels decoded: stored values, as the Standard calls what stands in the pixel data.

Sizes are computed from the header, and compared with what each compressed frame claims of itself, before anything is
decoded. RLE alone has frames that claim nothing: they grow at most 64 times, and the reading process has a limit of
memory. It knows encodings, and nothing of what the values mean.

References
----------
DICOM PS3.3 C.7.6.3 (Image Pixel), PS3.5 8 (encoding of pixel data) and A.4 (encapsulation)
"""

import io
import struct
from typing import Any

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import generate_frames
from pydicom.filereader import read_dataset
from pydicom.pixels.decoders.base import Decoder, get_decoder
from pydicom.uid import (
    HTJ2K,
    JPEG2000,
    UID,
    HTJ2KLossless,
    HTJ2KLosslessRPCL,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    JPEGLSNearLossless,
    RLELossless,
)

from node.dicom.codestream import Codestream, FrameSize, codestream_of
from node.dicom.encoding import DEFLATED, NotParsable, encoding_of, inflate
from node.dicom.part10 import dataset_of

_PIXEL_KEYWORDS = ("PixelData", "FloatPixelData", "DoubleFloatPixelData")
_OF_12_BITS, _OF_8_BITS = "gdcm of 12 bits", "pillow of 8 bits"  # the names of our plug-ins among pydicom's
_OWN_PLUGINS = {
    JPEGBaseline8Bit: {_OF_8_BITS: "node.dicom.jpeg8"},
    JPEGExtended12Bit: {_OF_8_BITS: "node.dicom.jpeg8", _OF_12_BITS: "node.dicom.jpeg12"},
}
# of the plug-ins that decode all of the test files rightly, the fastest; GDCM ends the process on some spoilt frames
_PLUGINS = {
    JPEGBaseline8Bit: _OF_8_BITS,
    JPEGExtended12Bit: _OF_8_BITS,
    JPEGLossless: "gdcm",
    JPEGLosslessSV1: "gdcm",
    JPEGLSLossless: "pyjpegls",
    JPEGLSNearLossless: "pyjpegls",
    JPEG2000Lossless: "pylibjpeg",
    JPEG2000: "pylibjpeg",
    HTJ2KLossless: "pylibjpeg",
    HTJ2KLosslessRPCL: "pylibjpeg",
    HTJ2K: "pylibjpeg",
    RLELossless: "pylibjpeg",
}
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


def opened(data: bytes, max_bytes: int) -> Dataset:
    """Parse a file; pydicom's own reader would inflate without a limit, and take in stray elements of group 0002.

    Raises
    ------
    NotPart10, NotParsable
        It is no DICOM file, or inflates to more than `max_bytes`.
    """
    syntax, encoded = dataset_of(data)
    if syntax in DEFLATED:
        encoded = bytes(inflate(encoded, max_bytes))
    encoding = encoding_of(syntax)
    try:
        dataset = read_dataset(io.BytesIO(encoded), encoding.implicit, not encoding.big_endian)
    except (
        OSError,
        struct.error,
    ) as failure:  # so pydicom calls a dataset that ends early: it is no failure of the disk
        raise NotParsable("it ends inside an element") from failure
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = UID(syntax)
    return dataset


def stored_values(dataset: Dataset, max_bytes: int, max_frames: int | None = None) -> tuple[npt.NDArray[Any], str]:
    """Return the stored values and the photometric interpretation that they are in once decoded.

    Parameters
    ----------
    dataset
        As `opened` returns it.
    max_bytes
        The most that the decoded pixels may take up.
    max_frames
        The most frames that the header may declare; None: any number.

    Returns
    -------
    tuple
        An array (rows, columns), (frames, rows, columns), or either with three samples at the end; and the
        photometric interpretation, RGB for most of what was stored as YBR.

    Raises
    ------
    PixelsUnreadable
        The size is not one that can or may be decoded.
    TooManyFrames
        The header declares more than `max_frames`.
    Exception
        What pydicom and its decoders raise for datasets that are not what they say.
    """
    syntax, size = dataset.file_meta.TransferSyntaxUID, _checked_size(dataset, max_bytes, max_frames)
    decoder = _decoder(syntax)  # before more is asked of a transfer syntax that is not known
    compressed = bool(syntax.is_encapsulated)
    check = _check_frames if compressed else _check_native_length
    check(dataset, size)
    # unused bits: of plain values we take them out ourselves, because pydicom does not ask for High Bit
    options = {"raw": False, "correct_unused_bits": compressed, "decoding_plugin": _plugin(dataset, decoder)}
    # pydicom would decode as many frames as it finds, and the size was computed from those that the header declares
    options["allow_excess_frames"] = False
    values, photometric = _decoded(dataset, decoder, options)
    if values.size != size.rows * size.columns * size.samples * _frames(dataset):
        raise PixelsUnreadable("its pixels do not decode into the size that its header says")
    if not compressed:
        return _value_bits(dataset, values), photometric
    _check_range(dataset, values)
    return values, photometric


def _decoder(transfer_syntax_uid: UID) -> Decoder:
    decoder = get_decoder(transfer_syntax_uid)
    for name, module in _OWN_PLUGINS.get(transfer_syntax_uid, {}).items():
        if name not in decoder.available_plugins:
            decoder.add_plugin(name, (module, "decode_frame"))
    return decoder


def _plugin(dataset: Dataset, decoder: Decoder) -> str:
    """Return the one plug-in that decodes: pydicom by itself would try them all, and hand spoilt frames to each."""
    if JPEGExtended12Bit == decoder.UID and dataset.get("BitsStored") != 8:
        return _OF_12_BITS
    return _PLUGINS.get(decoder.UID, "")


def _decoded(dataset: Dataset, decoder: Decoder, options: dict[str, Any]) -> tuple[npt.NDArray[Any], str]:
    with _PanicAsError():
        values, properties = decoder.as_array(dataset, **options)
    return values, str(properties["photometric_interpretation"])


class _PanicAsError:
    """Makes an error of a panic: the RLE decoder is written in Rust, and a panic there is no `Exception`."""

    def __enter__(self) -> None:
        """Begin."""

    def __exit__(self, kind: type[BaseException] | None, panic: BaseException | None, _: object) -> None:
        """Let everything else pass."""
        if kind is not None and kind.__name__ == "PanicException":
            raise ValueError("the decoder has lost its way in a frame") from panic


def _checked_size(dataset: Dataset, max_bytes: int, max_frames: int | None) -> FrameSize:
    """Return the size that the header gives a frame; refuse what is empty or would not fit."""
    if not _pixel_bytes(dataset):
        raise PixelsUnreadable("it has no pixel data")
    if max_frames is not None and _frames(dataset) > max_frames:
        raise TooManyFrames(_frames(dataset), max_frames)
    rows, columns = int(dataset.get("Rows") or 0), int(dataset.get("Columns") or 0)
    size = FrameSize(rows, columns, int(dataset.get("SamplesPerPixel") or 1))
    count = rows * columns * size.samples * _frames(dataset)
    if count <= 0:
        raise PixelsUnreadable(f"it has {rows} rows and {columns} columns")
    decoded_bytes = count * max(int(dataset.BitsAllocated) // 8, np.dtype(np.float32).itemsize)
    if decoded_bytes > max_bytes:
        raise PixelsUnreadable(f"its pixels would take up {decoded_bytes} bytes, more than {max_bytes}")
    return size


def _pixel_bytes(dataset: Dataset) -> int:
    return next((len(dataset[keyword].value) for keyword in _PIXEL_KEYWORDS if dataset.get(keyword)), 0)


def _frames(dataset: Dataset) -> int:
    return int(dataset.get("NumberOfFrames") or 1)


def _check_frames(dataset: Dataset, size: FrameSize) -> None:
    """Refuse more compressed frames than the header declares, and those of another size: a decoder believes them."""
    declared, claims_nothing = _frames(dataset), dataset.file_meta.TransferSyntaxUID == RLELossless
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


def _check_range(dataset: Dataset, values: npt.NDArray[Any]) -> None:
    """Refuse values that need more bits than Bits Stored: a frame of more bits may hold small values, or not."""
    sign_bits = 1 if values.dtype.kind == "i" else 0
    limit = 1 << (int(dataset.BitsStored) - sign_bits)
    if int(values.max()) >= limit or int(values.min()) < -limit:
        raise PixelsUnreadable(f"its values do not fit into the {dataset.BitsStored} bits of its header")


def _extended_offsets(dataset: Dataset) -> tuple[bytes, bytes] | None:
    offsets, lengths = dataset.get("ExtendedOffsetTable"), dataset.get("ExtendedOffsetTableLengths")
    return (offsets, lengths) if offsets and lengths else None


def _check_native_length(dataset: Dataset, size: FrameSize) -> None:
    """Refuse fewer bytes than the header promises: some decoders would make up the rest."""
    present_bytes = _pixel_bytes(dataset)
    promised_bits = size.rows * size.columns * size.samples * _frames(dataset) * int(dataset.BitsAllocated)
    if dataset.get("PhotometricInterpretation") == "YBR_FULL_422":
        promised_bits = promised_bits * 2 // 3  # two samples of colour for two pixels (PS3.3 C.7.6.3.1.2)
    if present_bytes * 8 < promised_bits:
        raise PixelsUnreadable(f"its pixel data is truncated: {present_bytes} of {(promised_bits + 7) // 8} bytes")


def _value_bits(dataset: Dataset, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Keep the bits from High Bit down, as many as Bits Stored: others are an old overlay or noise (PS3.5 8.1.1)."""
    bits_stored, allocated = int(dataset.get("BitsStored") or 0), 8 * values.dtype.itemsize
    high_bit = int(dataset.get("HighBit", bits_stored - 1))
    if (
        values.dtype.kind not in "ui"
        or int(dataset.BitsAllocated) == 1
        or (bits_stored, high_bit) == (allocated, allocated - 1)
    ):
        return values
    if not 0 < bits_stored <= high_bit + 1 <= allocated:
        raise ValueError("High Bit and Bits Stored do not fit into Bits Allocated")
    if values.dtype.kind == "u" and high_bit == bits_stored - 1 and int(values.max()) >> bits_stored == 0:
        return values  # nothing stands above High Bit, as in nearly every image
    # shifted as the type of the values, so that the sign of a signed one is kept
    kept: npt.NDArray[Any] = (values << (allocated - 1 - high_bit)) >> (allocated - bits_stored)
    return kept
