"""What a Key Object Selection says: whether it is a rejection note, and which instances it names.

It knows the form of such documents and nothing of what follows from them.

References
----------
DICOM PS3.3 A.35.4 (Key Object Selection Document IOD), C.17.6.2; PS3.16 TID 2010, CID 7010; IHE RAD TF-2, RAD-66.
"""

import io
import struct
from collections.abc import Iterator
from pathlib import Path

from pydicom import Dataset
from pydicom.filereader import read_dataset
from pydicom.sequence import Sequence

from node.dicom.encoding import NotParsable
from node.dicom.part10 import NotPart10, opened_part10
from node.dicom.structure import check_structure
from node.domain.errors import Permanent
from node.domain.identifiers import SOPInstanceUID, StudyInstanceUID, is_uid
from node.domain.rejection import KeyObjects, Named, RejectionCode

MAXIMUM_BYTES = 64 << 20
"""A reference takes up some 120 bytes: half a million instances."""

_SCHEME = "DCM"


def read_key_objects(path: Path) -> KeyObjects:
    """Read a stored Key Object Selection.

    What it names is the union of its evidence and its content: some programs fill only the one or the other.

    Parameters
    ----------
    path
        The stored file.

    Returns
    -------
    KeyObjects
        With its title, where that is the one of a rejection note.

    Raises
    ------
    Permanent
        It is a rejection note that names no instance or one that cannot be, or it cannot be read: the reason says why,
        without patient data.
    OSError
        The file cannot be read.
    """
    dataset = _parsed(path)
    code = _code(dataset)
    if code is None:
        return KeyObjects(None, ())
    named = tuple(dict.fromkeys([*_evidence(dataset), *_content(dataset)]))
    # of an instance that both name, the evidence knows the study
    of_each = {one.sop_instance_uid: one for one in reversed(named)}
    if not of_each:
        raise Permanent("the rejection note names no instance")
    for one in of_each.values():
        if not (is_uid(one.sop_instance_uid) and is_uid(one.study_instance_uid)):
            raise Permanent("the rejection note names an instance or a study whose UID is none")
    return KeyObjects(code, tuple(reversed(of_each.values())))


def _parsed(path: Path) -> Dataset:
    try:
        with opened_part10(path) as part10:
            if len(part10.dataset) > MAXIMUM_BYTES:
                raise Permanent(f"the document has more than {MAXIMUM_BYTES >> 20} MB")
            with check_structure(part10.dataset, part10.transfer_syntax_uid) as structure:
                if len(structure.dataset) > MAXIMUM_BYTES:
                    raise Permanent(f"the document inflates to more than {MAXIMUM_BYTES >> 20} MB")
                encoding, plain = structure.encoding, io.BytesIO(structure.dataset)
        return read_dataset(plain, encoding.implicit, not encoding.big_endian)
    except (NotPart10, NotParsable) as reason:
        raise Permanent(f"the document cannot be parsed: {reason}") from reason
    except struct.error as reason:
        raise Permanent("the document ends inside an element") from reason


def _code(dataset: Dataset) -> RejectionCode | None:
    """Return the title where it is one of the four; a document without a title is no rejection note either."""
    for title in _items(dataset, "ConceptNameCodeSequence"):
        if _text(title, "CodingSchemeDesignator") == _SCHEME:
            return next((code for code in RejectionCode if code == _text(title, "CodeValue")), None)
    return None


def _evidence(dataset: Dataset) -> Iterator[Named]:
    """Yield what (0040,A375) Current Requested Procedure Evidence Sequence names."""
    for study in _items(dataset, "CurrentRequestedProcedureEvidenceSequence"):
        for series in _items(study, "ReferencedSeriesSequence"):
            yield from _references(series, _text(study, "StudyInstanceUID"))


def _content(dataset: Dataset) -> Iterator[Named]:
    """Yield what the items of the content name, at any depth; their studies stand in the evidence, or it is the own."""
    study, left = _text(dataset, "StudyInstanceUID"), [dataset]
    while left:
        for item in _items(left.pop(), "ContentSequence"):
            yield from _references(item, study)
            left.append(item)


def _references(item: Dataset, study: str) -> Iterator[Named]:
    for reference in _items(item, "ReferencedSOPSequence"):
        yield Named(StudyInstanceUID(study), SOPInstanceUID(_text(reference, "ReferencedSOPInstanceUID")))


def _items(dataset: Dataset, keyword: str) -> list[Dataset]:
    found = dataset.get(keyword)
    return list(found) if isinstance(found, Sequence) else []


def _text(dataset: Dataset, keyword: str) -> str:
    return str(dataset.get(keyword) or "").strip(" \0")
