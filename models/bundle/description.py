"""The description of a model that was trained elsewhere: what its owner writes down in a TOML file.

It knows the form of the file and the ranges of its values, and makes of them what a manifest says. It opens no file;
whether the model is what it is described as, `models.inference.importing` finds out.
"""

import tomllib
from dataclasses import asdict, dataclass
from typing import Any

from models.bundle.manifest import BundleClass, Classifier, TrainingData
from models.strict import FormError, build, within

VALUES = ("logits", "probabilities")
RESERVED = "anomaly"
"""No class's name: explanations stand under the names of the classes, and the anomaly score's under this one."""


@dataclass(frozen=True, slots=True)
class ModelTable:
    """[model]: what it is called."""

    name: str
    version: str


@dataclass(frozen=True, slots=True)
class InputTable:
    """[input]: how the model wants to see an image.

    Grey values in [0, 1] are repeated to `channels`, scaled to `low` .. `high`, and standardised by `mean` and
    `deviation` of each channel where these are given.
    """

    size: int  #: rows and columns, in pixels
    channels: int = 1
    layout: str = "NHWC"  #: or NCHW
    low: float = 0.0
    high: float = 1.0
    mean: tuple[float, ...] = ()  #: by channel, after scaling
    deviation: tuple[float, ...] = ()  #: likewise
    name: str = ""  #: the only input where empty


@dataclass(frozen=True, slots=True)
class OutputTable:
    """[output]: what the model says, one number for each class.

    A model that says "normal or pneumonia" gives two exclusive numbers of which one is a finding: `places = [1]` with
    the one class pneumonia leaves the other out of the reports.
    """

    values: str  #: logits or probabilities
    exclusive: bool = False  #: whether just one class is present, so that probabilities add up to 1
    name: str = ""  #: the only output where empty
    map: str = ""  #: an output (1, h, w, numbers) whose mean over places is the logits; none where empty
    places: tuple[int, ...] = ()  #: which of its numbers, from 0, are the classes, in their order; empty: all


@dataclass(frozen=True, slots=True)
class DataTable:
    """[data]: what the model was trained on, and whose it is; stands in the bundle and travels with it."""

    name: str
    licence: str
    attribution: str


@dataclass(frozen=True, slots=True)
class Description:
    """A model as its owner describes it."""

    model: ModelTable
    classes: tuple[BundleClass, ...]
    input: InputTable
    output: OutputTable
    data: DataTable

    def classifier(self, file: str) -> Classifier:
        """Return what the manifest says of the model in a file."""
        read, said = self.input, self.output
        activation = "none" if said.values == "probabilities" else "softmax" if said.exclusive else "sigmoid"
        numbers = (read.size, read.channels, read.layout, read.low, read.high, read.mean, read.deviation)
        return Classifier(file, *numbers, read.name, said.name, said.map, activation, said.places)

    def training_data(self) -> TrainingData:
        """Return what the manifest says of the data."""
        return TrainingData(self.data.name, self.data.licence, self.data.attribution)

    def table(self) -> dict[str, Any]:
        """Return the description as plain values, as the manifest keeps it."""
        return asdict(self)


def parsed_description(text: bytes) -> Description:
    """Return the description that a file's bytes hold.

    Raises
    ------
    FormError
        Where it is no TOML, or a key is missing, unknown, of another type or out of its range; the message names it.
    """
    try:
        table = tomllib.loads(text.decode("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise FormError(f"this is not TOML: {error}") from error
    described = build(Description, table, "description")
    _check(described)
    return described


def _check(described: Description) -> None:
    """Refuse what no model can be; the ranges of what becomes part of the manifest are its own to check."""
    for where, texts in (("model", described.model), ("data", described.data)):
        for key, value in asdict(texts).items():
            within(bool(value.strip()), f"description.{where}.{key}", value, "some text")
    said = described.output
    within(said.values in VALUES, "description.output.values", said.values, " or ".join(VALUES))
    single = said.exclusive and len(described.classes) == 1 and not said.places
    within(not single, "description.output.exclusive", said.exclusive, "false for a single class without places")
    mapped_logits = not said.map or said.values == "logits"
    within(mapped_logits, "description.output.map", said.map, "no map of probabilities: a map adds up to logits")
    names = [known.name for known in described.classes]
    within(RESERVED not in names, "description.classes", names, f"another name than {RESERVED}")
