"""Evaluating bundles at an operator's word; the learned part is imported late, for this verb alone."""

from pathlib import Path
from typing import Any

from node.domain.errors import OperatorError
from node.pipeline.labelled import open_labelled
from node.pipeline.send import Reporter
from node.pipeline.train import quieten


def evaluate(bundle: Path, data: Path, split: str, report: Reporter) -> dict[str, Any]:
    """Return a bundle's measures on one split of a data set.

    Raises
    ------
    OperatorError
        Where the bundle cannot be used or the data cannot be read.
    """
    quieten()
    from models.bundle.folder import BundleError  # noqa: PLC0415
    from models.data.dataset import DataError  # noqa: PLC0415
    from models.evaluation.measures import evaluate as evaluate_bundle  # noqa: PLC0415

    try:
        return evaluate_bundle(bundle, open_labelled(data, report), split, report).measures
    except BundleError as error:
        raise OperatorError(f"the bundle {bundle} cannot be used: {error}") from error
    except DataError as error:
        raise OperatorError(f"the data in {data} cannot be evaluated on: {error}") from error
