"""Evaluating bundles at an operator's word: measures, a page, a card, and a line in the log of evaluations.

The learned part is imported late, for this verb alone.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from node.domain.errors import OperatorError
from node.pipeline.progress import Reporter
from node.pipeline.registry.evaluation_log import LEARNED_FROM, log_of, prepare, utc_now
from node.pipeline.registry.labelled_dicom import open_labelled
from node.pipeline.registry.train import quieten

if TYPE_CHECKING:
    from models.data.labelled import DataSet
    from models.evaluation.measures import Evaluation

ADULTS = "chest_nih_adult"
"""Folder beside a data set with adults' chests of another hospital, which a card measures where it is there."""

LOCKED = "test"
"""Its split that is measured."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What an evaluation is to leave, beside its measures."""

    html: Path | None = None  #: the page
    out: Path | None = None  #: a folder for measures.json, page.html and the figures
    card: Path | None = None  #: the model card, with its figures in the folder beside it
    beside: tuple[Path, ...] = ()  #: measures.json of other bundles, as rows of the card
    log: Path | None = None  #: the log; else the checkout's, or one beside the bundle
    note: str = ""  #: why the test split is looked at


@dataclass(frozen=True, slots=True)
class _Task:
    """One evaluation that was asked for."""

    bundle: Path
    data: Path
    split: str
    report: Reporter
    wanted: Wanted
    clock: Callable[[], datetime]
    say: Callable[[str], object]

    @property
    def name(self) -> str:
        return self.data.resolve().stem

    @property
    def log(self) -> Path:
        return log_of(self.bundle, self.wanted.log)

    def neighbour(self, name: str) -> Path | None:
        """Return a data set beside the one that is evaluated on, where there is one."""
        beside = self.data.resolve().parent / name
        return beside if beside.is_dir() else None


NOTHING = Wanted()


def evaluate(
    bundle: Path,
    data: Path,
    split: str,
    report: Reporter,
    wanted: Wanted = NOTHING,
    clock: Callable[[], datetime] = utc_now,
    say: Callable[[str], object] = lambda _line: None,
) -> dict[str, Any]:
    """Return a bundle's measures on one split of a data set: `models.evaluation.measures.evaluate`'s, and `data`.

    Every split that is not learned from leaves a line in the log. What a reader of the figures has to know of the data
    is said, a line each.

    Raises
    ------
    OperatorError
        Where the bundle cannot be used, the data cannot be read, or something cannot be written.
    """
    quieten()
    from models.bundle.folder import BundleError  # noqa: PLC0415
    from models.data.dataset import DataError  # noqa: PLC0415
    from models.evaluation.surroundings import CardError  # noqa: PLC0415

    if wanted.card is not None and split in LEARNED_FROM:
        raise OperatorError(
            f"a card of the split {split}, which was learned from, says nothing: take the test split", 2
        )
    task = _Task(bundle, data, split, report, wanted, clock, say)
    try:
        return _evaluated(task)
    except BundleError as error:
        raise OperatorError(f"the bundle {bundle} cannot be used: {error}") from error
    except DataError as error:
        raise OperatorError(f"the data in {data} cannot be evaluated on: {error}") from error
    except CardError as error:
        raise OperatorError(f"the card cannot be written: {error}", exit_code=2) from error
    except OSError as error:
        raise OperatorError(f"the evaluation cannot be written: {error}") from error


def _evaluated(task: _Task) -> dict[str, Any]:
    from models.evaluation.measures import evaluate as evaluate_bundle  # noqa: PLC0415
    from models.evaluation.strangers import FOLDER  # noqa: PLC0415

    images = open_labelled(task.data, task.report)
    if task.split not in LEARNED_FROM:
        prepare(task.log)
    evaluation = evaluate_bundle(task.bundle, images, task.split, task.report, strangers=task.neighbour(FOLDER))
    for line in _warnings(task, evaluation, images):
        task.say(line)
    _log(task, evaluation, evaluation.measures, (task.name, task.split))
    _write(task, evaluation)
    if task.wanted.card is not None:
        _write_card(task, evaluation, images, task.wanted.card)
    return {"data": task.name, **evaluation.measures}


def _warnings(task: _Task, evaluation: "Evaluation", images: "DataSet") -> list[str]:
    """Return what does not go without saying: other data than the bundle's, what its labels mean, or its own data."""
    known, trained = evaluation.manifest.label_names, evaluation.manifest.data
    names = ", ".join(f"{number} {name}" for number, name in enumerate(known))
    lines = []
    if trained is not None and trained.name != task.name:
        lines.append(f"the bundle was trained on {trained.name}, not on {task.name}: labels are read as {names}")
    elif evaluation.manifest.classifier.places and len(known) > 1:
        lines.append(f"labels are read as {names}")
    if trained is not None and trained.digest and trained.digest == _learned_digest(images):
        learned = "learned from" if task.split in LEARNED_FROM else "not learned from"
        lines.append(f"these are the very data that the bundle was trained with; the split {task.split} was {learned}")
    return lines


def _learned_digest(images: "DataSet") -> str:
    return images.digest(LEARNED_FROM & frozenset(images.splits))


def _log(task: _Task, evaluation: "Evaluation", measures: dict[str, Any], looked_at: tuple[str, str]) -> None:
    """Append a line for the data set and the split that were looked at."""
    from models.evaluation.log import log_use, use_of  # noqa: PLC0415

    name, split = looked_at
    if split not in LEARNED_FROM:
        origin = (name, str(measures["data_digest"]))
        log_use(task.log, use_of(evaluation.manifest, measures, origin, split, task.clock(), task.wanted.note))


def _write(task: _Task, evaluation: "Evaluation") -> None:
    from models.evaluation.card import write_figures  # noqa: PLC0415
    from models.evaluation.page import write_page  # noqa: PLC0415

    html, out = task.wanted.html, task.wanted.out
    if html is not None:
        write_page(evaluation, html, task.name)
    if out is not None:
        write_figures(evaluation, out / "figures")
        write_page(evaluation, out / "page.html", task.name)
        text = json.dumps({"data": task.name, **evaluation.measures}, indent=2, allow_nan=False)
        (out / "measures.json").write_text(text + "\n", encoding="utf-8")


def _write_card(task: _Task, evaluation: "Evaluation", images: "DataSet", path: Path) -> None:
    """Write the card; looking at the other hospital for it is a use of that one's test split, too."""
    from models.evaluation.card import write_card  # noqa: PLC0415
    from models.evaluation.surroundings import surroundings  # noqa: PLC0415

    folder = task.neighbour(ADULTS)
    others = None if folder is None else open_labelled(folder, task.report)
    adults = None if others is None else others.images(LOCKED)
    names = (task.name, task.wanted.beside)
    around = surroundings(task.bundle, images.images(task.split), adults, names, task.report)
    if others is not None and around.adults is not None:
        prepare(task.log)
        _log(task, evaluation, {**around.adults, "data_digest": others.digest((LOCKED,))}, (ADULTS, LOCKED))
    write_card(evaluation, path, around)
