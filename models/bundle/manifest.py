"""The manifest of a bundle: its form, and the digests that cover it.

It knows values. What ranges they must be in is `models.bundle.parse`'s; it knows no folder and opens no file.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

FORMAT = 3
"""Version of the manifest's form and of what code makes of its values; another one is refused."""

ATTRIBUTION = "ATTRIBUTION.txt"
ADMISSION = "admission.npz"
OWN_DIGEST = "manifest_digest"
NONE = "none of them"
"""Name of the label after the last class, of bundles that leave out what is no finding."""


@dataclass(frozen=True, slots=True)
class BundleClass:
    """A class that the model can find."""

    name: str
    finding: tuple[str, str, str]  #: code value, coding scheme, meaning
    site: tuple[str, str, str]  #: likewise
    threshold: float  #: probability of presence from which the finding counts as present, the operating point


@dataclass(frozen=True, slots=True)
class Classifier:
    """The file that classifies, what goes in and what comes out.

    `models.images.preprocess.network_input` gives grey values in [0, 1]; they are repeated to `channels`, scaled to
    `low` .. `high`, and standardised by `mean` and `deviation` of each channel where these are given.
    """

    file: str  #: LiteRT (.tflite) or ONNX (.onnx), beside the manifest
    size: int  #: rows and columns of the input, in pixels
    channels: int = 1
    layout: str = "NHWC"  #: or NCHW
    low: float = 0.0
    high: float = 1.0
    mean: tuple[float, ...] = ()  #: by channel, after scaling; none where empty
    deviation: tuple[float, ...] = ()  #: likewise
    input: str = ""  #: name of the input; the only one where empty
    output: str = "logits"  #: name of the output with one number a class; the only one where empty
    map: str = ""  #: name of an output (rows, columns, classes) whose mean over places is the logits; none where empty
    activation: str = "sigmoid"  #: what makes probabilities of the output: sigmoid, softmax or none
    places: tuple[int, ...] = ()  #: which of the output's numbers, from 0, are the classes; all of them where empty


@dataclass(frozen=True, slots=True)
class Calibration:
    """What logits become before they are probabilities: `slope * logit + intercept` (softmax: the slope alone).

    References
    ----------
    Platt J, "Probabilistic outputs for support vector machines", 1999 · Guo C et al., "On Calibration of Modern Neural
    Networks", ICML 2017 (one slope for all classes).
    """

    slope: float = 1.0
    intercept: float = 0.0
    local_labels: bool = False  #: whether it was fitted on labels of the site that it serves: reports then say per cent


@dataclass(frozen=True, slots=True)
class AdmissionLimit:
    """The admission score up to which an image is read; the arrays that make the score are in admission.npz."""

    size: int  #: rows and columns of the image that is described, in pixels
    limit: float
    held_out_percentile: float  #: share of held-out chests, on shifted equipment, that the limit lets in, 0 to 100


@dataclass(frozen=True, slots=True)
class AnomalyPart:
    """One of the scores that are fused, and how it lies on held-out normals."""

    kind: str  #: one of `models.bundle.parse.KINDS`
    file: str  #: beside the manifest
    size: int  #: rows and columns of the image that it reads, in pixels
    mean: float  #: of the held-out normals' scores
    deviation: float  #: likewise
    width: int = 0  #: channels of the network's first stage, to build it again; 0 where it has none
    weight: float = 1.0  #: in the average; above 0


@dataclass(frozen=True, slots=True)
class Anomaly:
    """The scores that are standardised by their own scale and averaged by weight, and the scale of that average."""

    parts: tuple[AnomalyPart, ...]
    mean: float  #: of the held-out normals' fused scores
    deviation: float  #: likewise
    quantiles: tuple[float, ...]  #: 101 fused scores, at the percentiles 0, 1, ... 100


@dataclass(frozen=True, slots=True)
class TrainingData:
    """What the bundle was trained on, and whose it is."""

    name: str
    licence: str
    attribution: str
    digest: str = ""  #: SHA-256 over what was trained and validated on; empty where it was trained elsewhere
    images: dict[str, int] = field(default_factory=dict)  #: images by split


@dataclass(frozen=True, slots=True)
class Manifest:
    """Everything that is needed to repeat a bundle, to judge it and to run it."""

    format: int
    name: str
    version: str
    device_uid: str
    created_at: str  #: ISO 8601, UTC
    classes: tuple[BundleClass, ...]
    classifier: Classifier
    calibration: Calibration
    admission: AdmissionLimit | None  #: None: whatever the rule lets through is read
    anomaly: Anomaly | None  #: None: no anomaly score
    data: TrainingData | None  #: None where nothing is known of it
    recipe: dict[str, Any]
    seed: int
    software: dict[str, str]  #: versions that trained it
    code_digest: str  #: SHA-256 of the code that trained it (`models.bundle.code.code_digest`), hexadecimal, or empty
    measures: dict[str, Any]  #: by split, as `models.evaluation` returns them
    weights_digest: str  #: `weights_digest` of the manifest
    files: dict[str, str]  #: SHA-256 of every file beside the manifest, hexadecimal
    manifest_digest: str  #: `manifest_digest` of all the above

    @property
    def label_names(self) -> tuple[str, ...]:
        """What each label stands for, by its index.

        Of a single class: its absence, its presence. Of several: each class and, where the bundle leaves numbers of the
        model's output out (such as one for "normal"), last the label of images in which no class is to be called.
        """
        names = tuple(known.name for known in self.classes)
        if len(names) == 1:
            return (f"no {names[0]}", names[0])
        return (*names, NONE) if self.classifier.places else names


def sealed(manifest: Manifest) -> Manifest:
    """Return the manifest with the digests and the Device UID that belong to its other values."""
    weighed = replace(manifest, weights_digest=weights_digest(manifest))
    identified = replace(weighed, device_uid=device_uid(weighed))
    return replace(identified, manifest_digest=manifest_digest(asdict(identified)))


def served_files(manifest: Manifest) -> tuple[str, ...]:
    """Return the names of the files that answers are computed from, each once, in a fixed order."""
    admission = (ADMISSION,) if manifest.admission else ()
    parts = tuple(part.file for part in manifest.anomaly.parts) if manifest.anomaly else ()
    return tuple(dict.fromkeys((manifest.classifier.file, *admission, *parts)))


def weights_digest(manifest: Manifest) -> str:
    """Return the one digest that stands for all weights that answer, hexadecimal; `files` must list them."""
    lines = (f"{name} {manifest.files[name]}\n" for name in served_files(manifest))
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def manifest_digest(table: Mapping[str, Any]) -> str:
    """Return the SHA-256 over a manifest's canonical JSON without this digest itself, hexadecimal."""
    return _digest({key: value for key, value in table.items() if key != OWN_DIGEST})


def device_uid(manifest: Manifest) -> str:
    """Return the Device UID, which changes with everything that an answer follows from (DICOM PS3.5 B.2).

    Under 2.25, from 128 bits of the digest over weights, classes with codes and thresholds, the classifier's input and
    outputs, calibration, admission limit and anomaly scales. Measures, names of data, dates and the weights for
    retraining change no answer, and so leave it as it is.
    """
    table = asdict(manifest)
    if not manifest.classifier.places:  # a choice that was not made changes no answer
        del table["classifier"]["places"]
    if not manifest.calibration.local_labels:
        del table["calibration"]["local_labels"]
    decisive = {"format": FORMAT, "weights": manifest.weights_digest} | {key: table[key] for key in _DECISIVE}
    return f"2.25.{int(_digest(decisive)[:32], 16)}"


_DECISIVE = (
    "classes",
    "classifier",
    "calibration",
    "admission",
    "anomaly",
)


def _digest(table: Mapping[str, Any]) -> str:
    canonical = json.dumps(table, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(canonical.encode("ascii")).hexdigest()
