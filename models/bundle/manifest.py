"""The manifest of a bundle: its form, the ranges of its values, and the digests that cover it.

It knows values and JSON text. It knows no folder and opens no file.
"""

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, NoReturn

from models.strict import FormError, build, within

FORMAT = 2
"""Version of the manifest's form and of what code makes of its values; another one is refused."""

ATTRIBUTION = "ATTRIBUTION.txt"
WEIGHTS = ("classifier.npz", "autoencoder.npz", "admission.npz")
OWN_DIGEST = "manifest_digest"

SIZES = range(16, 1025, 16)
"""Input sizes, in pixels, that the networks and features can be built for."""

WIDTHS = range(8, 129, 8)
"""Channels of the autoencoder's first stage that its group normalisation can be built for."""


@dataclass(frozen=True, slots=True)
class BundleClass:
    """A class that the model can find."""

    name: str
    finding: tuple[str, str, str]  #: code value, coding scheme, meaning
    site: tuple[str, str, str]  #: likewise
    threshold: float  #: probability of presence from which the finding counts as present, the operating point


@dataclass(frozen=True, slots=True)
class Preprocessing:
    """Input sizes, in pixels, of `models.images.preprocess.network_input` for each part."""

    classifier: int
    autoencoder: int
    admission: int


@dataclass(frozen=True, slots=True)
class AdmissionLimit:
    """The admission score up to which an image is read."""

    limit: float
    held_out_percentile: float  #: share of held-out chests, on shifted equipment, that the limit lets in, 0 to 100


@dataclass(frozen=True, slots=True)
class AnomalyNormals:
    """The autoencoder's scores of held-out normals, against which an image is placed."""

    width: int  #: channels of the autoencoder's first stage
    mean: float
    deviation: float
    quantiles: tuple[float, ...]  #: 101 scores, at the percentiles 0, 1, ... 100


@dataclass(frozen=True, slots=True)
class TrainingData:
    """What the bundle was trained on, and whose it is."""

    name: str
    licence: str
    attribution: str
    digest: str  #: SHA-256 over names, labels, groups and contents of the training and validation images
    images: dict[str, int]  #: images by split


@dataclass(frozen=True, slots=True)
class Manifest:
    """Everything that is needed to repeat a bundle, to judge it and to run it."""

    format: int
    name: str
    version: str
    device_uid: str
    created_at: str  #: ISO 8601, UTC
    classes: tuple[BundleClass, ...]
    preprocessing: Preprocessing
    admission: AdmissionLimit
    anomaly: AnomalyNormals
    data: TrainingData
    recipe: dict[str, Any]
    seed: int
    software: dict[str, str]  #: versions that trained it
    measures: dict[str, Any]  #: by split, as `models.evaluation.measures` returns them
    weights_digest: str  #: `weights_digest(files)`
    files: dict[str, str]  #: SHA-256 of every file beside the manifest, hexadecimal
    manifest_digest: str  #: `manifest_digest` of all the above


def parsed(text: bytes) -> Manifest:
    """Return the manifest that a file's bytes hold, with every value in its range and the digest compared.

    Raises
    ------
    FormError
        Naming the key, or saying that the digest is another one.
    """
    table = _table(text)
    if table.get("format") != FORMAT:
        raise FormError(f"this is not a manifest of format {FORMAT}")
    manifest = build(Manifest, table, "manifest")
    _check(manifest)
    if manifest.manifest_digest != manifest_digest(table):
        raise FormError(f"it has changed: its content has another SHA-256 than {OWN_DIGEST}")
    if manifest.weights_digest != weights_digest(manifest.files):
        raise FormError("manifest.weights_digest does not belong to these weights")
    if manifest.device_uid != device_uid(manifest):
        raise FormError("manifest.device_uid does not belong to these weights and settings")
    return manifest


def sealed(manifest: Manifest) -> Manifest:
    """Return the manifest with the digests and the Device UID that belong to its other values."""
    weighed = replace(manifest, weights_digest=weights_digest(manifest.files))
    identified = replace(weighed, device_uid=device_uid(weighed))
    return replace(identified, manifest_digest=manifest_digest(asdict(identified)))


def weights_digest(files: Mapping[str, str]) -> str:
    """Return the one digest that stands for all weights of a bundle, hexadecimal; `files` must list them."""
    return hashlib.sha256("".join(f"{name} {files[name]}\n" for name in WEIGHTS).encode()).hexdigest()


def manifest_digest(table: Mapping[str, Any]) -> str:
    """Return the SHA-256 over a manifest's canonical JSON without this digest itself, hexadecimal."""
    return _digest({key: value for key, value in table.items() if key != OWN_DIGEST})


def device_uid(manifest: Manifest) -> str:
    """Return the Device UID, which changes with everything that an answer follows from (DICOM PS3.5 B.2).

    Under 2.25, from 128 bits of the digest over weights, classes with codes and thresholds, preprocessing, admission
    limit and anomaly scale. Measures, names of data and dates change no answer, and so leave it as it is.
    """
    decisive = {
        "format": FORMAT,
        "weights": manifest.weights_digest,
        "classes": [asdict(known) for known in manifest.classes],
        "preprocessing": asdict(manifest.preprocessing),
        "limit": manifest.admission.limit,
        "anomaly": asdict(manifest.anomaly),
    }
    return f"2.25.{int(_digest(decisive)[:32], 16)}"


def _digest(table: Mapping[str, Any]) -> str:
    canonical = json.dumps(table, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(canonical.encode("ascii")).hexdigest()


def _table(text: bytes) -> dict[str, Any]:
    try:
        table = json.loads(text, parse_constant=_refuse_constant, parse_float=_finite)
    except (ValueError, RecursionError) as error:
        raise FormError(f"this is not JSON: {error}") from error
    return table if isinstance(table, dict) else {}


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number")


def _finite(text: str) -> float:
    """Refuse 1e999, which would become an infinity."""
    if not math.isfinite(number := float(text)):
        raise ValueError(f"{text} is beyond any number here")
    return number


def _check(manifest: Manifest) -> None:
    """Refuse values of the right type that nothing can be read with, or that no training leaves."""
    _check_classes(manifest.classes)
    for name, size in asdict(manifest.preprocessing).items():
        within(size in SIZES, f"manifest.preprocessing.{name}", size, "a multiple of 16 from 16 to 1024")
    admission, percentile = manifest.admission, manifest.admission.held_out_percentile
    within(admission.limit > 0, "manifest.admission.limit", admission.limit, "a number above 0")
    within(0 <= percentile <= 100, "manifest.admission.held_out_percentile", percentile, "a number from 0 to 100")
    _check_anomaly(manifest.anomaly)
    for name in (ATTRIBUTION, *WEIGHTS):
        within(name in manifest.files, "manifest.files", sorted(manifest.files), f"a digest of {name}")


def _check_classes(classes: tuple[BundleClass, ...]) -> None:
    names = [known.name for known in classes]
    within(bool(names), "manifest.classes", names, "at least one class")
    within(len(set(names)) == len(names), "manifest.classes", names, "a name of its own for each class")
    for place, known in enumerate(classes):
        where = f"manifest.classes[{place}]"
        within(0 <= known.threshold <= 1, f"{where}.threshold", known.threshold, "a number from 0 to 1")
        for key, code in (("finding", known.finding), ("site", known.site)):
            within(all(code), f"{where}.{key}", code, "a code value, scheme and meaning")


def _check_anomaly(anomaly: AnomalyNormals) -> None:
    quantiles = anomaly.quantiles
    within(anomaly.width in WIDTHS, "manifest.anomaly.width", anomaly.width, "a multiple of 8 from 8 to 128")
    within(anomaly.deviation > 0, "manifest.anomaly.deviation", anomaly.deviation, "a number above 0")
    ascending = len(quantiles) == 101 and list(quantiles) == sorted(quantiles)
    within(ascending, "manifest.anomaly.quantiles", f"{len(quantiles)} numbers", "a list of 101 ascending numbers")
