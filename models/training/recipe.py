"""Recipes: what is trained, on what, how long, written down as TOML.

It knows the file's form and ranges and refuses what it does not know; it trains nothing.
"""

import math
import tomllib
from dataclasses import dataclass
from pathlib import Path

from models import recipes
from models.strict import FormError, build, within

SIZES = range(16, 513, 16)
"""Input sizes, in pixels, that are trained: the features need multiples of 16."""

WIDTHS = range(8, 129, 8)
"""Channels of a first stage, normalised in groups of eight."""


class RecipeError(ValueError):
    """A recipe that cannot be read; the message names file, table and key."""


@dataclass(frozen=True, slots=True)
class Head:
    """`[recipe]`: name and version of the bundle that comes out, and TensorFlow's threads."""

    name: str
    version: str
    threads: int = 2


@dataclass(frozen=True, slots=True)
class Findings:
    """`[findings]`: the class that is learned; its code and the code of its site are (value, scheme, meaning)."""

    name: str
    finding: tuple[str, str, str]
    site: tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class Schedule:
    """`[classifier]`, `[baseline]`, `[autoencoder]`: how a network is fitted."""

    size: int  #: rows and columns of the network's input
    epochs: int
    batch: int
    rate: float  #: highest learning rate, reached after a tenth of the steps, then falling as a cosine
    weight_decay: float = 0.0
    averaging: float = 0.998  #: share of the old average of the weights that each step keeps
    label_smoothing: float = 0.0
    width: int = 16  #: channels of the first stage; the autoencoder's only


@dataclass(frozen=True, slots=True)
class AdmissionRecipe:
    """`[admission]`: the linear feature autoencoder, and the share of held-out chests that its limit lets in."""

    size: int
    components: int
    held_out_percentile: float


@dataclass(frozen=True, slots=True)
class DataSource:
    """`[data]`: what the images are and whose they are; travels with every bundle."""

    name: str
    licence: str
    attribution: str


@dataclass(frozen=True, slots=True)
class Recipe:
    """One training, complete but for the images and the seed."""

    recipe: Head
    findings: Findings
    classifier: Schedule
    baseline: Schedule
    autoencoder: Schedule
    admission: AdmissionRecipe
    data: DataSource


def read_recipe(recipe: Path | str) -> Recipe:
    """Return a recipe by its name or its file.

    Raises
    ------
    RecipeError
        Where there is no such recipe, its form is wrong, or a value is out of its range.
    """
    path = recipes().get(str(recipe), Path(recipe))
    try:
        plan = build(Recipe, tomllib.loads(path.read_text(encoding="utf-8")), "recipe")
        _check(plan)
    except OSError as error:
        known = ", ".join(recipes())
        raise RecipeError(f"{path} is neither a recipe's file nor the name of one ({known})") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, FormError) as error:
        raise RecipeError(f"{path}: {error}") from error
    return plan


def _check(plan: Recipe) -> None:
    """Refuse values that could not be trained with, before the images are read."""
    within(plan.recipe.threads >= 1, "recipe.recipe.threads", plan.recipe.threads, "a number from 1")
    for key, code in (("finding", plan.findings.finding), ("site", plan.findings.site)):
        within(all(code), f"recipe.findings.{key}", code, "a code value, scheme and meaning")
    schedules = {"classifier": plan.classifier, "baseline": plan.baseline, "autoencoder": plan.autoencoder}
    for name, schedule in schedules.items():
        _check_schedule(schedule, f"recipe.{name}")
    _check_admission(plan.admission)


def _check_schedule(schedule: Schedule, where: str) -> None:
    within(schedule.size in SIZES, f"{where}.size", schedule.size, "a multiple of 16 from 16 to 512")
    within(schedule.width in WIDTHS, f"{where}.width", schedule.width, "a multiple of 8 from 8 to 128")
    for key in ("epochs", "batch"):
        within(getattr(schedule, key) >= 1, f"{where}.{key}", getattr(schedule, key), "a number from 1")
    within(0 < schedule.rate < math.inf, f"{where}.rate", schedule.rate, "a number above 0")
    within(0 <= schedule.weight_decay < math.inf, f"{where}.weight_decay", schedule.weight_decay, "a number from 0")
    for key in ("averaging", "label_smoothing"):
        within(0 <= getattr(schedule, key) < 1, f"{where}.{key}", getattr(schedule, key), "a number from 0 to below 1")


def _check_admission(plan: AdmissionRecipe) -> None:
    where, percentile = "recipe.admission", plan.held_out_percentile
    within(plan.size in SIZES, f"{where}.size", plan.size, "a multiple of 16 from 16 to 512")
    within(plan.components >= 1, f"{where}.components", plan.components, "a number from 1")
    within(50 <= percentile <= 100, f"{where}.held_out_percentile", percentile, "a number from 50 to 100")
