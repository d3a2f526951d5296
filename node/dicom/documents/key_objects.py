"""What a Key Object Selection says: whether it is a rejection note, and which instances it names.

It knows the form of such documents and nothing of what follows from them.

References
----------
DICOM PS3.3 A.35.4 (Key Object Selection Document IOD), C.17.6.2; PS3.16 TID 2010, CID 7010; IHE RAD TF-2, RAD-66.
"""

from collections.abc import Iterator
from pathlib import Path

from pydicom import Dataset

from node.dicom.documents.stored_document import content_of, items_of, malformed_is_permanent, parsed_document, text_of
from node.domain.errors import Permanent
from node.domain.identifiers import SOPInstanceUID, StudyInstanceUID, is_uid
from node.domain.rejection import KeyObjects, Named, RejectionCode

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
    dataset = parsed_document(path)
    with malformed_is_permanent():
        return _said(dataset)


def _said(dataset: Dataset) -> KeyObjects:
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


def _code(dataset: Dataset) -> RejectionCode | None:
    """Return the title where it is one of the four; a document without a title is no rejection note either."""
    for title in items_of(dataset, "ConceptNameCodeSequence"):
        if text_of(title, "CodingSchemeDesignator") == _SCHEME:
            return next((code for code in RejectionCode if code == text_of(title, "CodeValue")), None)
    return None


def _evidence(dataset: Dataset) -> Iterator[Named]:
    """Yield what (0040,A375) Current Requested Procedure Evidence Sequence names."""
    for study in items_of(dataset, "CurrentRequestedProcedureEvidenceSequence"):
        for series in items_of(study, "ReferencedSeriesSequence"):
            yield from _references(series, text_of(study, "StudyInstanceUID"))


def _content(dataset: Dataset) -> Iterator[Named]:
    """Yield what the items of the content name, at any depth; their studies stand in the evidence, or it is the own."""
    study = text_of(dataset, "StudyInstanceUID")
    for item in content_of(dataset):
        yield from _references(item, study)


def _references(item: Dataset, study: str) -> Iterator[Named]:
    for reference in items_of(item, "ReferencedSOPSequence"):
        yield Named(StudyInstanceUID(study), SOPInstanceUID(text_of(reference, "ReferencedSOPInstanceUID")))
