"""Rounds at the gate: who is locked away, whom a champion learns from, and what a training then says.

A round has a seed, a division of the patients, a champion and challengers of every kind. What a training said is kept
as a file, so that a bench that was ended goes on, and the same answers can be judged by another protocol.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.learning.divisions import divided
from bench.learning.learners import Learner, Weights
from models.data.labelled import LabelledImages
from models.evaluation.calibration import calibrated, fit
from models.evaluation.metrics import balanced_threshold
from models.gate.asking import locked_set
from models.gate.gate_values import Answers, LockedSet, Said
from models.training.operating_point import Validated, operating_point

CLASS = "pneumonia"
LOCKED_SHARE, CHAMPION_SHARE = 0.15, 0.25
"""Of the patients: those of the site's locked set; of all others, those whom the champion learned from."""

VALIDATION = 0.12


@dataclass(frozen=True, slots=True)
class Trained:
    """What came of one training: what it says, and its weights to go on from."""

    answers: Answers
    weights: Weights


@dataclass(frozen=True, slots=True)
class Round:
    """One division of the first hospital's patients, and the second hospital beside it."""

    seed: int
    site: LabelledImages  #: locked, of the same kind as what is trained on
    first: LabelledImages  #: locked, of other equipment
    second: LabelledImages  #: locked, of another hospital
    pool: LabelledImages  #: all that may be learned from
    known: LabelledImages  #: the champion's part of it
    adults: LabelledImages  #: of the other hospital, to learn from

    @property
    def locked(self) -> dict[str, LockedSet]:
        """The locked sets of a challenger for the same hospital."""
        return {
            "site": self._locked("site", self.site, target=True),
            "first": self._locked("first", self.first, target=False),
        }

    @property
    def locked_elsewhere(self) -> dict[str, LockedSet]:
        """The locked sets of a challenger that is made for the other hospital."""
        guards = {name: replace(one, target=False) for name, one in self.locked.items()}
        return {**guards, "second": self._locked("second", self.second, target=True)}

    def _locked(self, name: str, images: LabelledImages, *, target: bool) -> LockedSet:
        return locked_set(name, str(self.seed), "", images, (CLASS,), target=target)

    @property
    def sets(self) -> dict[str, LabelledImages]:
        """All images that versions are asked about."""
        return {"site": self.site, "first": self.first, "second": self.second, "pool": self.pool}


def round_of(
    seed: int, children: Mapping[str, LabelledImages], adults: Mapping[str, LabelledImages], patients: float = 1.0
) -> Round:
    """Return a round: patients are divided by its seed.

    Parameters
    ----------
    seed
        Of the round.
    children, adults
        Of the two hospitals, by split.
    patients
        The share of those that may be learned from who are: less is faster.
    """
    random = np.random.default_rng(seed)
    locked, rest = divided(children["train"], LOCKED_SHARE, random)
    pool = divided(rest, patients, random)[0] if patients < 1.0 else rest
    known, _ = divided(pool, CHAMPION_SHARE, random)
    return Round(seed, locked, children["test"], adults["test"], pool, known, adults["adapt"])


def trained(
    one: Round,
    name: str,
    images: LabelledImages,
    learner: Learner,
    keep: Path,
    tell: Callable[[str], None],
    begins: Weights | None = None,
) -> Trained:
    """Return what a training on some images says of every locked set; from its file where it was done before."""
    path = keep / f"{one.seed}-{name}.npz"
    if not path.exists():
        tell(f"round {one.seed}: training {name} on {len(images)} images")
        new = keep / f"{one.seed}-new.npz"
        np.savez(new, allow_pickle=False, **_fitted(one, images, learner, keep / f"{one.seed}-{name}-part.npz", begins))
        new.rename(path)
    with np.load(path, allow_pickle=False) as stored:
        table = {key: stored[key] for key in stored.files}
    said = {key: Said({CLASS: table[f"said {key}"].astype(np.float64)}) for key in one.sets}
    answers = Answers("bench", f"{name} {one.seed}", "", {CLASS: float(table["threshold"])}, said)
    return Trained(answers, {key[2:]: value for key, value in table.items() if key.startswith("w ")})


def placed(one: Round, images: LabelledImages, champion: Trained, challenger: Trained) -> Answers:
    """Return a challenger's answers, its operating point where the node would put it, as far as validation tells.

    That is by images which the champion has not seen; where they are of one label, its own point stays.
    """
    val, _ = divided(images, VALIDATION, np.random.default_rng(one.seed + 1000))
    place, known = {name: number for number, name in enumerate(one.pool.names)}, set(one.known.names)
    new = [number for number, name in enumerate(val.names) if name in place and name not in known]
    numbers, labels = [place[val.names[number]] for number in new], val.labels[new]
    if len(set(labels.tolist())) < 2:
        return challenger.answers
    before, after = (each.answers.said["pool"].probabilities[CLASS][numbers] for each in (champion, challenger))
    kept = float((before[labels == 1] >= champion.answers.thresholds[CLASS]).mean())
    return replace(challenger.answers, thresholds={CLASS: operating_point([Validated(labels, after, kept)])})


def _fitted(
    one: Round, images: LabelledImages, learner: Learner, part: Path, begins: Weights | None
) -> dict[str, NDArray[Any]]:
    val, train = divided(images, VALIDATION, np.random.default_rng(one.seed + 1000))
    logits_of, weights = learner(train, one.seed, part, begins)
    logits = logits_of(val)
    calibration = fit(logits, val.labels)
    table: dict[str, Any] = {f"w {name}": value for name, value in weights.items()}
    table["threshold"] = np.array(balanced_threshold(val.labels, calibrated(logits, calibration)))
    for name, some in one.sets.items():
        table[f"said {name}"] = calibrated(logits_of(some), calibration)
    part.unlink(missing_ok=True)
    return table
