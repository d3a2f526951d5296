"""Random datasets that are valid, encoded by a few lines of our own: every form that a sequence or a value can take."""

import struct
import zlib
from dataclasses import dataclass, replace

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from node.dicom.encoding.transfer_syntax import IMPLICIT_LITTLE, Encoding, encoding_of
from tests.unit.dicom.raw import BIG_ENDIAN, DEFLATED, EXPLICIT, IMPLICIT, JPEG_BASELINE, UNDEFINED

UIDS = (0x00080016, 0x00080018, 0x0020000D, 0x0020000E)

_LONG = frozenset(b"OB OD OF OL OV OW SQ SV UC UN UR UT UV".split())
_SEQUENCES = (0x00081140, 0x00082112, 0x0018A001, 0x00400275, 0x00091010)
_TEXTS = (0x00080005, 0x00080050, 0x00081030, 0x00100010, 0x00100020, 0x00181002, 0x00280008)
_PLAIN = {
    0x00080008: b"CS",
    0x00090010: b"LO",
    0x00091011: b"OB",
    0x00091012: b"UN",
    0x00091013: b"UT",
    0x00280010: b"US",
    0x00287FE0: b"OW",
    0xFFFCFFFC: b"OB",
} | dict.fromkeys(_TEXTS, b"LO")


@dataclass(frozen=True, slots=True)
class Element:
    """An element with a value, or with items; a sequence, an item or its fragments may have no length."""

    tag: int
    vr: bytes
    value: bytes = b""
    items: tuple[tuple[bool, tuple["Element", ...]], ...] | None = None  #: each with or without a length
    fragments: tuple[bytes, ...] | None = None
    defined: bool = True


def encoded(elements: tuple[Element, ...], encoding: Encoding) -> bytes:
    """Encode elements as they stand."""
    return b"".join(_encoded(element, encoding) for element in elements)


def _encoded(element: Element, encoding: Encoding) -> bytes:
    order = _order(encoding)
    if element.fragments is not None:
        inside = b"".join(_delimited(order, 0xE000, len(fragment)) + fragment for fragment in element.fragments)
        return _header(element, encoding, UNDEFINED) + inside + _delimited(order, 0xE0DD, 0)
    if element.items is None:
        return _header(element, encoding, len(element.value)) + element.value
    if element.vr == b"UN" and encoding.big_endian:  # pydicom reads what is inside as big endian
        return _encoded(replace(element, vr=b"SQ"), encoding)
    inner = IMPLICIT_LITTLE if element.vr == b"UN" else encoding
    inside = b"".join(_item(content, inner, defined=defined) for defined, content in element.items)
    if element.defined:
        return _header(element, encoding, len(inside)) + inside
    return _header(element, encoding, UNDEFINED) + inside + _delimited(_order(inner), 0xE0DD, 0)


def _item(content: tuple[Element, ...], encoding: Encoding, *, defined: bool) -> bytes:
    inside, order = encoded(content, encoding), _order(encoding)
    if defined:
        return _delimited(order, 0xE000, len(inside)) + inside
    return _delimited(order, 0xE000, UNDEFINED) + inside + _delimited(order, 0xE00D, 0)


def _order(encoding: Encoding) -> str:
    return ">" if encoding.big_endian else "<"


def _delimited(order: str, element: int, length: int) -> bytes:
    return struct.pack(order + "HHI", 0xFFFE, element, length)


def _header(element: Element, encoding: Encoding, length: int) -> bytes:
    tag, order = (element.tag >> 16, element.tag & 0xFFFF), _order(encoding)
    if encoding.implicit:
        return struct.pack(order + "HHI", *tag, length)
    if element.vr in _LONG:
        return struct.pack(order + "HH2sHI", *tag, element.vr, 0, length)
    return struct.pack(order + "HH2sH", *tag, element.vr, length)


def deflated(dataset: bytes) -> bytes:
    """Deflate a dataset, without a header (PS3.5 A.5)."""
    deflater = zlib.compressobj(1, zlib.DEFLATED, -zlib.MAX_WBITS)
    return deflater.compress(dataset) + deflater.flush()


_uid = st.from_regex(rb"\A1(\.(0|[1-9][0-9]{0,5})){1,6}\Z")


@st.composite
def _plain(draw: DrawFn) -> Element:
    tag = draw(st.sampled_from(sorted(_PLAIN)))
    value = draw(st.binary(min_size=2, max_size=2) if _PLAIN[tag] == b"US" else st.binary(max_size=30))
    return Element(tag, _PLAIN[tag], value)


def _ordered(elements: list[Element]) -> tuple[Element, ...]:
    """Put them into the order of their tags, each tag once, as a dataset has them."""
    return tuple(element for _, element in sorted({element.tag: element for element in elements}.items()))


def _sequence(content: st.SearchStrategy[tuple[Element, ...]]) -> st.SearchStrategy[Element]:
    item = st.tuples(st.booleans(), content)

    def made(tag: int, items: list[tuple[bool, tuple[Element, ...]]], kind: int) -> Element:
        # VR UN of undefined length is a sequence, encoded implicitly inside
        vr, defined = ((b"SQ", True), (b"SQ", False), (b"UN", False))[kind]
        return Element(tag, vr, items=tuple(items), defined=defined)

    return st.builds(made, st.sampled_from(_SEQUENCES), st.lists(item, max_size=3), st.integers(0, 2))


_content = st.recursive(
    st.lists(_plain(), max_size=4).map(_ordered),
    lambda inner: st.lists(st.one_of(_plain(), _sequence(inner)), max_size=4).map(_ordered),
    max_leaves=12,
)


@dataclass(frozen=True, slots=True)
class Valid:
    """A valid dataset, and how it is encoded."""

    elements: tuple[Element, ...]
    transfer_syntax_uid: str
    plain: bytes  #: encoded, and not deflated

    @property
    def dataset(self) -> bytes:
        """The dataset as it is sent."""
        return deflated(self.plain) if self.transfer_syntax_uid == DEFLATED else self.plain


@st.composite
def valid_datasets(draw: DrawFn) -> Valid:
    """Draw a valid dataset with all four UIDs, in any transfer syntax, perhaps with pixels."""
    syntax = draw(st.sampled_from([EXPLICIT, IMPLICIT, BIG_ENDIAN, JPEG_BASELINE, DEFLATED]))
    elements = [*draw(_content), *(Element(tag, b"UI", draw(_uid)) for tag in UIDS)]
    fragments = draw(st.none() | st.lists(st.binary(max_size=20), max_size=4).map(tuple))
    if fragments is not None and syntax == JPEG_BASELINE:
        elements.append(Element(0x7FE00010, b"OB", fragments=(b"", *fragments)))
    elif fragments:
        elements.append(Element(0x7FE00010, b"OW", b"".join(fragments)))
    ordered = _ordered(elements)
    return Valid(ordered, syntax, encoded(ordered, encoding_of(syntax)))
