"""The report: plain values and source images in, an encoded Structured Report out.

Comprehensive 3D SR after TID 1500. Nothing in it is drawn at random or read from a clock, so the same arguments
always give the same bytes. What it knows of a study it takes from the source images, never from a row.

References
----------
DICOM PS3.3 A.35.13, PS3.16 TID 1500
"""

import io
from collections.abc import Callable, Sequence
from pathlib import Path

from pydicom import Dataset, dcmwrite

from node.dicom.check.content_tree import check_tree
from node.dicom.check.encoded_object import check_object
from node.dicom.check.report_content import check_content, check_report, check_texts, elements, fitting_character_set
from node.dicom.report.document_header import report_header
from node.dicom.report.tree import content_tree
from node.dicom.result.study_summary import first_line
from node.dicom.sources.source import Source, of_patient, source_of
from node.domain.errors import Permanent
from node.domain.instance import InstanceHeader
from node.domain.report import ReportContent, ReportIdentity


def build_report(content: ReportContent, identity: ReportIdentity, sources: Sequence[Path | InstanceHeader]) -> bytes:
    """Return a report as an encoded dataset, Implicit VR Little Endian, without preamble and meta information.

    Parameters
    ----------
    content
        What the report says.
    identity
        The UIDs that it gets.
    sources
        Stored files of the images read, or their headers, in the order of the readings. All that is copied comes from
        the first; of the others the header tells as much as the file.

    Raises
    ------
    Permanent
        No valid report can be made of this: the reason says why, without patient data.
    OSError
        A source cannot be read.
    """
    return encoded_document(content, identity, sources, _add_tree)


def encoded_document(
    content: ReportContent,
    identity: ReportIdentity,
    sources: Sequence[Path | InstanceHeader],
    add: Callable[[Dataset, ReportContent, list[Source]], None],
) -> bytes:
    """Return a document about a study, encoded and checked as a report is; `add` puts in what it says.

    The other parameters, and what is raised, are those of `build_report`.
    """
    images = [source_of(image) for image in sources]
    if content.patient is not None:
        images = [of_patient(image, content.patient) for image in images]
    check_content(content, images)
    dataset = report_header(content, identity, images)
    add(dataset, content, images)
    _declare_private_schemes(dataset)
    character_set = fitting_character_set(dataset, images[0].character_set)
    if character_set:
        dataset.SpecificCharacterSet = character_set
    return _checked(_encoded(dataset), dataset, first_line(content))


def _add_tree(dataset: Dataset, content: ReportContent, sources: list[Source]) -> None:
    dataset.update(content_tree(content, sources))


def _declare_private_schemes(dataset: Dataset) -> None:
    """Name the coding schemes that the Standard does not (PS3.3 C.12.1.1.5): those that begin with 99."""
    named = {str(element.value) for element in elements(dataset) if element.keyword == "CodingSchemeDesignator"}
    private = sorted(scheme for scheme in named if scheme.startswith("99"))
    if private:
        dataset.CodingSchemeIdentificationSequence = [_scheme(designator) for designator in private]


def _scheme(designator: str) -> Dataset:
    item = Dataset()
    item.CodingSchemeDesignator = designator
    item.CodingSchemeName = f"Private coding scheme {designator}"
    return item


def _encoded(dataset: Dataset) -> bytes:
    encoded = io.BytesIO()
    try:
        dcmwrite(encoded, dataset, implicit_vr=True, little_endian=True)
    except (AttributeError, OverflowError, TypeError, ValueError) as error:
        raise Permanent("the report cannot be encoded") from error
    return encoded.getvalue()


def _checked(encoded: bytes, meant: Dataset, line: str) -> bytes:
    """Return what was encoded, once it is seen to be valid as a receiver reads it, and to say what was meant."""
    read = check_object(encoded)
    check_tree(read)
    check_report(read, line)
    check_texts(read, meant)
    return encoded
