"""Training at an operator's word: a bundle takes its place at once, and takes no place that something else has.

The learned part is imported late, for this verb alone.
"""

import json
import os
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path

from node.domain.errors import OperatorError
from node.pipeline.progress import Reporter
from node.pipeline.registry.evaluation_log import log_training
from node.pipeline.registry.labelled_dicom import open_labelled

LARGEST_SEED = 2**31 - 1
"""NumPy and Keras take seeds of 32 bits; half of them leave room for those that a training counts up from its own."""


def train(
    recipe: str, data: Path, out: Path, seed: int, report: Reporter, *, replace: bool, say: Callable[[str], None]
) -> Path:
    """Train a bundle and return its folder; where the same training was cut off before, go on with it.

    Parameters
    ----------
    recipe
        Name of a shipped recipe, or the path of a TOML file.
    data
        Folder of zips with manifest.csv, npz, or folder of DICOM files with labels.csv.
    out
        Folder of the new bundle.
    seed
        From 0 to `LARGEST_SEED`; the same seed, data and number of threads give the same bundle.
    report
        Told of the progress.
    replace
        Whether a bundle that is there gives way to the new one, once that is complete.
    say
        Told in a sentence whether earlier work is gone on with.

    Raises
    ------
    OperatorError
        Where the seed is none, `out` exists and may not be replaced or is no bundle, cannot be written, or the recipe
        or the data cannot be trained with. Whatever stood at `out` stands there still.
    """
    quieten()
    if not 0 <= seed <= LARGEST_SEED:
        raise OperatorError(
            f"a seed is a number from 0 to {LARGEST_SEED}, not {seed}: name another --seed", exit_code=2
        )
    from models.data.dataset import DataError  # noqa: PLC0415
    from models.training.recipe import RecipeError  # noqa: PLC0415

    place = out.resolve()
    prepare(place, replace=replace)
    new = beside(place, "new")
    try:
        images = open_labelled(data, report)
        _trainer(recipe)(recipe, images, new, seed, report, work=beside(place, "training"), say=say)
        put_in_place(new, place, replace=replace)
        log_training(place, images, data.resolve().stem)
    except RecipeError as error:
        raise OperatorError(f"the recipe {recipe} cannot be used: {error}", exit_code=2) from error
    except DataError as error:
        raise OperatorError(f"the data in {data} cannot be trained on: {error}") from error
    except BlockingIOError as error:
        raise OperatorError(f"{out}: another training is at work on it: wait for it, or end it") from error
    except OSError as error:
        raise OperatorError(f"the bundle cannot be written to {out}: {error}") from error
    return out


def _trainer(recipe: str) -> Callable[..., Path]:
    """Return what trains with a recipe: a generator where it has the table [gan], a classifier otherwise.

    A generator is measured with the bundle that ships.
    """
    import models  # noqa: PLC0415 for this verb alone
    from models.evaluation.painted_measures import measured_by  # noqa: PLC0415 the same
    from models.training.gan import train_gan  # noqa: PLC0415 the same
    from models.training.recipe import read_table, recipe_path  # noqa: PLC0415 the same
    from models.training.whole_training import train as train_bundle  # noqa: PLC0415 the same

    if "gan" in read_table(recipe_path(recipe)):
        return partial(train_gan, measure=measured_by(models.STARTER))
    return train_bundle


def prepare(out: Path, *, replace: bool) -> None:
    """Refuse a place where no bundle may or can be put, before anything is trained; sweep what killed runs left.

    Parameters
    ----------
    out
        Folder of the new bundle, absolute.
    replace
        Whether a bundle that is there may give way.

    Raises
    ------
    OperatorError
        With exit code 2, naming the place and the way out.
    """
    from models.training.checkpoints import busy  # noqa: PLC0415 for this verb alone
    from models.training.whole_training import make_room, sweep  # noqa: PLC0415 the same

    if not out.name:
        raise OperatorError(f"{out} is no place for a bundle: name another --out", exit_code=2)
    try:
        if busy(beside(out, "training")):
            raise OperatorError(f"{out}: another training is at work on it: wait for it, or end it")
        _finish_killed_run(out)
        refuse_unfit(out, replace=replace)
        sweep(out)
        make_room(beside(out, "new"))
    except OSError as error:
        raise OperatorError(f"no bundle can be written to {out}: {error}; name another --out", exit_code=2) from error


def refuse_unfit(out: Path, *, replace: bool) -> None:
    """Refuse what may not be replaced: anything at all without `replace`, and with it what is no bundle.

    Raises
    ------
    OperatorError
        With exit code 2.
    """
    if not out.exists():
        return
    if not replace:
        raise OperatorError(f"{out} exists: name another --out, or let it be replaced with --replace", exit_code=2)
    if not _is_bundle(out):
        raise OperatorError(
            f"{out} is no folder with a bundle's manifest.json and is not replaced: name another --out, or remove it",
            exit_code=2,
        )


def put_in_place(new: Path, out: Path, *, replace: bool) -> None:
    """Let a complete new bundle take the place of what is at `out`, by renaming: a kill leaves either one whole.

    Raises
    ------
    OperatorError
        Where something came to stand at `out` meanwhile that may not be replaced.
    OSError
        Where a folder cannot be renamed; the old bundle stands again.
    """
    refuse_unfit(out, replace=replace)
    old = beside(out, "old")
    if out.exists():
        out.rename(old)
    try:
        new.rename(out)
    except OSError:
        if old.exists():
            old.rename(out)
        raise
    shutil.rmtree(old, ignore_errors=True)  # what cannot be removed now is swept by the next run


def beside(out: Path, role: str) -> Path:
    """Return the hidden folder beside `out` that holds a bundle ("new", "old") or what a "training" keeps."""
    return out.with_name(f".{out.name}-{role}")


def _finish_killed_run(out: Path) -> None:
    """Put back the old bundle where a run was killed between the two renames; remove all else that it left."""
    new, old = beside(out, "new"), beside(out, "old")
    if old.exists() and not out.exists():
        old.rename(out)
    for left in (new, old):
        shutil.rmtree(left, ignore_errors=True)


def _is_bundle(folder: Path) -> bool:
    """Whether a folder holds a manifest that a training wrote, of whatever kind and format; others have one, too."""
    try:
        table = json.loads((folder / "manifest.json").read_bytes())
    except (OSError, ValueError):
        return False
    return isinstance(table, dict) and not {"weights_digest", "manifest_digest"}.isdisjoint(table)


def quieten() -> None:
    """Keep TensorFlow's start-up remarks out of the progress bar; read when it is imported."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
