"""Reports as the tests read them: what stands in their content tree, by the codes of its concepts."""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydicom import Dataset, dcmread
from pydicom.filereader import read_dataset

from tests.support.objects.studies import Study


def parsed(study: Study) -> Dataset:
    """Return the report of a study, decoded to its end."""
    dataset = read_dataset(io.BytesIO(study.report()), is_implicit_VR=True, is_little_endian=True)
    dataset.walk(lambda *_: None)  # decode all of it while the character set of the top level is at hand
    return dataset


def items(item: Dataset, name: str = "", value_type: str = "") -> Iterator[Dataset]:
    """Yield the content items below an item that have this concept and this type, at any depth."""
    for child in item.get("ContentSequence", ()):
        if name in {"", name_of(child)} and value_type in {"", child.ValueType}:
            yield child
        yield from items(child, name, value_type)


def name_of(item: Dataset) -> str:
    """Return the code of an item's concept."""
    return str(item.ConceptNameCodeSequence[0].CodeValue)


def value_of(item: Dataset) -> str:
    """Return the code that is an item's value."""
    return str(item.ConceptCodeSequence[0].CodeValue)


def values(item: Dataset, name: str) -> list[str]:
    """Return the coded values under a concept."""
    return [value_of(found) for found in items(item, name, "CODE")]


def texts(item: Dataset, name: str) -> list[str]:
    """Return the texts under a concept."""
    return [str(found.TextValue) for found in items(item, name, "TEXT")]


def rewrite(path: Path, **changed: Any) -> None:
    """Give elements of a file other values; None takes one away."""
    dataset = dcmread(path)
    for keyword, value in changed.items():
        if value is None:
            delattr(dataset, keyword)
        else:
            setattr(dataset, keyword, value)
    dataset.save_as(path)
