"""Where to put the operating point, asked of patients whose images were acquired otherwise.

Small networks are fitted on train without the patients held out. Each rule places a threshold by the rest of val and
altered copies of it, and balanced accuracy at that threshold is measured on the patients held out. It looks at no test
split, and knows nothing of how the patients were chosen.
"""

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score

from models.evaluation.metrics import auc, balanced_threshold
from models.images.altered import KINDS
from models.inference.network import in_batches
from models.inference.reader import sigmoid
from models.training.checkpoints import Shelf
from models.training.draws import once
from models.training.objectives import Shown, fitted_classifier, targets_of
from models.training.recipe import ClassifierRecipe
from models.training.stages import altered_copies, elsewhere, hard_copies

SMALL, SHORT = 64, 8
"""Rows and columns, and epochs, of networks of a minute each, in place of the starter's of six or so."""

Logits = NDArray[np.float64]
Labels = NDArray[np.int64]
Labelled = tuple[NDArray[np.float32], Labels]
"""Network inputs of shape (images, size, size, 1), and labels."""


@dataclass(frozen=True, slots=True)
class Said:
    """What a network says of validation images; the copies follow each other, all of the same images in one order."""

    labels: Labels  #: of the images as they are, shape (images,)
    copies: Logits  #: as they are and as other equipment would have made them, shape (images * (1 + HARD_COPIES),)
    kinds: dict[str, Logits]  #: by kind of `models.images.altered`, each of shape (images,)

    @property
    def copied_labels(self) -> Labels:
        """Labels of `copies`."""
        return np.tile(self.labels, len(self.copies) // len(self.labels))


def best_balanced(said: Said) -> float:
    """Return the logit of the best balanced accuracy on the altered copies."""
    return _logit_of(balanced_threshold(said.copied_labels, sigmoid(said.copies)))


def half(_said: Said) -> float:
    """Return the logit of 0.5: the balanced decision of a loss in which both classes weigh the same."""
    return 0.0


def refitted(said: Said) -> float:
    """Return where a logistic regression on the altered copies, classes weighing the same, crosses 0.5."""
    model = LogisticRegression(C=10.0, class_weight="balanced").fit(said.copies[:, np.newaxis], said.copied_labels)
    return float(-model.intercept_[0] / model.coef_[0, 0])


def equal_rates(said: Said) -> float:
    """Return the logit at which sensitivity and specificity are equal on the altered copies."""
    labels, candidates = said.copied_labels, np.unique(said.copies)
    present, absent = (np.sort(said.copies[labels == kind]) for kind in (1, 0))
    missed = np.searchsorted(present, candidates) / len(present)
    called = 1.0 - np.searchsorted(absent, candidates) / len(absent)
    return float(candidates[np.abs(missed - called).argmin()])


def between_medians(said: Said) -> float:
    """Return the middle between the median logits of the classes on the altered copies."""
    return float(np.mean([np.median(said.copies[said.copied_labels == kind]) for kind in (0, 1)]))


def least_worst(said: Said) -> float:
    """Return the logit whose worst kind of altered copies has the best balanced accuracy; of equal ones the middle."""
    return _logit_of(balanced_threshold(said.labels, *(sigmoid(some) for some in said.kinds.values())))


RULES: dict[str, Callable[[Said], float]] = {
    "best balanced accuracy on altered copies": best_balanced,
    "probability 0.5": half,
    "crossing of a logistic refit": refitted,
    "equal sensitivity and specificity": equal_rates,
    "between the class medians": between_medians,
    "least worst of the kinds of copies": least_worst,
}


def compare(
    plan: ClassifierRecipe,
    splits: Mapping[str, Labelled],
    questions: Mapping[str, Mapping[str, NDArray[np.bool_]]],
    seeds: Sequence[int],
) -> None:
    """Print a table: by cohort and seed, and for the mean of the seeds' logits, what each rule reaches and where.

    Parameters
    ----------
    plan
        How the networks are fitted.
    splits
        train and val: network inputs and labels.
    questions
        By cohort and split, which images are held out.
    seeds
        Of the networks.
    """
    print("| cohort | network | AUC |", " | ".join(RULES), "| best possible |", flush=True)
    print("|---" * (len(RULES) + 4) + "|", flush=True)
    reached = []
    for cohort, out in questions.items():
        train, val = (_chosen(splits[name], ~out[name]) for name in ("train", "val"))
        held = [_chosen(splits[name], out[name]) for name in ("train", "val")]
        images, labels = (np.concatenate(parts) for parts in zip(*held, strict=True))
        answers = [_answers(plan, train, val, images, seed) for seed in seeds]
        for seed, (said, logits) in zip(seeds, answers, strict=True):
            reached.append(_row(cohort, f"seed {seed}", said, labels, logits))
        _row(
            cohort,
            f"mean of {len(seeds)}",
            _mean([said for said, _ in answers]),
            labels,
            np.mean([one for _, one in answers], 0),
        )
    print("| mean | | |", " | ".join(f"**{value:.3f}**" for value in np.mean(reached, axis=0)), "|")


def balanced(labels: Labels, logits: Logits, threshold: float) -> float:
    """Return the balanced accuracy of calling what reaches a threshold."""
    return float(balanced_accuracy_score(labels, logits >= threshold))


def _answers(
    plan: ClassifierRecipe, train: Labelled, val: Labelled, held_out: NDArray[np.float32], seed: int
) -> tuple[Said, Logits]:
    """Fit one network; return what it says of val and its copies, and of those held out."""
    with tempfile.TemporaryDirectory() as folder:
        shelf = Shelf(Path(folder) / "classifier.npz")
        shown = Shown(train[0], targets_of(train[1], 1), once(len(train[0])))
        model, _ = fitted_classifier(shown, plan, seed, shelf, lambda _done, _all: None)

    def logits(images: NDArray[np.float32]) -> Logits:
        return in_batches(lambda some: np.asarray(model(some, training=False), np.float64)[:, 0], images)

    random = np.random.default_rng((seed, 4))
    kinds = {kind: logits(altered_copies(val[0], kind, random)) for kind in KINDS}
    return Said(val[1], logits(hard_copies(val[0], seed, elsewhere)), kinds), logits(held_out)


def _row(cohort: str, network: str, said: Said, labels: Labels, logits: Logits) -> list[float]:
    """Print and return the balanced accuracy by each rule, and the best that any threshold could have."""
    places = [rule(said) for rule in RULES.values()]
    places.append(_logit_of(balanced_threshold(labels, sigmoid(logits))))
    reached = [balanced(labels, logits, place) for place in places]
    shown = zip(reached, sigmoid(np.array(places)), strict=True)
    figures = " | ".join(f"{value:.3f} at {place:.2f}" for value, place in shown)
    print(f"| {cohort} | {network} | {auc(labels, logits):.3f} | {figures} |", flush=True)
    return reached


def _mean(said: Sequence[Said]) -> Said:
    """Return what the mean of several networks' logits says."""
    kinds = {name: np.mean([one.kinds[name] for one in said], axis=0) for name in KINDS}
    return Said(said[0].labels, np.mean([one.copies for one in said], axis=0), kinds)


def _chosen(split: Labelled, which: NDArray[np.bool_]) -> Labelled:
    return split[0][which], split[1][which]


def _logit_of(probability: float) -> float:
    return float(np.log(probability) - np.log1p(-probability))
