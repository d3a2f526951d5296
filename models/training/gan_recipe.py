"""The recipe of a generator: what the conditional DCGAN is trained on, how long and how large, written down as TOML.

It knows the file's form and ranges and refuses what it does not know; it trains nothing.
"""

import math
import tomllib
from dataclasses import dataclass
from pathlib import Path

from models import recipes
from models.strict import FormError, build, within
from models.training.recipe import DataSource, Head, RecipeError

SIZES = (16, 32, 64, 96, 128)
"""Rows and columns of images that the two networks can be built for."""


@dataclass(frozen=True, slots=True)
class GanSchedule:
    """`[gan]`: the two networks, and how they are fitted."""

    labels: tuple[str, ...]  #: what can be asked for, in the order of the data set's labels
    size: int  #: rows and columns of an image
    latent: int  #: numbers that make one image differ from the next
    generator_width: int  #: its channels at an image's full size; twice as many at half of it, and so on
    discriminator_width: int  #: likewise
    widest: int  #: channels at most
    epochs: int
    batch: int  #: every label as often
    rate: float  #: learning rate of both
    averaging: float  #: share of the old average of the generator's weights that each step keeps
    penalty: float  #: weight of the squared slope of the discriminator at real images
    penalty_every: int  #: steps from one penalty to the next; it weighs so much more
    checkpoint_every: int  #: epochs from one checkpoint to the next
    spread: float  #: standard deviation of the latent values when images are made; training uses 1


@dataclass(frozen=True, slots=True)
class GanRecipe:
    """One training, complete but for the images and the seed."""

    recipe: Head
    gan: GanSchedule
    data: DataSource


def read_gan_recipe(recipe: Path | str) -> GanRecipe:
    """Return a recipe by its name or its file.

    Raises
    ------
    RecipeError
        Where there is no such recipe, its form is wrong, or a value is out of its range.
    """
    path = recipes().get(str(recipe), Path(recipe))
    try:
        plan = build(GanRecipe, tomllib.loads(path.read_text(encoding="utf-8")), "recipe")
        _check(plan)
    except OSError as error:
        raise RecipeError(f"{path} is neither a recipe's file nor the name of one ({', '.join(recipes())})") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, FormError) as error:
        raise RecipeError(f"{path}: {error}") from error
    return plan


def _check(plan: GanRecipe) -> None:
    """Refuse values that could not be trained with, before the images are read."""
    gan, where = plan.gan, "recipe.gan"
    for key in ("name", "version"):
        within(bool(getattr(plan.recipe, key).strip()), f"recipe.recipe.{key}", getattr(plan.recipe, key), "some text")
    within(plan.recipe.threads >= 1, "recipe.recipe.threads", plan.recipe.threads, "a number from 1")
    within(len(set(gan.labels)) == len(gan.labels) > 1, f"{where}.labels", gan.labels, "two or more different labels")
    within(gan.size in SIZES, f"{where}.size", gan.size, f"one of {', '.join(map(str, SIZES))}")
    for key in (
        *("latent", "generator_width", "discriminator_width", "widest"),
        *("epochs", "penalty_every", "checkpoint_every"),
    ):
        within(getattr(gan, key) >= 1, f"{where}.{key}", getattr(gan, key), "a number from 1")
    fair = gan.batch >= len(gan.labels) and gan.batch % len(gan.labels) == 0
    within(fair, f"{where}.batch", gan.batch, f"a multiple of {len(gan.labels)}, every label as often")
    within(0 < gan.rate < math.inf, f"{where}.rate", gan.rate, "a number above 0")
    within(0 <= gan.averaging < 1, f"{where}.averaging", gan.averaging, "a number from 0 to below 1")
    within(0 <= gan.penalty < math.inf, f"{where}.penalty", gan.penalty, "a number from 0")
    within(0 < gan.spread <= 1, f"{where}.spread", gan.spread, "a number above 0, at most 1")
