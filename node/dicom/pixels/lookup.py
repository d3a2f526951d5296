"""Lookup tables: the entries of a Modality LUT or VOI LUT, and values looked up in them.

References
----------
DICOM PS3.3 C.11.1.1 and C.11.2.1.1 (LUT Descriptor, LUT Data)
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from pydicom import Dataset

_WHOLE_RANGE = 1 << 16  #: entries of a table, where its descriptor says 0


@dataclass(frozen=True, slots=True)
class Table:
    """A lookup table; values below its first entry take that one, values above its last entry that one."""

    first: float  #: the value that the first entry stands for
    entries: npt.NDArray[np.float32]


def table_of(item: Dataset, *, little_endian: bool) -> Table:
    """Return the table in an item of a LUT sequence.

    Parameters
    ----------
    item
        With (0028,3002) LUT Descriptor and (0028,3006) LUT Data.
    little_endian
        Byte order of the dataset, for data that stands there as bytes.

    Raises
    ------
    AttributeError, LookupError, ArithmeticError, TypeError, ValueError
        Descriptor or data is missing, makes no sense, or promises more than there is.
    """
    count, first, bits = (int(number) for number in item.LUTDescriptor)
    return Table(
        float(first), _entries(item["LUTData"].value, count or _WHOLE_RANGE, bits, "<" if little_endian else ">")
    )


def looked_up(values: npt.NDArray[np.float32], table: Table, *, signed: bool) -> npt.NDArray[np.float32]:
    """Return the entry for each value, shape and dtype kept; values between two entries take the nearer one.

    Parameters
    ----------
    values
        What is looked up.
    table
        Where.
    signed
        Whether the values have a sign by the header: then a first value of 32768 or more was a negative one, written
        as US. So it was where one of the values is negative.
    """
    first = table.first
    if first >= _WHOLE_RANGE // 2 and (signed or values.min() < 0):
        first -= _WHOLE_RANGE
    index = np.clip(np.rint(values) - np.float32(first), 0, len(table.entries) - 1).astype(np.intp)
    found: npt.NDArray[np.float32] = table.entries[index]
    return found


def _entries(data: Any, count: int, bits: int, order: str) -> npt.NDArray[np.float32]:
    """Return a table's entries, from numbers (US) or from bytes (OW); those of 8 bits may be packed in pairs."""
    raw = data if isinstance(data, bytes) else np.atleast_1d(np.asarray(data, f"{order}u2")).tobytes()
    if len(raw) >= 2 * count:
        return np.frombuffer(raw, f"{order}u2", count).astype(np.float32)
    if bits != 8 or len(raw) < count:
        raise ValueError("the table has fewer entries than its descriptor says")
    packed = np.frombuffer(raw, f"{order}u2").astype("<u2")  # the first of a pair stands in the low byte
    return packed.view(np.uint8)[:count].astype(np.float32)
