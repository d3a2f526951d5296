"""Recipes: what is trained, on what, how long, written down as TOML.

It knows the file's form and ranges and refuses what it does not know; it trains nothing.
"""

import math
import tomllib
from dataclasses import dataclass
from pathlib import Path

from models import recipes
from models.bundle.description import RESERVED
from models.strict import FormError, build, within

SIZES = range(16, 513)
"""Input sizes, in pixels, of classifiers."""

CELLED_SIZES = range(16, 513, 16)
"""Input sizes, in pixels, of features and autoencoders, which divide an image into cells."""

WIDTHS = range(8, 129, 8)
"""Channels of a first stage, normalised in groups of eight."""

NETWORKS = {"compact_resnet": SIZES, "textbook": SIZES, "textbook_28": range(28, 29), "textbook_224": range(224, 225)}
"""Classifiers by name, with the input sizes that they are made for; `models.networks.classifiers` builds them."""

AUGMENTATIONS = ("aug3", "aug2", "shift", "none")
"""What a training image may undergo: the spectrum and tones of another one before the next, other equipment and
position, position alone, nothing."""

MOST_CLASSES = 1000


class RecipeError(ValueError):
    """A recipe that cannot be read; the message names file, table and key."""


@dataclass(frozen=True, slots=True)
class Head:
    """`[recipe]`: name and version of the bundle that comes out, TensorFlow's threads, and how often to try."""

    name: str
    version: str
    threads: int = 2
    seeds: int = 1  #: classifiers trained, each from a seed of its own
    members: int = 1  #: of these, the first ones, whose averaged answers ship; the others tell how far seeds lie apart


@dataclass(frozen=True, slots=True)
class Class:
    """One of `[[classes]]`: what can be found; its code and the code of its site are (value, scheme, meaning)."""

    name: str
    finding: tuple[str, str, str]
    site: tuple[str, str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """How a network is fitted."""

    size: int  #: rows and columns of the network's input
    epochs: int
    batch: int
    rate: float  #: highest learning rate, reached after a tenth of the steps, then falling as a cosine
    weight_decay: float = 0.0
    averaging: float = 0.998  #: share of the old average of the weights that each step keeps
    label_smoothing: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassifierRecipe(Schedule):
    """`[classifier]`, `[baseline]`: which network, and what its images undergo."""

    network: str  #: one of `NETWORKS`
    augmentation: str = "none"  #: one of `AUGMENTATIONS`


@dataclass(frozen=True, slots=True, kw_only=True)
class RestoringRecipe(Schedule):
    """`[anomaly.restoring]`, `[anomaly.one_class]`: a network that learns from normals and what is painted on them."""

    width: int = 16  #: channels of the first stage


@dataclass(frozen=True, slots=True)
class FeaturesRecipe:
    """`[anomaly.features]`: the linear feature autoencoder of normals."""

    size: int  #: rows and columns of the image that is described
    components: int  #: principal directions


@dataclass(frozen=True, slots=True, kw_only=True)
class PlainRecipe(Schedule):
    """`[plain_autoencoder]`: the textbook's autoencoder, measured beside the others and not kept."""

    latent: int = 128  #: numbers that an image is squeezed into


@dataclass(frozen=True, slots=True)
class AnomalyRecipe:
    """`[anomaly]`: what learns from normal images alone."""

    restoring: RestoringRecipe
    one_class: RestoringRecipe | None = None
    features: FeaturesRecipe | None = None


@dataclass(frozen=True, slots=True)
class AdmissionRecipe:
    """`[admission]`: the linear feature autoencoder, and the share of held-out images that its limit lets in."""

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
    classes: tuple[Class, ...]
    classifier: ClassifierRecipe
    data: DataSource
    expert: bool = False  #: whether a site's expert is fitted beside a champion's classifiers, which stay as they are
    baseline: ClassifierRecipe | None = None
    plain_autoencoder: PlainRecipe | None = None
    anomaly: AnomalyRecipe | None = None
    admission: AdmissionRecipe | None = None

    @property
    def exclusive(self) -> bool:
        """Whether an image shows one of several classes, rather than a single one or its absence."""
        return len(self.classes) > 1

    @property
    def label_names(self) -> tuple[str, ...]:
        """What each label stands for; of a single class, 0 is its absence."""
        names = tuple(known.name for known in self.classes)
        return names if self.exclusive else (f"no {names[0]}", *names)


def read_recipe(recipe: Path | str) -> Recipe:
    """Return a recipe by its name or its file.

    Raises
    ------
    RecipeError
        Where there is no such recipe, its form is wrong, or a value is out of its range.
    """
    path = recipe_path(recipe)
    try:
        plan = build(Recipe, read_table(path), "recipe")
        _check(plan)
    except FormError as error:
        raise RecipeError(f"{path}: {error}") from error
    return plan


def recipe_path(recipe: Path | str) -> Path:
    """Return where a recipe is that is given by the name of a shipped one or by its file."""
    return recipes().get(str(recipe), Path(recipe))


def read_table(path: Path) -> dict[str, object]:
    """Return the tables of a recipe's file, whatever they say.

    Raises
    ------
    RecipeError
        Where there is no such file, or it is no TOML in UTF-8.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        known = ", ".join(recipes())
        raise RecipeError(f"{path} is neither a recipe's file nor the name of one ({known})") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise RecipeError(f"{path}: {error}") from error


def _check(plan: Recipe) -> None:
    """Refuse values that could not be trained with, before the images are read."""
    for key in ("threads", "seeds"):
        within(getattr(plan.recipe, key) >= 1, f"recipe.recipe.{key}", getattr(plan.recipe, key), "a number from 1")
    members, seeds = plan.recipe.members, plan.recipe.seeds
    within(1 <= members <= seeds, "recipe.recipe.members", members, f"a number from 1 to the {seeds} of seeds")
    for key in ("name", "version"):
        within(bool(getattr(plan.recipe, key).strip()), f"recipe.recipe.{key}", getattr(plan.recipe, key), "some text")
    _check_classes(plan.classes)
    _check_classifier(plan.classifier, "recipe.classifier")
    if plan.baseline:
        _check_classifier(plan.baseline, "recipe.baseline")
    for name in ("anomaly", "plain_autoencoder"):
        some = getattr(plan, name)
        within(not (some and plan.exclusive), "recipe.classes", plan.label_names, f"a single class beside [{name}]")
    if plan.anomaly:
        _check_anomaly(plan.anomaly)
    if plan.plain_autoencoder:
        _check_autoencoder(plan.plain_autoencoder, "recipe.plain_autoencoder")
        latent = plan.plain_autoencoder.latent
        within(1 <= latent <= 4096, "recipe.plain_autoencoder.latent", latent, "a number from 1 to 4096")
    if plan.admission:
        _check_admission(plan.admission)


def _check_classes(classes: tuple[Class, ...]) -> None:
    names = [known.name for known in classes]
    within(1 <= len(names) <= MOST_CLASSES, "recipe.classes", names, f"1 to {MOST_CLASSES} classes")
    within(len(set(names)) == len(names) and all(names), "recipe.classes", names, "a name of its own for each class")
    within(RESERVED not in names, "recipe.classes", names, f"another name than {RESERVED}")
    for place, known in enumerate(classes):
        for key, code in (("finding", known.finding), ("site", known.site)):
            within(all(code), f"recipe.classes[{place}].{key}", code, "a code value, scheme and meaning")


def _check_classifier(plan: ClassifierRecipe, where: str) -> None:
    within(plan.network in NETWORKS, f"{where}.network", plan.network, f"one of {', '.join(NETWORKS)}")
    sizes = NETWORKS[plan.network]
    needed = f"a number from {sizes[0]} to {sizes[-1]}" if len(sizes) > 1 else f"{sizes[0]}, as {plan.network} is made,"
    within(plan.size in sizes, f"{where}.size", plan.size, needed)
    within(plan.augmentation in AUGMENTATIONS, f"{where}.augmentation", plan.augmentation, ", ".join(AUGMENTATIONS))
    _check_schedule(plan, where)


def _check_autoencoder(plan: Schedule, where: str) -> None:
    within(plan.size in CELLED_SIZES, f"{where}.size", plan.size, "a multiple of 16 from 16 to 512")
    _check_schedule(plan, where)


def _check_anomaly(plan: AnomalyRecipe) -> None:
    for name in ("restoring", "one_class"):
        where, network = f"recipe.anomaly.{name}", getattr(plan, name)
        if network:
            _check_autoencoder(network, where)
            within(network.width in WIDTHS, f"{where}.width", network.width, "a multiple of 8 from 8 to 128")
    if plan.features:
        where, size, components = "recipe.anomaly.features", plan.features.size, plan.features.components
        within(size in CELLED_SIZES, f"{where}.size", size, "a multiple of 16 from 16 to 512")
        within(components >= 1, f"{where}.components", components, "a number from 1")


def _check_schedule(schedule: Schedule, where: str) -> None:
    for key in ("epochs", "batch"):
        within(getattr(schedule, key) >= 1, f"{where}.{key}", getattr(schedule, key), "a number from 1")
    within(0 < schedule.rate < math.inf, f"{where}.rate", schedule.rate, "a number above 0")
    within(0 <= schedule.weight_decay < math.inf, f"{where}.weight_decay", schedule.weight_decay, "a number from 0")
    for key in ("averaging", "label_smoothing"):
        within(0 <= getattr(schedule, key) < 1, f"{where}.{key}", getattr(schedule, key), "a number from 0 to below 1")


def _check_admission(plan: AdmissionRecipe) -> None:
    where, percentile = "recipe.admission", plan.held_out_percentile
    within(plan.size in CELLED_SIZES, f"{where}.size", plan.size, "a multiple of 16 from 16 to 512")
    within(plan.components >= 1, f"{where}.components", plan.components, "a number from 1")
    within(50 <= percentile <= 100, f"{where}.held_out_percentile", percentile, "a number from 50 to 100")
