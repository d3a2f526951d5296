"""Is this one whole dataset? A bounded walk over raw bytes, without decoding a value.

The walk follows tags and lengths alone and touches no other byte, so that over a memory map only the pages are read
that headers stand on. On its way it keeps the raw values of the few elements that the header needs, so that a dataset
is walked once.

What has a defined length is skipped as a whole: a sequence or item whose length fits is sound enough to be kept, and
a sloppy private sequence inside must not cost an image. What has no length is walked to its delimiter. Contributing
Equipment alone is always walked, because the Device UIDs inside it say whether an object is our own.

It knows no database, no network and no patient.
"""

import struct
from contextlib import ExitStack
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from node.dicom.encoding.layout import VRS
from node.dicom.encoding.mapped import Scratch, inflated, temporary_file
from node.dicom.encoding.transfer_syntax import DEFLATED, Encoding, InflatesTooLarge, NotParsable, encoding_of
from node.dicom.encoding.walk import MAXIMUM_DEPTH, MAXIMUM_STEPS, MAXIMUM_VALUE_BYTES, Walk

__all__ = [
    "MAXIMUM_DEPTH",
    "MAXIMUM_STEPS",
    "MAXIMUM_VALUE_BYTES",
    "InflatesTooLarge",
    "NotParsable",
    "Structure",
    "check_structure",
    "structure_of_head",
]


@dataclass(frozen=True, slots=True)
class Structure:
    """What the walk found; values are raw and undecoded.

    It owns its view of the bytes and, of a deflated dataset, the memory map of the inflated ones: `close` it, or use
    it in a `with` statement. The values stay readable afterwards. What is never closed goes when it is dropped.
    """

    dataset: memoryview  #: the bytes that offsets refer to: as received, or inflated
    encoding: Encoding
    values: dict[int, bytes]  #: by tag, for the top-level elements in `WANTED` that are there
    device_uids: tuple[bytes, ...]  #: (0018,1002) Device UID, top level first, then Contributing Equipment, each once
    manufacturers: tuple[bytes, ...]  #: (0008,0070) Manufacturer of each Contributing Equipment, each once
    pixels: tuple[int, int] | None
    """Offset and length of the value of a pixel data element that has any bytes of pixels. An encapsulated value
    runs from the item of its offset table to its sequence delimiter, that delimiter left out."""
    steps: int  #: elements, items, fragments and delimiters that were stepped over, up to `MAXIMUM_STEPS`
    opened: ExitStack  #: what `close` closes

    def close(self) -> None:
        """Release the view, and what was inflated for it."""
        self.opened.close()

    def __enter__(self) -> Self:
        """Close it at the end of the block."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def check_structure(
    dataset: bytes | memoryview, transfer_syntax_uid: str, scratch: Scratch = temporary_file
) -> Structure:
    """Walk over a raw dataset and return its structure, to be closed.

    Parameters
    ----------
    dataset
        The encoded dataset, without preamble and file meta information; any contiguous buffer of bytes, such as a
        view of a memory map. No view of it is kept where this raises.
    transfer_syntax_uid
        The transfer syntax it claims. An unknown one is taken as explicit VR little endian, encapsulated.
    scratch
        Opens the file that a deflated dataset is inflated into; called for those alone, and closed in every case.

    Raises
    ------
    NotParsable
        The dataset is empty, truncated, garbage, in another transfer syntax, has an unknown VR, a length that
        overruns what holds it, an unclosed sequence or item, or is nested or populated past the caps.
    InflatesTooLarge
        A deflated dataset grows past the cap (a kind of `NotParsable`).
    OSError
        The scratch file cannot be written, or the disk is full.

    References
    ----------
    DICOM PS3.5 7 (elements, sequences), A.4 (encapsulation), A.5 (deflated)
    """
    encoding = encoding_of(transfer_syntax_uid)
    with ExitStack() as opened:
        whole = opened.enter_context(inflated(dataset, scratch)) if transfer_syntax_uid in DEFLATED else dataset
        data = opened.enter_context(memoryview(whole))
        _check_first_element(data, encoding)
        walk = Walk(data, encoding)
        walk.run()
        return _found(walk, data, encoding, opened.pop_all())


def structure_of_head(head: bytes, size_bytes: int, transfer_syntax_uid: str) -> Structure | None:
    """Return the structure of a dataset of which the beginning is at hand, where that tells all of it.

    It does where every header stands in the beginning, as it is where nothing but pixels is long. Otherwise the answer
    is None, and so it is for whatever `check_structure` would refuse: to say why is left to that.

    Parameters
    ----------
    head
        The first bytes of the dataset, or all.
    size_bytes
        Of the whole dataset.
    transfer_syntax_uid
        The transfer syntax it claims.
    """
    if transfer_syntax_uid in DEFLATED:
        return None
    encoding = encoding_of(transfer_syntax_uid)
    walk = Walk(head, encoding, size_bytes=size_bytes)
    try:
        _check_first_element(head, encoding)
        walk.run()
    except (NotParsable, struct.error):
        return None
    return _found(walk, memoryview(head), encoding, ExitStack())


def _found(walk: Walk, data: memoryview, encoding: Encoding, opened: ExitStack) -> Structure:
    manufacturers = tuple(walk.manufacturers)
    return Structure(
        data, encoding, walk.values, walk.device_uids, manufacturers, walk.pixels, steps=walk.steps, opened=opened
    )


def _check_first_element(data: bytes | memoryview, encoding: Encoding) -> None:
    """Tell a dataset in another transfer syntax by its first element, before a wrong length leads far into it."""
    if len(data) < 8:
        raise NotParsable("it is empty" if not data else f"it ends after {len(data)} bytes, inside its first element")
    group = int.from_bytes(data[:2], encoding.byte_order)
    # every composite instance has group 0008 and may begin with 0002 or 0004; no group reads like these swapped
    if group in {0x0200, 0x0400, 0x0800}:
        raise NotParsable("its first element is in the other byte order: another transfer syntax was used")
    if encoding.implicit and bytes(data[4:6]) in VRS:
        raise NotParsable("its first element has a VR: it was sent as implicit VR and is explicit VR")
