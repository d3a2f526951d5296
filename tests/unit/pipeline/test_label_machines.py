"""Key Objects that name no person: those of other vendors' AI are no labels, those of plain viewers are."""

from pathlib import Path

import pytest
from pydicom import Dataset

from node.dicom.documents.label_object import read_label_object
from node.domain.label import Verdict
from node.domain.label_text import vocabulary
from node.pipeline.labels.rules import Known, Understood, understood
from tests.support.objects.labels import standard, weasis
from tests.support.objects.notes import code, file_of

AI = Known(ai_manufacturers=frozenset({"cloudscan ai"}))


def _understood(folder: Path, document: Dataset) -> Understood:
    path = folder / "object.dcm"
    path.write_bytes(file_of(document))
    return understood(read_label_object(path), vocabulary({}, {}), {}, AI)


def _made_by(document: Dataset, manufacturer: str) -> Dataset:
    document.Manufacturer = manufacturer
    return document


def _processed(document: Dataset, manufacturer: str, purpose: str) -> Dataset:
    equipment = Dataset()
    equipment.Manufacturer = manufacturer
    equipment.PurposeOfReferenceCodeSequence = [code(purpose, "Equipment")]
    document.ContributingEquipmentSequence = [equipment]
    return document


def _authored(document: Dataset) -> Dataset:
    author = Dataset()
    author.ObserverType = "DEV"
    document.AuthorObserverSequence = [author]
    return document


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        (_made_by(weasis("Pneumonia"), "CloudScan AI "), "ai_manufacturers"),
        (_processed(weasis("Pneumonia"), "CloudScan AI", "109103"), "ai_manufacturers"),
        (_processed(weasis("Pneumonia"), "Somebody", "109102"), "a device says it"),
        (_authored(weasis("Pneumonia")), "a device says it"),
    ],
)
def test_a_key_object_of_a_machine_is_no_label(tmp_path: Path, document: Dataset, reason: str) -> None:
    """By the manufacturers that the operator named, or by the device that it names itself."""
    said = _understood(tmp_path, document)
    assert (said.verdict, said.words) == (Verdict.IGNORED, ())
    assert reason in said.reason


@pytest.mark.parametrize(
    "document",
    [
        _made_by(weasis("Pneumonia"), "Weasis"),
        _processed(weasis("Pneumonia"), "PACS", "109103"),
        _made_by(standard("113004", "Pneumonia"), "CloudScan AI"),
    ],
)
def test_a_key_object_that_a_person_may_have_made_labels(tmp_path: Path, document: Dataset) -> None:
    """Of a plain viewer without an observer, or of a person who observed at whatever workstation."""
    assert _understood(tmp_path, document).verdict is Verdict.LABELLED
