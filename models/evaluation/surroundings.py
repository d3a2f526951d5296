"""What stands on a model card beside the evaluation itself: changed images, another hospital, other bundles.

It knows a loaded bundle, labelled images and files of measures.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models.bundle.folder import SPENT
from models.data.labelled import LabelledImages
from models.evaluation import robustness
from models.evaluation.measures import measure
from models.inference.reader import load

NEEDED = frozenset({"data", "bundle", "version", "split", "intervals", "maps"})
"""Keys without which a file holds no measures that a row can be made of."""


class CardError(ValueError):
    """A card that cannot be written; the message says why and what would help."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What stands on a card beside the evaluation itself."""

    data_name: str
    robustness: Sequence[Mapping[str, Any]] = ()  #: rows of `models.evaluation.robustness`
    adults: Mapping[str, Any] | None = None  #: measures on another hospital's adults
    beside: Sequence[Mapping[str, Any]] = ()  #: other bundles' measures, as `read_measures` returns them
    spent: Mapping[str, Any] | None = None  #: what training took, as the bundle's training.json says


def surroundings(
    bundle: Path,
    images: LabelledImages,
    adults: LabelledImages | None,
    names: tuple[str, Sequence[Path]],
    tell: Callable[[str, int, int], None],
) -> Surroundings:
    """Return what stands beside the evaluation of a bundle of one class.

    Parameters
    ----------
    bundle
        The bundle's folder.
    images
        Those that it was evaluated on; all of them are changed in many ways and read again.
    adults
        Another hospital's; None leaves them out.
    names
        What the data set is called, and files with the measures of other bundles.
    tell
        Called with stage, done and total.

    Raises
    ------
    CardError
        Where a file holds no measures, or the bundle has several classes.
    """
    reader, beside = load(bundle), tuple(read_measures(path) for path in names[1])
    if len(reader.manifest.classes) > 1:
        raise CardError(f"a card is for a bundle of one class, which {reader.manifest.name} is not")
    rows = tuple(robustness.rows(reader, images, adults, tell))
    measured = None if adults is None else measure(reader, adults, tell)
    return Surroundings(names[0], rows, measured, beside, _spent(bundle))


def _spent(bundle: Path) -> Mapping[str, Any] | None:
    """Return what an opened bundle says that its training took; None where it says nothing."""
    path = bundle / SPENT
    return json.loads(path.read_bytes()) if path.exists() else None


def read_measures(path: Path) -> dict[str, Any]:
    """Return the measures that an earlier evaluation wrote.

    Raises
    ------
    CardError
        Where the file cannot be read, or holds something else.
    """
    try:
        measures = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise CardError(f"{path} holds no measures: {error}") from error
    if not isinstance(measures, dict) or not set(measures) >= NEEDED:
        raise CardError(f"{path} holds no measures of an evaluation: write them with evaluate --out")
    return measures
