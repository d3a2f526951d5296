"""Identifiers and action datasets: the small datasets that queries, retrievals and storage commitment carry.

As a peer encodes them, text is taken element by element, so that one value which is not what its VR asks for costs
itself alone. It knows no association.

References
----------
DICOM PS3.4 C.4 (identifiers), PS3.5 6.1 (character sets), 7.1 (data elements), PS3.6 chapter 6 (the dictionary).
"""

from collections.abc import Iterator, Mapping

from pydicom.charset import convert_encodings, decode_bytes
from pydicom.datadict import dictionary_VR, keyword_for_tag, tag_for_keyword
from pydicom.dataset import Dataset
from pydicom.uid import UID
from pynetdicom.dsutils import encode

from node.network.elements import Elements, Found, MalformedIdentifier

__all__ = ["MalformedIdentifier", "TooManyItems", "encode_dataset", "encode_keys", "items_of", "texts_of"]

_SPECIFIC_CHARACTER_SET = 0x00080005
_ENCODED_TEXT = frozenset({"LO", "LT", "PN", "SH", "ST", "UC", "UT"})
_PLAIN_TEXT = frozenset({"AE", "AS", "CS", "DA", "DS", "DT", "IS", "TM", "UI", "UR"})
_NUMBERS = {"US": 2, "UL": 4}  # bytes of one
_MOST_CHARACTER_SETS = 16  # there are fewer (PS3.3 C.12.1.1.2)
#: PS3.5 6.1.2.5.3: each ends what an escape sequence began; in a name, the marks of its parts do so too.
_DELIMITERS = {0x09, 0x0A, 0x0C, 0x0D, 0x5C}
_NAME_DELIMITERS = _DELIMITERS | {0x3D, 0x5E}


class TooManyItems(MalformedIdentifier):
    """A sequence has more items than are read."""


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
    whole = _elements(encoded, transfer_syntax_uid)
    return dict(_texts(whole, 0, len(encoded)))


def items_of(encoded: bytes, transfer_syntax_uid: str, keyword: str, most: int) -> list[dict[str, str]]:
    """Return the items of a sequence at the top of a dataset, each as `texts_of`; none where it is absent.

    Parameters
    ----------
    encoded, transfer_syntax_uid
        The dataset.
    keyword
        Of the sequence.
    most
        How many items are read.

    Raises
    ------
    MalformedIdentifier
        When it is no dataset, or the sequence none; `TooManyItems` where it has more than `most`.
    """
    whole, tag, items = _elements(encoded, transfer_syntax_uid), tag_for_keyword(keyword), list[dict[str, str]]()
    for sequence in whole.between(0, len(encoded)):
        if sequence.tag == tag:
            for within, start, end in whole.items(sequence):
                if len(items) >= most:
                    raise TooManyItems(f"more than {most} items")
                items.append(dict(_texts(within, start, end)))
    return items


def _elements(encoded: bytes, transfer_syntax_uid: str) -> Elements:
    return Elements(encoded, is_explicit=not UID(transfer_syntax_uid).is_implicit_VR)


def _texts(dataset: Elements, start: int, end: int) -> Iterator[tuple[str, str]]:
    encodings = _encodings("")
    for element in dataset.between(start, end):
        value = dataset.encoded[element.start : element.end]
        keyword = keyword_for_tag(element.tag)
        text = _text(element, value, encodings) if keyword else None
        if text is not None:
            yield keyword, text
        if element.tag == _SPECIFIC_CHARACTER_SET:  # it stands before all text (PS3.5 7.1)
            encodings = _encodings(text or "")


def _text(element: Found, value: bytes, encodings: list[str]) -> str | None:
    """Return an element's value, or None where it is no text and no number."""
    vr = element.vr or dictionary_VR(element.tag)
    if vr in _NUMBERS:
        return str(int.from_bytes(value, "little")) if len(value) == _NUMBERS[vr] else None
    if vr in _PLAIN_TEXT:
        return value.decode("ascii", "replace").strip("\0 ")
    if vr not in _ENCODED_TEXT:
        return None
    return decode_bytes(value, encodings, _NAME_DELIMITERS if vr == "PN" else _DELIMITERS).strip("\0 ")


def _encodings(character_sets: str) -> list[str]:
    """Return the character sets that (0008,0005) names; an unknown one is read as the default repertoire."""
    names = [name.strip() for name in character_sets.split("\\", _MOST_CHARACTER_SETS)[:_MOST_CHARACTER_SETS]]
    try:
        return list(convert_encodings(names))
    except LookupError:
        return list(convert_encodings([""]))
