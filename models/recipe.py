"""Recipes: what is trained, on what, how long, written down as TOML.

It knows the file's form and refuses what it does not know; it trains nothing.
"""

import tomllib
from dataclasses import dataclass
from pathlib import Path

from models import recipes
from models.strict import FormError, build


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
        Where there is no such recipe, or its form is wrong.
    """
    path = recipes().get(str(recipe), Path(recipe))
    try:
        return build(Recipe, tomllib.loads(path.read_text(encoding="utf-8")), "recipe")
    except OSError as error:
        known = ", ".join(recipes())
        raise RecipeError(f"{path} is neither a recipe's file nor the name of one ({known})") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, FormError) as error:
        raise RecipeError(f"{path}: {error}") from error
