"""From a manifest's bytes to a manifest: strict JSON, every value in its range, every digest compared.

It knows what could be read with, and refuses the rest by key. It knows no folder and opens no file.
"""

import json
import math
from typing import Any, NoReturn

from models.bundle.manifest import (
    ATTRIBUTION,
    FORMAT,
    OWN_DIGEST,
    AdmissionLimit,
    Anomaly,
    AnomalyPart,
    BundleClass,
    Classifier,
    Manifest,
    device_uid,
    manifest_digest,
    served_files,
    weights_digest,
)
from models.strict import FormError, build, within

SIZES = range(16, 1025)
"""Input sizes, in pixels, of a classifier."""

CELLED_SIZES = range(16, 1025, 16)
"""Input sizes, in pixels, that features and U-Net can be built for."""

WIDTHS = range(8, 129, 8)
"""Channels of a first stage that its group normalisation can be built for; 0 where a part has none."""

KINDS = ("restoring", "residual", "one_class", "features")
"""Parts of an anomaly score: the restoring autoencoder's mask and what it takes away, the one-class network's mask, the
linear feature autoencoder."""

ENDINGS = (".tflite", ".onnx")
"""Files that can be run as a network."""

LAYOUTS = ("NHWC", "NCHW")
ACTIVATIONS = ("sigmoid", "softmax", "none")


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
    if manifest.weights_digest != weights_digest(manifest):
        raise FormError("manifest.weights_digest does not belong to these weights")
    if manifest.device_uid != device_uid(manifest):
        raise FormError("manifest.device_uid does not belong to these weights and settings")
    return manifest


def _check(manifest: Manifest) -> None:
    """Refuse values of the right type that nothing can be read with, or that no training leaves."""
    _check_classes(manifest.classes)
    _check_classifier(manifest.classifier)
    _check_places(manifest.classifier.places, len(manifest.classes))
    within(manifest.calibration.slope > 0, "manifest.calibration.slope", manifest.calibration.slope, "a number above 0")
    if manifest.admission is not None:
        _check_admission(manifest.admission)
    if manifest.anomaly is not None:
        _check_anomaly(manifest.anomaly)
    for name in (*((ATTRIBUTION,) if manifest.data else ()), *served_files(manifest)):
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


def _check_classifier(known: Classifier) -> None:
    where = "manifest.classifier"
    within(known.file.endswith(ENDINGS), f"{where}.file", known.file, f"a file that ends in {' or '.join(ENDINGS)}")
    within(known.size in SIZES, f"{where}.size", known.size, "a number from 16 to 1024")
    within(known.channels in {1, 3}, f"{where}.channels", known.channels, "1 or 3")
    within(known.layout in LAYOUTS, f"{where}.layout", known.layout, " or ".join(LAYOUTS))
    within(known.activation in ACTIVATIONS, f"{where}.activation", known.activation, " or ".join(ACTIVATIONS))
    within(known.low < known.high, f"{where}.high", known.high, f"a number above low ({known.low})")
    for key in ("mean", "deviation"):
        numbers = getattr(known, key)
        within(len(numbers) in {0, known.channels}, f"{where}.{key}", numbers, "one number for each channel, or none")
    within(all(number > 0 for number in known.deviation), f"{where}.deviation", known.deviation, "numbers above 0")


def _check_places(places: tuple[int, ...], classes: int) -> None:
    chosen = not places or (len(set(places)) == len(places) == classes and min(places) >= 0)
    needed = f"a place of its own, from 0, for each of the {classes} classes, or none"
    within(chosen, "manifest.classifier.places", places, needed)


def _check_admission(admission: AdmissionLimit) -> None:
    where, percentile = "manifest.admission", admission.held_out_percentile
    within(admission.size in CELLED_SIZES, f"{where}.size", admission.size, "a multiple of 16 from 16 to 1024")
    within(admission.limit > 0, f"{where}.limit", admission.limit, "a number above 0")
    within(0 <= percentile <= 100, f"{where}.held_out_percentile", percentile, "a number from 0 to 100")


def _check_anomaly(anomaly: Anomaly) -> None:
    where, quantiles = "manifest.anomaly", anomaly.quantiles
    kinds = [part.kind for part in anomaly.parts]
    within(bool(kinds), f"{where}.parts", kinds, "at least one part")
    within(len(set(kinds)) == len(kinds), f"{where}.parts", kinds, "each kind of part once")
    for place, part in enumerate(anomaly.parts):
        _check_part(part, f"{where}.parts[{place}]")
    within(anomaly.deviation > 0, f"{where}.deviation", anomaly.deviation, "a number above 0")
    ascending = len(quantiles) == 101 and list(quantiles) == sorted(quantiles)
    within(ascending, f"{where}.quantiles", f"{len(quantiles)} numbers", "a list of 101 ascending numbers")


def _check_part(part: AnomalyPart, where: str) -> None:
    within(part.kind in KINDS, f"{where}.kind", part.kind, " or ".join(KINDS))
    ending = ".npz" if part.kind == "features" else ".tflite"
    within(part.file.endswith(ending), f"{where}.file", part.file, f"a file that ends in {ending}")
    within(part.size in CELLED_SIZES, f"{where}.size", part.size, "a multiple of 16 from 16 to 1024")
    within(part.deviation > 0, f"{where}.deviation", part.deviation, "a number above 0")
    within(part.weight > 0, f"{where}.weight", part.weight, "a number above 0")
    within(part.width == 0 or part.width in WIDTHS, f"{where}.width", part.width, "0 or a multiple of 8 up to 128")


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
