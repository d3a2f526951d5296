"""Identifiers and action datasets: the small datasets that queries, retrievals and storage commitment carry.

As a peer encodes them, text is taken element by element, so that one value which is not what its VR asks for costs
itself alone. It knows no association.

References
----------
DICOM PS3.4 C.4 (identifiers), PS3.5 6.1 (character sets), 7.1 (data elements), PS3.6 chapter 6 (the dictionary).
"""

from collections.abc import Iterator, Mapping
from io import BytesIO
from typing import Any

from pydicom.charset import convert_encodings, decode_bytes
from pydicom.datadict import dictionary_VR, keyword_for_tag, tag_for_keyword
from pydicom.dataset import Dataset
from pydicom.filereader import read_dataset
from pydicom.uid import UID
from pynetdicom.dsutils import encode

from node.network.library_messages import LIBRARY_ERRORS

_SPECIFIC_CHARACTER_SET = 0x00080005
_ENCODED_TEXT = frozenset({"LO", "LT", "PN", "SH", "ST", "UC", "UT"})
_PLAIN_TEXT = frozenset({"AE", "AS", "CS", "DA", "DS", "DT", "IS", "TM", "UI", "UR"})
_NUMBERS = frozenset({"US", "UL"})
#: PS3.5 6.1.2.5.3: each ends what an escape sequence began; in a name, the marks of its parts do so too.
_DELIMITERS = {0x09, 0x0A, 0x0C, 0x0D, 0x5C}
_NAME_DELIMITERS = _DELIMITERS | {0x3D, 0x5E}


class MalformedIdentifier(ValueError):  # noqa: N818 - a state of the bytes, not of the program
    """The bytes are no dataset in their transfer syntax."""


def encode_dataset(dataset: Dataset, transfer_syntax_uid: str) -> bytes:
    """Return a dataset, encoded.

    Raises
    ------
    ValueError
        When a value is not what its VR asks for.
    """
    syntax = UID(transfer_syntax_uid)
    encoded = encode(dataset, syntax.is_implicit_VR, syntax.is_little_endian)
    if encoded is None:
        raise ValueError("a value of the identifier cannot be encoded")
    return encoded


def decode_dataset(encoded: bytes, transfer_syntax_uid: str) -> Dataset:
    """Return a dataset, decoded as far as its structure goes.

    Raises
    ------
    MalformedIdentifier
        When it is none.
    """
    syntax = UID(transfer_syntax_uid)
    try:
        return read_dataset(BytesIO(encoded), syntax.is_implicit_VR, syntax.is_little_endian)
    except LIBRARY_ERRORS as error:
        raise MalformedIdentifier(f"a dataset that cannot be decoded ({type(error).__name__})") from None


def encode_keys(values: Mapping[str, str], transfer_syntax_uid: str) -> bytes:
    """Return an identifier of these values by keyword; what is not ASCII goes in UTF-8 (PS3.5 6.1.2.3).

    Raises
    ------
    ValueError
        When a keyword is not in the dictionary, or a value is not what its VR asks for.
    """
    dataset = Dataset()
    if not all(value.isascii() for value in values.values()):
        dataset.SpecificCharacterSet = "ISO_IR 192"
    for keyword, value in values.items():
        if tag_for_keyword(keyword) is None:
            raise ValueError(f"{keyword!r} is no keyword of the DICOM dictionary")
        setattr(dataset, keyword, value)
    return encode_dataset(dataset, transfer_syntax_uid)


def texts_of(encoded: bytes, transfer_syntax_uid: str) -> dict[str, str]:
    r"""Return the values of an identifier by keyword, as text without padding; several values stay joined by ``\\``.

    Private elements, sequences and bulk data are left out.

    Raises
    ------
    MalformedIdentifier
        When it is no dataset.
    """
    return dict(_texts(decode_dataset(encoded, transfer_syntax_uid)))


def items_of(encoded: bytes, transfer_syntax_uid: str, keyword: str) -> list[dict[str, str]]:
    """Return the items of a sequence at the top of a dataset, each as `texts_of`; none where it is absent.

    Raises
    ------
    MalformedIdentifier
        When it is no dataset, or the sequence none.
    """
    dataset = decode_dataset(encoded, transfer_syntax_uid)
    try:
        return [dict(_texts(item)) for item in dataset.get(keyword) or []]
    except LIBRARY_ERRORS as error:
        raise MalformedIdentifier(f"a sequence that cannot be decoded ({type(error).__name__})") from None


def _texts(dataset: Dataset) -> Iterator[tuple[str, str]]:
    encodings = _encodings(dataset)
    for tag in dataset.keys():  # noqa: SIM118 - iterating a dataset converts each value, and raises at a bad one
        keyword = keyword_for_tag(tag)
        text = _text(dataset.get_item(tag), encodings) if keyword else None
        if text is not None:
            yield keyword, text


def _text(element: Any, encodings: list[str]) -> str | None:
    """Return an element's value, or None where it is no text and no number."""
    value = element.value
    if not isinstance(value, bytes):
        return "" if value is None else None
    vr = element.VR or dictionary_VR(element.tag)
    if vr in _NUMBERS:
        return str(int.from_bytes(value, "little"))
    if vr in _PLAIN_TEXT:
        return value.decode("ascii", "replace").strip("\0 ")
    if vr not in _ENCODED_TEXT:
        return None
    return decode_bytes(value, encodings, _NAME_DELIMITERS if vr == "PN" else _DELIMITERS).strip("\0 ")


def _encodings(dataset: Dataset) -> list[str]:
    """Return the character sets that (0008,0005) names; an unknown one is read as the default repertoire."""
    element = dataset.get_item(_SPECIFIC_CHARACTER_SET) if _SPECIFIC_CHARACTER_SET in dataset else None
    value = element.value if element is not None else None
    names = value.decode("ascii", "replace").strip("\0 ").split("\\") if isinstance(value, bytes) else []
    try:
        return list(convert_encodings([name.strip() for name in names] or [""]))
    except LookupError:
        return list(convert_encodings([""]))
