"""Training and evaluating bundles at an operator's word; the learned part is imported late, for these verbs alone."""

import os
import shutil
from pathlib import Path
from typing import Any

from node.domain.errors import OperatorError
from node.pipeline.send import Reporter


def train(recipe: str, data: Path, out: Path, seed: int, report: Reporter, *, replace: bool) -> Path:
    """Train a bundle and return its folder.

    Parameters
    ----------
    recipe
        Name of a shipped recipe, or the path of a TOML file.
    data
        Folder of the data set.
    out
        Folder of the new bundle.
    seed
        The same seed, data and number of threads give the same bundle.
    report
        Told of the progress.
    replace
        Whether a bundle that is there gives way to the new one, once that is complete.

    Raises
    ------
    OperatorError
        Where `out` exists and may not be replaced, or the data cannot be trained on.
    """
    _quieten()
    from models.dataset import DataError  # noqa: PLC0415
    from models.recipe import RecipeError  # noqa: PLC0415
    from models.training import train as train_bundle  # noqa: PLC0415

    if out.exists() and not replace:
        raise OperatorError(f"{out} exists: name another --out, or let it be replaced with --replace", exit_code=2)
    target = out.with_name(f".{out.name}-new") if out.exists() else out
    shutil.rmtree(target, ignore_errors=True)  # left by a run that was killed between training and replacing
    try:
        train_bundle(recipe, data, target, seed, report)
    except RecipeError as error:
        raise OperatorError(f"the recipe {recipe} cannot be used: {error}", exit_code=2) from error
    except DataError as error:
        raise OperatorError(f"the data in {data} cannot be trained on: {error}") from error
    if target != out:
        shutil.rmtree(out)
        target.rename(out)
    return out


def evaluate(bundle: Path, data: Path, split: str, report: Reporter) -> dict[str, Any]:
    """Return a bundle's measures on one split of a data set.

    Raises
    ------
    OperatorError
        Where the bundle cannot be used or the data cannot be read.
    """
    _quieten()
    from models.bundle import BundleError  # noqa: PLC0415
    from models.dataset import DataError  # noqa: PLC0415
    from models.evaluation import evaluate as evaluate_bundle  # noqa: PLC0415

    try:
        return evaluate_bundle(bundle, data, split, report)
    except BundleError as error:
        raise OperatorError(f"the bundle {bundle} cannot be used: {error}") from error
    except DataError as error:
        raise OperatorError(f"the data in {data} cannot be evaluated on: {error}") from error


def _quieten() -> None:
    """Keep TensorFlow's start-up remarks out of the progress bar; read when it is imported."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
