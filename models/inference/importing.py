"""Bringing a model from elsewhere into a bundle: tried on a sample against its description, then written.

What does not do as described is refused before anything is written; what was found on the sample stands in the
manifest. It knows arrays, bytes and a description; files of the sample are read by whoever calls it.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.bundle.description import Description
from models.bundle.folder import file_digests, write_arrays, write_bundle
from models.bundle.manifest import ADMISSION, ATTRIBUTION, FORMAT, AdmissionLimit, Calibration, Classifier, Manifest
from models.images.preprocess import Image, Values, network_input
from models.inference.classify import Classify, prepared
from models.inference.foreign import refuse_foreign
from models.inference.network import Images, Network, NetworkError, Outputs
from models.inference.runtimes import load_network
from models.inference.sample_admission import PERCENTILE, SIZE, SampleAdmission, different, fit_on_sample

DESCRIPTION = "description.toml"
"""The owner's description, kept beside the manifest."""

RUNTIMES = {".tflite": "ai-edge-litert", ".onnx": "onnxruntime"}
"""What runs a file, by its ending."""

REPEATED = 8
"""Images of the sample that are shown to the model twice."""

DESCRIBED = 2000
"""Images of the sample, the first ones, that admission is fitted on; bounds memory to some hundred MB."""

SUM_TOLERANCE, MAP_TOLERANCE = 1e-3, 1e-3
"""How far probabilities may be from adding up to 1; how far a map's mean may be from its logit, relative to it."""


class ImportRefused(ValueError):  # noqa: N818 - a refusal is an answer, not an accident
    """A model that is not what it is described as; the message names the output, what it is and what was described."""


@dataclass(frozen=True, slots=True)
class SampleImage:
    """One image of the sample, as `models.images.preprocess.network_input` takes it."""

    values: Values
    window: tuple[float, float] | None = None
    inverted: bool = False


@dataclass(frozen=True, slots=True)
class Tried:
    """What a model said of a sample."""

    probabilities: NDArray[np.float64]  #: shape (images, classes)
    images: int  #: different ones, of those that admission was fitted on
    admission: SampleAdmission | None  #: None where the sample is too small


def tried(name: str, content: bytes, described: Description, sample: Iterable[SampleImage]) -> Tried:
    """Run a model on a sample, image by image, and compare what comes with its description.

    Parameters
    ----------
    name
        Of the model's file; the ending tells the format: .tflite or .onnx.
    content
        Its bytes.
    described
        What its owner says of it.
    sample
        Images of the kind that it reads; gone through once.

    Raises
    ------
    ImportRefused
        Where it cannot be run, or does not do as described on any image of the sample.
    ValueError
        Where an image of the sample is none.
    """
    known, classes = described.classifier(name), len(described.classes)
    try:
        refuse_foreign(name, content)
        classify = Classify(known, Calibration(), classes, {name: content}, threads=1)
        trial = _Trial(load_network(name, content), known, exclusive=described.output.exclusive)
        said: list[NDArray[np.float64]] = []
        seen: list[Image] = []
        for number, image in enumerate(sample, start=1):
            shown = _view(image, known.size)
            trial.check(shown, number)
            said.append(classify.probabilities(shown)[0])
            seen.extend(_view(image, SIZE) if number <= DESCRIBED else ())
    except NetworkError as error:
        raise ImportRefused(f"{error}; described: {_in_words(described)}") from error
    if not said:
        raise ImportRefused("there is no image in the sample")
    images = np.stack(seen)
    return Tried(np.stack(said), different(images), fit_on_sample(images))


def write_imported(
    folder: Path, name: str, content: bytes, text: bytes, described: Description, found: Tried, created_at: str
) -> None:
    """Write the bundle of a model that was tried.

    Parameters
    ----------
    folder
        An empty folder.
    name, content
        The model's file: its name in the bundle, and its bytes.
    text, described
        The description, as written and as read.
    found
        What `tried` returned.
    created_at
        ISO 8601 in UTC.

    Raises
    ------
    OSError
        Where the folder cannot be written.
    """
    (folder / name).write_bytes(content)
    (folder / DESCRIPTION).write_bytes(text)
    (folder / ATTRIBUTION).write_text(f"{described.data.attribution}\n{described.data.licence}\n", encoding="utf-8")
    if found.admission is not None:
        write_arrays(folder / ADMISSION, found.admission.known.arrays())
    manifest = _manifest(described, described.classifier(name), found, created_at)
    write_bundle(folder, replace(manifest, files=file_digests(folder)))


def on_sample(described: Description, found: Tried) -> dict[str, Any]:
    """Return what a model said of its sample, for the manifest: by class its range, and how often it is present."""
    return {
        "images": len(found.probabilities),
        "different_images": found.images,
        "classes": {
            known.name: {
                "lowest": float(said.min()),
                "median": float(np.median(said)),
                "highest": float(said.max()),
                "share_reaching_threshold": float((said >= known.threshold).mean()),
            }
            for known, said in zip(described.classes, found.probabilities.T, strict=True)
        },
    }


class _Trial:
    """Shows a model one image after another and refuses it at the first answer that is not as described."""

    def __init__(self, network: Network, known: Classifier, *, exclusive: bool) -> None:
        self._network, self._known, self._exclusive = network, known, exclusive
        self._output = known.output or network.outputs[0]

    def check(self, image: Images, number: int) -> None:
        """Refuse the model for what it says of one image of shape (1, size, size, 1), the sample's number-th."""
        shown = prepared(image, self._known)
        outputs = self._network(shown)
        self._check_numbers(outputs[self._output], number)
        if self._known.activation == "none":
            self._check_probabilities(outputs[self._output].ravel(), number)
        if self._known.map:
            self._check_map(outputs, number)
        if number <= REPEATED:
            self._check_repeated(outputs, self._network(shown), number)

    def _check_numbers(self, found: NDArray[Any], number: int) -> None:
        if found.dtype != np.float32:
            raise ImportRefused(f"output {self._output!r} holds {found.dtype}, where float32 is needed")
        if not np.isfinite(found).all():
            raise ImportRefused(f"output {self._output!r} is not finite for image {number} of the sample")

    def _check_probabilities(self, found: NDArray[np.float32], number: int) -> None:
        where = f"for image {number} of the sample"
        if found.min() < 0.0 or found.max() > 1.0:
            worst = found.max() if found.max() > 1.0 else found.min()
            raise ImportRefused(
                f"output {self._output!r} is described as probabilities and is {worst:.4g} {where}; describe it as "
                'values = "logits" if that is what it gives'
            )
        if self._exclusive and abs(found.sum() - 1.0) > SUM_TOLERANCE:
            raise ImportRefused(
                f"output {self._output!r} is described as probabilities of exclusive classes and adds up to "
                f"{found.sum():.4g} {where}, not to 1"
            )

    def _check_map(self, outputs: Outputs, number: int) -> None:
        map_, logits = outputs[self._known.map], outputs[self._output].ravel()
        if map_.shape[0] != 1 or not np.isfinite(map_).all():
            raise ImportRefused(f"the map {self._known.map!r} of shape {map_.shape} is not one of finite numbers")
        means = map_[0].mean((0, 1), dtype=np.float64)
        if not np.allclose(means, logits, rtol=MAP_TOLERANCE, atol=MAP_TOLERANCE):
            raise ImportRefused(
                f"the map {self._known.map!r} of shape {map_.shape} has the means {means.round(3).tolist()} for image "
                f"{number} of the sample, where its logits are {logits.round(3).tolist()}: it does not add up to them"
            )

    def _check_repeated(self, first: Outputs, second: Outputs, number: int) -> None:
        changed = [name for name in first if not np.array_equal(first[name], second[name], equal_nan=True)]
        if self._output in changed:
            raise ImportRefused(
                f"output {self._output!r} differs between two runs on image {number} of the sample: the model is not "
                "deterministic (is dropout or noise still on?)"
            )


def _view(image: SampleImage, size: int) -> Images:
    return network_input(image.values, image.window, image.inverted, size)[np.newaxis]


def _in_words(described: Description) -> str:
    read, said = described.input, described.output
    one = (read.channels, read.size, read.size) if read.layout == "NCHW" else (read.size, read.size, read.channels)
    count = len(described.classes)
    return f"an input of shape {(1, *one)}, and {count} class{'es' if count > 1 else ''} in {said.values}"


def _manifest(described: Description, known: Classifier, found: Tried, created_at: str) -> Manifest:
    runtime = RUNTIMES[Path(known.file).suffix]
    fitted = found.admission
    return Manifest(
        format=FORMAT,
        name=described.model.name,
        version=described.model.version,
        device_uid="",
        created_at=created_at,
        classes=described.classes,
        classifier=known,
        calibration=Calibration(),
        admission=AdmissionLimit(SIZE, fitted.limit, PERCENTILE) if fitted else None,
        anomaly=None,
        data=described.training_data(),
        recipe={"imported": described.table()},
        seed=0,
        software={runtime: version(runtime)},
        code_digest="",
        measures={"sample": on_sample(described, found)},
        weights_digest="",
        files={},
        manifest_digest="",
    )
