"""One training from a site's labels, in a child process of low priority: from a folder to a bundle.

It gets paths and values and returns values; it never opens the database. What it has done it leaves in the run's
folder, so that the next process goes on after a kill; a bundle appears complete or not at all.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING

from node.domain.errors import Permanent
from node.pipeline.failure import of_file
from node.pipeline.registry.train import quieten
from node.telemetry import native_chatter_dropped

if TYPE_CHECKING:  # only the child process imports the learned part
    from models.data.joint import Joined
    from models.data.labelled import DataSet
    from models.training.recipe import Recipe

PROGRESS, TRAINED, NICENESS = "progress.json", "trained", 10
_EVERY_S = 1.0  # between two writings of the progress


@dataclass(frozen=True, slots=True)
class Task:
    """Everything that a training follows from."""

    run: Path  #: folder of what is half done
    data: Path  #: the site's images (`node.pipeline.learning.training_folder`)
    out: Path  #: where the bundle is to be
    recipe: str
    champion: Path  #: the bundle that it is to follow: its classes are those of the challenger
    start: str  #: "scratch", "champion": with its weights, or "beside": an expert of the site beside it
    replayed: tuple[Path, ...]  #: data folders that are learned from beside
    locked: tuple[str, ...]  #: hashes of all locked images: nothing that shows one of them is replayed
    seed: int
    version: str  #: of the bundle
    synthetic: bool  #: whether painted images are tried, too
    now: datetime


@dataclass(frozen=True, slots=True)
class Problem:
    """A label that is probably wrong."""

    name: str  #: of the image
    label: int
    likelihood: float  #: 0 to 1


@dataclass(frozen=True, slots=True)
class Trained:
    """What a training came to."""

    said: tuple[str, ...]  #: what was done beside, a sentence each
    problems: tuple[Problem, ...]
    digests: Mapping[str, str] = field(default_factory=dict)  #: of what was replayed, by what it is


def train_task(task: Task) -> Trained:
    """Train, fit to the site, and leave the bundle at its place; where that is done already, only look at the labels.

    Raises
    ------
    Permanent
        Where nothing can be learned from the data or with the recipe.
    Transient
        Where a file cannot be read or written.
    """
    from models.data.labelled import DataError  # noqa: PLC0415 - as above
    from models.training.recipe import RecipeError  # noqa: PLC0415 - the same

    os.nice(NICENESS)
    quieten()
    try:
        with native_chatter_dropped():
            return _trained(task)
    except (DataError, RecipeError) as error:
        raise Permanent(f"no training: {error}") from error
    except OSError as error:
        raise of_file(error, "the training cannot read or write") from error


def progress_of(run: Path) -> tuple[str, int, int] | None:
    """Return what a training said last of its progress: stage, done and total; None where it said nothing yet."""
    try:
        said = json.loads((run / PROGRESS).read_bytes())
        return str(said["stage"]), int(said["done"]), int(said["total"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


class _Progress:
    """Writes the stage that is under way to a file, now and then."""

    def __init__(self, run: Path) -> None:
        self._file, self._written, self._whole = run / PROGRESS, 0.0, (0, 1)

    def __call__(self, stage: str, done: int, total: int) -> None:
        """Take note of a step."""
        from models.training.checkpoints import replace_file  # noqa: PLC0415 - as above
        from models.training.training_progress import WHOLE  # noqa: PLC0415 - the same

        if stage == WHOLE:
            self._whole = done, total
            return
        if monotonic() - self._written >= _EVERY_S:
            self._written = monotonic()
            said = {"stage": stage, "done": self._whole[0], "total": self._whole[1]}
            replace_file(self._file, json.dumps(said).encode())


def _trained(task: Task) -> Trained:
    from models.data.examples import KeptFolder  # noqa: PLC0415 - the same
    from models.data.joint import SIDES, joined, of_source  # noqa: PLC0415 - as above
    from models.training.site_fit import SITE, fitted_to_site  # noqa: PLC0415 - the same
    from models.training.suspects import suspects  # noqa: PLC0415 - the same
    from models.training.whole_training import train  # noqa: PLC0415 - the same

    replayed, said, trained = _replayed(task), [], task.run / TRAINED
    joint = joined(KeptFolder(task.data), replayed, task.locked)
    plan, start = _plan(task), task.champion if task.start != "scratch" else None
    if joint.dropped:
        said.append(f"{joint.dropped} replayed images left out: they show a picture of a locked set or of another side")
    data: DataSet = joint.data
    if task.synthetic:
        data, sentence = _with_painted(task, plan, joint)
        said.append(sentence)
    if not task.out.exists():
        if not trained.exists():
            train(plan, data, trained, task.seed, _Progress(task.run), start=start, clock=lambda: task.now)
        fit_to, calibrates = (joint.data.images("val"), task.out, task.now), task.start != "beside"
        said += fitted_to_site(trained, *fit_to, champion=task.champion, calibrates=calibrates).said
    doubtful = [
        one for split in ("train", "val") for one in suspects(of_source(joint.data.images(split), SITE), task.seed)
    ]
    problems = tuple(Problem(one.name, one.label, one.likelihood) for one in doubtful)
    return Trained(tuple(said), problems, {f"replayed {name}": data.digest(SIDES) for name, data in replayed.items()})


def _replayed(task: Task) -> "dict[str, DataSet]":
    from node.pipeline.registry.labelled_dicom import open_labelled  # noqa: PLC0415 - as above

    return {path.name: open_labelled(path, lambda *_: None) for path in task.replayed}


def _plan(task: Task) -> "Recipe":
    """Return the recipe with the champion's classes, and whose data it is trained on."""
    from models.bundle.folder import BundleError, read_manifest  # noqa: PLC0415 - as above
    from models.training.recipe import Class, ClassifierRecipe, DataSource, read_recipe  # noqa: PLC0415 - the same

    plan = read_recipe(task.recipe)
    try:
        champion = read_manifest(task.champion)
    except BundleError as error:
        raise Permanent(f"the champion {task.champion.name} cannot be used: {error}") from error
    names = [path.name for path in task.replayed]
    known = champion.data if (names or task.start != "scratch") else None
    data = DataSource(
        " + ".join(["site", *names]),
        f"the site's own; {known.licence}" if known else "the site's own",
        f"Images of this site, labelled by its readers. {known.attribution if known else ''}".strip(),
    )
    classes = tuple(Class(one.name, one.finding, one.site) for one in champion.classes)
    head = replace(plan.recipe, name=champion.name, version=task.version)
    plan = replace(plan, recipe=head, classes=classes, data=data)
    if task.start != "beside":
        return plan
    own = champion.recipe.get("classifier")
    if not isinstance(own, dict):
        raise Permanent(f"the champion {task.champion.name} was trained elsewhere: no expert can stand beside it")
    alone = replace(plan.recipe, seeds=1, members=1)
    return replace(plan, recipe=alone, classifier=ClassifierRecipe(**own), expert=True)


def _with_painted(task: Task, plan: "Recipe", joint: "Joined") -> tuple["DataSet", str]:
    """Return the data with painted images where the validation keeps them, and a sentence that says so."""
    from models.inference.generator import load_generator  # noqa: PLC0415 - as above
    from models.training.painted import with_painted  # noqa: PLC0415 - the same

    if plan.exclusive:
        return joint.data, "painted images are for a single class: none tried"
    tried = with_painted(load_generator(), joint.data, plan.classes[0].name, task.seed, task.run)
    return tried.data, tried.said
