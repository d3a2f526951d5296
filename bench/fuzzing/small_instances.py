"""Small valid instances in several transfer syntaxes, under UIDs of their own, as the fuzzer's raw material."""

import functools
import io
import random
import zlib
from dataclasses import dataclass

from pydicom.encaps import encapsulate
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset

from bench.sending.made_up_header import header

_ROOT = "2.25.314159265358979323"
_PLACE = "100000000000"
_SIDE = 24
_SOP_CLASS = b"1.2.840.10008.5.1.4.1.1.4"

EXPLICIT, IMPLICIT, BIG, DEFLATED, JPEG = (
    f"1.2.840.10008.1.2{suffix}".encode() for suffix in (".1", "", ".2", ".1.99", ".4.50")
)
CONTEXTS = {
    1: (_SOP_CLASS, EXPLICIT),
    3: (_SOP_CLASS, IMPLICIT),
    5: (_SOP_CLASS, BIG),
    7: (_SOP_CLASS, DEFLATED),
    9: (_SOP_CLASS, JPEG),
}


@dataclass(frozen=True, slots=True)
class Sample:
    """An instance, and the presentation context that its encoding belongs to."""

    context_id: int
    sop_class_uid: str
    sop_instance_uid: str
    dataset: bytes


def samples(rng: random.Random, seed: int, number: int, count: int) -> list[Sample]:
    """Return instances with UIDs that only this case has."""
    return [_sample(rng.choice(list(CONTEXTS)), f"{seed % 10_000:04d}{number:07d}{index}") for index in range(count)]


def _sample(context_id: int, place: str) -> Sample:
    uid = _uid(f"1{place[1:]}")
    encoded = _template(context_id).replace(_uid(_PLACE).encode(), uid.encode())
    if CONTEXTS[context_id][1] == DEFLATED:
        encoded = deflated(encoded)
    return Sample(context_id, _SOP_CLASS.decode(), uid, encoded)


def deflated(encoded: bytes) -> bytes:
    """Return bytes as raw deflate data of even length (PS3.5 A.5)."""
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    packed = packer.compress(encoded) + packer.flush()
    return packed + b"\0" * (len(packed) % 2)


def _uid(place: str) -> str:
    return f"{_ROOT}.{place}"


@functools.cache
def _template(context_id: int) -> bytes:
    syntax = CONTEXTS[context_id][1]
    values = {"Modality": "MR", "BodyPartExamined": "KNEE", "BitsStored": 8, "HighBit": 7, "PixelRepresentation": 0}
    dataset = header((f"{_ROOT}.1", f"{_ROOT}.2", _uid(_PLACE)), _SOP_CLASS.decode(), values | {"BitsAllocated": 8})
    dataset.Rows = dataset.Columns = _SIDE
    pixels = bytes(index % 251 for index in range(_SIDE * _SIDE))
    dataset.PixelData = encapsulate([pixels]) if syntax == JPEG else pixels
    dataset["PixelData"].VR = "OB"
    dataset["PixelData"].is_undefined_length = syntax == JPEG
    stream = DicomBytesIO(io.BytesIO().getvalue())
    stream.is_implicit_VR, stream.is_little_endian = syntax == IMPLICIT, syntax != BIG
    write_dataset(stream, dataset)
    return stream.getvalue()
