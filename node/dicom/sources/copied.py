"""Whole modules, and single elements, copied from a source image into what is made of it.

Values are taken from the raw bytes and made anew, so that what is broken in a source is left out and never copied.
"""

import io
from collections.abc import Iterator, Sequence

from pydicom import Dataset
from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.filereader import read_dataset

from node.dicom.encoding.structure import Structure
from node.dicom.encoding.values import fitting
from node.dicom.sources.modules import MODULES, REQUEST, SINGLE_ITEM, ItemKind

_REQUEST_ATTRIBUTES_SEQUENCE = 0x00400275

# what pydicom is seen to raise for sequences that are not what they say
_UNREADABLE = (ArithmeticError, AttributeError, EOFError, LookupError, OSError, RuntimeError, TypeError, ValueError)


def copied_modules(structure: Structure, terms: tuple[str, ...]) -> Dataset:
    """Return what a report takes over from a source's Patient, Clinical Trial and Study modules, and its requests.

    Parameters
    ----------
    structure
        The source, walked over.
    terms
        Its Specific Character Set.
    """
    keywords = [keyword for kind in MODULES for keyword in (*kind.plain, *kind.sequences)]
    try:
        source = _read(structure, [*map(_tag, keywords), _REQUEST_ATTRIBUTES_SEQUENCE])
    except _UNREADABLE:
        return Dataset()
    copy = _Copy(terms, big_endian=structure.encoding.big_endian)
    modules = Dataset()
    for kind in MODULES:
        modules.update(copy.item(source, kind) or Dataset())
    requests = copy.items(source, "RequestAttributesSequence", REQUEST)
    if requests:
        modules.ReferencedRequestSequence = requests
    return modules


def copied_elements(structure: Structure, terms: tuple[str, ...], kind: ItemKind) -> Dataset:
    """Return those elements of a source's top level that `kind` names, as far as they are valid."""
    tags = [_tag(keyword) for keyword in (*kind.plain, *kind.sequences)]
    try:
        source = _read(structure, tags)
    except _UNREADABLE:
        return Dataset()
    return _Copy(terms, big_endian=structure.encoding.big_endian).item(source, kind) or Dataset()


def _read(structure: Structure, tags: Sequence[int]) -> Dataset:
    before_pixels, _ = structure.pixels or (len(structure.dataset), 0)
    last = max(tags)
    return read_dataset(
        io.BytesIO(structure.dataset[:before_pixels]),  # without what is large and stands after all that is read
        structure.encoding.implicit,
        not structure.encoding.big_endian,
        stop_when=lambda tag, _vr, _length: tag > last,
        specific_tags=list(tags),
    )


class _Copy:
    """Copies items out of one dataset."""

    def __init__(self, terms: tuple[str, ...], *, big_endian: bool) -> None:
        self._terms = terms
        self._big_endian = big_endian

    def items(self, source: Dataset, keyword: str, kind: ItemKind) -> list[Dataset]:
        """Return those items of a sequence that are whole; none where it cannot be read."""
        try:
            sequence = list(source.get(keyword) or ())
            copies = [copy for item in sequence if (copy := self.item(item, kind))]
        except _UNREADABLE:
            return []
        return copies[:1] if keyword in SINGLE_ITEM else copies

    def item(self, source: Dataset, kind: ItemKind) -> Dataset | None:
        """Return a copy with what `kind` names, or None where it is empty or not whole."""
        copy = Dataset()
        for keyword, vr, value in self._plain(source, kind.plain):
            copy.add_new(_tag(keyword), vr, value)
        for keyword, of_items in kind.sequences.items():
            items = self.items(source, keyword, of_items)
            if items:
                setattr(copy, keyword, items)
        _drop_unfitting(copy, kind)
        if not copy or not all(any(keyword in copy for keyword in group) for group in kind.needs):
            return None
        for keyword in kind.empty:
            if keyword not in copy:
                setattr(copy, keyword, [] if dictionary_VR(keyword) == "SQ" else "")
        return copy

    def _plain(self, source: Dataset, keywords: tuple[str, ...]) -> Iterator[tuple[str, str, str | int | list[str]]]:
        for keyword in keywords:
            if keyword not in source:
                continue
            raw, vr = source.get_item(keyword).value, dictionary_VR(keyword)  # raw: not decoded by pydicom yet
            if not isinstance(raw, bytes):
                continue
            value = fitting(keyword, vr, raw[::-1] if self._big_endian and vr == "US" else raw, self._terms)
            if value is not None:
                yield keyword, vr, value


def _drop_unfitting(copy: Dataset, kind: ItemKind) -> None:
    alone = [keyword for keyword, on in kind.depends.items() if not any(other in copy for other in on)]
    surplus = [keyword for keyword in kind.exclusive if keyword in copy][1:]
    for keyword in (*alone, *surplus):
        copy.pop(_tag(keyword), None)


def _tag(keyword: str) -> int:
    tag = tag_for_keyword(keyword)
    if tag is None:
        raise LookupError(keyword)
    return tag
