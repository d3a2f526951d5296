"""A report as text for a terminal: its header in short, then its content tree, indented.

It reads any SR dataset, ours or another's, and needs no highdicom.
"""

import io
from collections.abc import Callable, Iterator

from pydicom import Dataset
from pydicom.filereader import read_dataset

from node.dicom.encoding.charset import clean
from node.dicom.encoding.structure import check_structure
from node.dicom.encoding.transfer_syntax import IMPLICIT_VR_LITTLE_ENDIAN

_HEADER = (
    ("patient", "PatientName"),
    ("patient ID", "PatientID"),
    ("study", "StudyInstanceUID"),
    ("series", "SeriesDescription"),
    ("report", "SOPInstanceUID"),
    ("created", "ContentDate"),
    ("completion", "CompletionFlag"),
    ("verification", "VerificationFlag"),
)


def report_text(dataset: bytes, transfer_syntax_uid: str = IMPLICIT_VR_LITTLE_ENDIAN) -> str:
    """Return a report as lines of text.

    Parameters
    ----------
    dataset
        The encoded dataset, without preamble and meta information.
    transfer_syntax_uid
        Its transfer syntax; our own reports are Implicit VR Little Endian.

    Raises
    ------
    NotParsable
        The bytes are not one whole dataset.
    """
    with check_structure(dataset, transfer_syntax_uid) as structure:
        encoding, plain = structure.encoding, io.BytesIO(structure.dataset)
    report = read_dataset(plain, encoding.implicit, not encoding.big_endian)
    header = [f"{title + ':':13} {clean(str(report.get(keyword) or '-'))}" for title, keyword in _HEADER]
    predecessors = [f"{'replaces:':13} {uid}" for uid in _predecessors(report)]
    return "\n".join([*header, *predecessors, "", *_tree(report, 0)]) + "\n"


def _predecessors(report: Dataset) -> Iterator[str]:
    for study in report.get("PredecessorDocumentsSequence", ()):
        for series in study.get("ReferencedSeriesSequence", ()):
            yield from (str(item.ReferencedSOPInstanceUID) for item in series.get("ReferencedSOPSequence", ()))


def _tree(item: Dataset, depth: int) -> Iterator[str]:
    name = _meaning(item.get("ConceptNameCodeSequence"))
    say = _VALUES.get(str(item.get("ValueType", "")))
    value = say(item) if say is not None else []
    first, *rest = value or [""]
    indent = "  " * depth
    yield indent + (f"{name}: {first}" if name and first else name or first)
    yield from (f"{indent}  {line}" for line in rest)
    for child in item.get("ContentSequence", ()):
        yield from _tree(child, depth + 1)


def _meaning(sequence: object) -> str:
    items = list(sequence) if isinstance(sequence, list) or hasattr(sequence, "__iter__") else []
    return clean(str(items[0].get("CodeMeaning", ""))) if items else ""


def _number(item: Dataset) -> list[str]:
    values = item.get("MeasuredValueSequence")
    if not values:
        return ["no value"]
    units = values[0].get("MeasurementUnitsCodeSequence")
    unit = str(units[0].get("CodeValue", "")) if units else ""
    # UCUM writes "no unit" as 1, and what it has no unit for in braces
    shown = "" if unit == "1" else unit.strip("{}")
    number = str(values[0].get("NumericValue", "")).removesuffix(".0")
    return [f"{number} {shown}".rstrip()]


def _image(item: Dataset) -> list[str]:
    return [
        f"image {reference.get('ReferencedSOPInstanceUID', '')}" for reference in item.get("ReferencedSOPSequence", ())
    ]


def _region(item: Dataset) -> list[str]:
    return [f"{item.get('GraphicType', '')} of {len(item.get('GraphicData', ())) // 2} points"]


def _text(item: Dataset) -> list[str]:
    return [clean(line) for line in str(item.get("TextValue", "")).splitlines()]


def _code(item: Dataset) -> list[str]:
    return [_meaning(item.get("ConceptCodeSequence"))]


def _uid(item: Dataset) -> list[str]:
    return [str(item.get("UID", ""))]


_VALUES: dict[str, Callable[[Dataset], list[str]]] = {
    "CODE": _code,
    "IMAGE": _image,
    "NUM": _number,
    "SCOORD": _region,
    "TEXT": _text,
    "UIDREF": _uid,
}
