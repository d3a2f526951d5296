"""A stored document, such as a Key Object Selection or a Structured Report, opened and walked.

It knows the form of a content tree, and nothing of what its items mean.

References
----------
DICOM PS3.3 C.17 (SR modules), C.17.3 (relationships between content items)
"""

import io
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pydicom import Dataset
from pydicom.filereader import read_dataset
from pydicom.sequence import Sequence

from node.dicom.encoding.structure import check_structure
from node.dicom.encoding.transfer_syntax import NotParsable
from node.dicom.instance.part10 import NotPart10, opened_part10
from node.domain.errors import Permanent

MAXIMUM_BYTES = 64 << 20
"""A reference takes up some 120 bytes: half a million instances."""

_MALFORMED = (
    ValueError,
    TypeError,
    AttributeError,
    LookupError,
    ArithmeticError,
    NotImplementedError,
    OSError,
    EOFError,
)
_DEEPEST = 64  # levels of content; a real report has six


def parsed_document(path: Path) -> Dataset:
    """Return the dataset of a stored document.

    Raises
    ------
    Permanent
        It cannot be parsed, or is too large; without patient data.
    OSError
        The file cannot be read.
    """
    try:
        with opened_part10(path) as part10:
            if len(part10.dataset) > MAXIMUM_BYTES:
                raise Permanent(f"the document has more than {MAXIMUM_BYTES >> 20} MB")
            with check_structure(part10.dataset, part10.transfer_syntax_uid) as structure:
                if len(structure.dataset) > MAXIMUM_BYTES:
                    raise Permanent(f"the document inflates to more than {MAXIMUM_BYTES >> 20} MB")
                encoding, plain = structure.encoding, io.BytesIO(structure.dataset)
    except (NotPart10, NotParsable) as reason:
        raise Permanent(f"the document cannot be parsed: {reason}") from reason
    with malformed_is_permanent():
        return read_dataset(plain, encoding.implicit, not encoding.big_endian)


@contextmanager
def malformed_is_permanent() -> Iterator[None]:
    """Say `Permanent` for what reading elements raises that are not what they should be; nothing here reads a file.

    Elements are decoded when they are asked for, so that is where a value, a length or a character set is found wrong.
    """
    try:
        yield
    except struct.error as reason:
        raise Permanent("the document ends inside an element") from reason
    except _MALFORMED as reason:
        raise Permanent(f"the document has an element that cannot be read ({type(reason).__name__})") from reason


def items_of(dataset: Dataset, keyword: str) -> list[Dataset]:
    """Return the items of a sequence; none where it is absent, or is no sequence."""
    found = dataset.get(keyword)
    return list(found) if isinstance(found, Sequence) else []


def text_of(dataset: Dataset, keyword: str) -> str:
    """Return the value of an element as text without padding; "" where it is absent."""
    return str(dataset.get(keyword) or "").strip(" \0")


def content_of(dataset: Dataset) -> Iterator[Dataset]:
    """Yield every content item below one, each before what stands below it.

    Raises
    ------
    Permanent
        The items stand deeper within each other than any report's do.
    """
    left = [(item, 1) for item in reversed(items_of(dataset, "ContentSequence"))]
    while left:
        item, depth = left.pop()
        if depth > _DEEPEST:
            raise Permanent(f"the document's content is more than {_DEEPEST} levels deep")
        yield item
        left.extend((below, depth + 1) for below in reversed(items_of(item, "ContentSequence")))
