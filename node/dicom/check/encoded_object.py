"""The last look at an object of ours, as the bytes that leave: whole, valid in every value, and of one character set.

It reads the bytes as a receiver does, so that nothing which happens while they are written goes unseen. What the object
is about it does not know; `node.dicom.check.content_tree` looks at what a report says.

References
----------
DICOM PS3.5 6.1 (character sets), 6.2 (value representations), 6.4 (value multiplicity), PS3.3 C.12.1.1.2
"""

import io
from collections.abc import Iterator

import numpy as np
from pydicom import Dataset
from pydicom.datadict import dictionary_VM, dictionary_VR, keyword_for_tag
from pydicom.filereader import read_dataset
from pydicom.tag import BaseTag

from node.dicom.encoding.charset import character_set_terms, codec_of
from node.dicom.encoding.structure import check_structure
from node.dicom.encoding.transfer_syntax import IMPLICIT_VR_LITTLE_ENDIAN, NotParsable
from node.dicom.encoding.values import is_value
from node.domain.errors import Permanent

_CHARACTER_SET = 0x00080005
_TEXTS = frozenset({"LO", "LT", "PN", "SH", "ST", "UC", "UT"})  # of the Specific Character Set (PS3.5 6.1.2.3)
_UNPARTED = frozenset({"LT", "ST", "UR", "UT"})  # a backslash is a character of these
_NUMBERS = {"FD": "<f8", "FL": "<f4", "SL": "<i4", "SS": "<i2", "UL": "<u4", "US": "<u2", "US or SS": "<u2"}
_NOT_LOOKED_INTO = frozenset({"AT", "OB", "OB or OW", "OD", "OF", "OL", "OV", "OW"})
_MOST_VALUES = {"1": 1, "2": 2, "3": 3}  # what our objects hold otherwise is "1-n" and its like


def check_object(encoded: bytes) -> Dataset:
    """Return an object as a receiver reads it.

    Parameters
    ----------
    encoded
        Its dataset, Implicit VR Little Endian, without preamble and meta information.

    Raises
    ------
    Permanent
        It is not one whole dataset, a value of it does not fit its value representation or multiplicity, or a text is
        not of the declared character set; the message names the element and holds no value.
    """
    dataset = _read(encoded)
    codec = _codec(dataset)
    for tag, raw in _raw_values(dataset):
        _check(tag, raw, codec)
    return dataset


def _read(encoded: bytes) -> Dataset:
    try:
        with check_structure(encoded, IMPLICIT_VR_LITTLE_ENDIAN):
            return read_dataset(io.BytesIO(encoded), is_implicit_VR=True, is_little_endian=True)
    except NotParsable as reason:
        raise Permanent(f"the encoded object is not one whole dataset: {reason}") from reason


def _codec(dataset: Dataset) -> str:
    """Return Python's name of the one character set that the object declares (PS3.3 C.12.1.1.2)."""
    declared = dataset.get("SpecificCharacterSet") or ""
    terms = character_set_terms("\\".join([declared] if isinstance(declared, str) else declared).encode("latin_1"))
    codec = codec_of(terms[0] if terms else "")
    if len(terms) > 1 or (terms and codec == "ascii"):
        raise Permanent("the object would declare a SpecificCharacterSet that is not one term of the Standard")
    return codec


def _raw_values(dataset: Dataset) -> Iterator[tuple[BaseTag, bytes]]:
    """Yield tag and bytes of every element, those of sequence items included."""
    for tag in sorted(dataset.keys()):
        if not keyword_for_tag(tag):
            raise Permanent(f"the object would have {tag}, which no table of the Standard has")
        if dictionary_VR(tag) == "SQ":
            for item in dataset[tag].value:
                yield from _raw_values(item)
        elif tag != _CHARACTER_SET:
            raw = dataset.get_item(tag).value
            yield tag, raw if isinstance(raw, bytes) else b""


def _check(tag: BaseTag, raw: bytes, codec: str) -> None:
    vr = dictionary_VR(tag)
    if vr in _NOT_LOOKED_INTO:
        return
    if vr in _NUMBERS:
        fits = _are_numbers(raw, np.dtype(_NUMBERS[vr]))
    else:
        fits = _are_values(tag, vr, raw, codec if vr in _TEXTS else "ascii")
    if not fits:
        why = "is no UID" if vr == "UI" else f"VR {vr} or its character set does not allow"
        raise Permanent(f"the object would have a {keyword_for_tag(tag)} that {why}")


def _are_numbers(raw: bytes, of: np.dtype[np.generic]) -> bool:
    return len(raw) % of.itemsize == 0 and bool(np.isfinite(np.frombuffer(raw, of)).all())


def _are_values(tag: BaseTag, vr: str, raw: bytes, codec: str) -> bool:
    try:
        text = raw.decode(codec).rstrip("\0 ")
    except UnicodeDecodeError:
        return False
    values = [text] if vr in _UNPARTED else text.split("\\")
    most = _MOST_VALUES.get(dictionary_VM(tag), len(values))
    return len(values) <= most and all(not value or is_value(vr, value) for value in values)
