"""What a training leaves, put into a bundle's folder: weights, networks, manifest, log and curves; then the measures.

It knows the parts of a bundle and fits nothing.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from models.bundle import folder as bundles
from models.bundle import manifest as manifests
from models.data.labelled import LabelledImages
from models.training.recipe import Recipe
from models.training.training_log import write_curves, write_log
from models.training.training_progress import Tell

SOFTWARE = ("keras", "numpy", "opencv-python-headless", "scikit-learn", "tensorflow")
CURVES = "training-curves.png"
CLASSIFIER = "classifier.tflite"


@dataclass(frozen=True, slots=True)
class Parts:
    """What a training leaves, before it is written."""

    arrays: dict[str, bundles.Arrays]  #: by network, for retraining; and what admission scores with
    networks: dict[str, bytes]  #: as LiteRT runs them
    channels: int  #: of the classifier's input
    map: str  #: the name of the classifier's map among its outputs, or empty
    threshold: float  #: of every class
    limit: float | None  #: of admission; None where there is none
    anomaly: manifests.Anomaly | None
    measures: dict[str, dict[str, float]]  #: by split: figures of networks that are not kept
    tried: tuple[dict[str, Any], ...]  #: each seed of the classifier with its measures
    log: tuple[dict[str, Any], ...]
    spent: dict[str, Any]  #: seconds by stage, of what ships and of what does not
    calibration: manifests.Calibration = field(default_factory=manifests.Calibration)


@dataclass(frozen=True, slots=True)
class Origin:
    """What a training came from, as the manifest records it."""

    data_digest: str
    images: dict[str, int]  #: by split
    seed: int
    code_digest: str


def software() -> dict[str, str]:
    """Return the versions that a result depends on."""
    return {name: version(name) for name in SOFTWARE}


def manifest_of(plan: Recipe, parts: Parts, origin: Origin, now: datetime) -> manifests.Manifest:
    """Return the manifest of a bundle whose files are yet to be written and measured."""
    admission = None
    if plan.admission is not None and parts.limit is not None:
        percentile = plan.admission.held_out_percentile
        admission = manifests.AdmissionLimit(plan.admission.size, parts.limit, percentile)
    return manifests.Manifest(
        format=manifests.FORMAT,
        name=plan.recipe.name,
        version=plan.recipe.version,
        device_uid="",
        created_at=now.astimezone(UTC).isoformat(timespec="seconds"),
        classes=tuple(manifests.BundleClass(**asdict(known), threshold=parts.threshold) for known in plan.classes),
        classifier=manifests.Classifier(
            CLASSIFIER,
            plan.classifier.size,
            channels=parts.channels,
            map=parts.map,
            activation="softmax" if plan.exclusive else "sigmoid",
        ),
        calibration=parts.calibration,
        admission=admission,
        anomaly=parts.anomaly,
        data=manifests.TrainingData(**asdict(plan.data), digest=origin.data_digest, images=origin.images),
        recipe=asdict(plan),
        seed=origin.seed,
        software=software(),
        code_digest=origin.code_digest,
        measures={},
        weights_digest="",
        files={},
        manifest_digest="",
    )


def write(
    folder: Path, manifest: manifests.Manifest, parts: Parts, images: Mapping[str, LabelledImages], tell: Tell
) -> None:
    """Write the bundle, measure it as it stands there, and write the measures into its manifest."""
    from models.evaluation.measures import measure  # noqa: PLC0415 scikit-learn only once there is something to measure
    from models.inference.reader import load  # noqa: PLC0415 the same

    for name, arrays in parts.arrays.items():
        bundles.write_arrays(folder / f"{name}.npz", arrays)
    for name, network in parts.networks.items():
        (folder / f"{name}.tflite").write_bytes(network)
    (folder / manifests.ATTRIBUTION).write_text(_attribution(manifest), encoding="utf-8")
    write_log(folder / bundles.LOG, parts.log)
    write_curves(folder / CURVES, parts.log)
    (folder / bundles.SPENT).write_text(json.dumps(parts.spent, indent=2) + "\n", encoding="utf-8")
    complete = replace(manifest, files=bundles.file_digests(folder))
    bundles.write_bundle(folder, complete)
    reader = load(folder)
    measured = {split: {**measure(reader, images[split], tell), **parts.measures[split]} for split in parts.measures}
    bundles.write_bundle(folder, replace(complete, measures={**measured, "seeds": list(parts.tried)}))


def _attribution(manifest: manifests.Manifest) -> str:
    data = manifest.data
    if data is None:
        raise ValueError("a bundle that was trained here says on what")
    return (
        f"The weights in this folder ({manifest.name} {manifest.version}) were trained on the data set {data.name}.\n\n"
        f"Licence of the data: {data.licence}\nAttribution: {data.attribution}\n\n"
        "The weights are under the project's own licence, Apache-2.0; this attribution travels with them.\n"
        "A research model: not for diagnosis.\n"
    )
