"""What stands in a report, read with pydicom alone."""

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydicom import Dataset, dcmread

from tests.support.objects.part10 import Part10File

COMPREHENSIVE_3D_SR = "1.2.840.10008.5.1.4.1.1.88.34"
NOT_ATTEMPTED = "111225"
CERTAINTY_OF_FINDING = "111012"


@dataclass(frozen=True, slots=True)
class Report:
    """One SR object, as a receiver holds it."""

    path: Path
    dataset: Dataset

    @property
    def uid(self) -> str:
        """Its SOP Instance UID."""
        return str(self.dataset.SOPInstanceUID)

    @property
    def study(self) -> str:
        """Its Study Instance UID."""
        return str(self.dataset.StudyInstanceUID)

    @property
    def certainties(self) -> list[float]:
        """The probabilities of presence that it states, in per cent."""
        items = (item for item in content_items(self.dataset) if concept(item) == CERTAINTY_OF_FINDING)
        return [float(item.MeasuredValueSequence[0].NumericValue) for item in items]

    @property
    def not_assessed(self) -> bool:
        """Whether it says that nothing was read."""
        return NOT_ATTEMPTED in coded_values(self.dataset)


def read_report(path: Path) -> Report:
    """Return the report in a file."""
    return Report(path, dcmread(path))


def reports(files: Sequence[Part10File]) -> list[Report]:
    """Return the reports among received objects."""
    return [read_report(file.path) for file in files if file.sop_class_uid == COMPREHENSIVE_3D_SR]


def report_in(encoded: bytes, path: Path) -> Report:
    """Keep an encoded report as a file, for the validators, and return it."""
    path.write_bytes(encoded)
    return Report(path, dcmread(io.BytesIO(encoded)))


def content_items(dataset: Dataset) -> Iterator[Dataset]:
    """Yield every content item below a container, in the order of the tree."""
    for item in dataset.get("ContentSequence", ()):
        yield item
        yield from content_items(item)


def texts(dataset: Dataset) -> list[str]:
    """Return the texts of all TEXT items, in the order of the tree."""
    return [str(item.TextValue) for item in content_items(dataset) if "TextValue" in item]


def concept(item: Dataset) -> str:
    """Return the code value of a content item's name, or nothing."""
    return str(item.ConceptNameCodeSequence[0].CodeValue) if "ConceptNameCodeSequence" in item else ""


def coded_values(dataset: Dataset) -> set[str]:
    """Return the code values of all CODE items."""
    items = (item for item in content_items(dataset) if item.ValueType == "CODE")
    return {str(item.ConceptCodeSequence[0].CodeValue) for item in items}
