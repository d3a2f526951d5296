"""What a bundle is worth on a data set: every figure from the stored weights and the stored operating point.

It asks the loaded bundle once for everything, and hands the answers to the neighbours that measure them. It changes
nothing and chooses nothing.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.bundle.manifest import Manifest
from models.data.labelled import DataSet, LabelledImages
from models.data.trainable import refuse_single_class, refuse_unknown_labels
from models.evaluation import calibration, curves, metrics, subgroups
from models.evaluation.explanation import measure_maps
from models.evaluation.metrics import Labels, Scores
from models.evaluation.shortcut import sharpness
from models.evaluation.strangers import measure_admission
from models.inference.reader import Reader, load

Tell = Callable[[str, int, int], None]
"""Called with the stage, what is done and what there is to do."""

STAGE = "evaluate"

SHARPNESS = ("sharpness_auc", "sharpness_auc_interval", "sharpness_direction")
ANOMALY = (
    "anomaly_auc",
    "anomaly_auc_interval",
    "anomaly_auc_by_subtype",
    "anomaly_subgroups",
    "anomaly_normals_above_95",
)


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What came out of one evaluation."""

    manifest: Manifest  #: of the bundle that was evaluated
    measures: dict[str, Any]  #: as `evaluate` says, as JSON can hold them
    curves: dict[str, Any]  #: likewise: what the figures draw, as `models.evaluation.curves` makes it


@dataclass(frozen=True, slots=True)
class Answers:
    """What a bundle says of the images of one split."""

    logits: Scores  #: (images, classes)
    probabilities: Scores  #: (images, classes)
    anomaly: Scores | None  #: (images,)
    admitted: NDArray[np.bool_] | None  #: (images,)


def evaluate(
    bundle: Path,
    data: DataSet,
    split: str = "test",
    progress: Tell | None = None,
    *,
    strangers: Path | None = None,
) -> Evaluation:
    """Return the measures of a bundle on one split of a data set.

    Parameters
    ----------
    bundle
        The bundle's folder.
    data
        The data set.
    split
        The split to measure on.
    progress
        Called with stage, done and total.
    strangers
        Folder with images of other body parts, against which admission is measured; None leaves that out.

    Returns
    -------
    Evaluation
        Its measures: `bundle`, `version`, `manifest_digest`, `data_digest` (of this split), `split`, those of
        `measure`, `maps` (deletion tests by class name and for "anomaly"), `baseline_auc` (of the textbook CNN trained
        beside the bundle, where the manifest has it) and `strangers` (None without them).

    Raises
    ------
    BundleError
        Where the bundle cannot be used.
    DataError
        Where the data set cannot be used, or its labels are none of the bundle's classes.
    """
    tell = progress or _silent
    reader, images = load(bundle), data.images(split)
    refuse_unfit(reader.manifest, images, split)
    said = answers(reader, images, tell)
    recorded = reader.manifest.measures.get(split, {})
    measures = {
        "bundle": reader.manifest.name,
        "version": reader.manifest.version,
        "manifest_digest": reader.manifest.manifest_digest,
        "data_digest": data.digest((split,)),
        "split": split,
        **_measures(reader.manifest, images, said),
        "maps": measure_maps(reader, bundle, images, said.probabilities),
        "baseline_auc": recorded.get("baseline_auc"),
        "strangers": measure_admission(reader, images, strangers) if strangers else None,
    }
    tell(STAGE, 4, 4)
    return Evaluation(reader.manifest, measures, drawn(reader.manifest, images.labels, said))


def measure(reader: Reader, images: LabelledImages, tell: Tell) -> dict[str, Any]:
    """Return the measures of a loaded bundle on labelled images.

    Returns
    -------
    dict
        `n`, `groups`; of one class the keys of `models.evaluation.metrics.presence`, of several those of
        `models.evaluation.metrics.choice`; `auc_interval`, `noise_floor` (of `ece`), `refitted`
        (`models.evaluation.calibration`), `subgroups` (`models.evaluation.subgroups`), `admitted` (share),
        `anomaly_auc`, `anomaly_auc_interval`, `anomaly_subgroups`, `anomaly_auc_by_subtype`,
        `anomaly_normals_above_95` (share of the images without the finding that lie above the bundle's 95th
        percentile), and `sharpness_auc` with its interval and direction (the shortcut, alone).
        None stands where the bundle has no such part or several classes.
    """
    refuse_unfit(reader.manifest, images, "measured")
    measures = _measures(reader.manifest, images, answers(reader, images, tell))
    tell(STAGE, 4, 4)
    return measures


def answers(reader: Reader, images: LabelledImages, tell: Tell) -> Answers:
    """Return what a loaded bundle says of labelled images, each part asked once."""
    manifest = reader.manifest
    tell(STAGE, 0, 4)
    seen = images.views(manifest.classifier.size)
    logits, probabilities = reader.logits(seen), reader.probabilities(seen)
    tell(STAGE, 1, 4)
    anomaly = reader.anomaly_scores(images.views) if manifest.anomaly else None
    tell(STAGE, 2, 4)
    admitted = None
    if manifest.admission:
        scores = [reader.admission_score(image) for image in images.views(manifest.admission.size)]
        admitted = np.array(scores) <= manifest.admission.limit
    tell(STAGE, 3, 4)
    return Answers(logits, probabilities, anomaly, admitted)


def refuse_unfit(manifest: Manifest, images: LabelledImages, split: str) -> None:
    """Refuse labels that are not the bundle's classes, or all the same.

    Raises
    ------
    DataError
        Naming the images.
    """
    refuse_unknown_labels(images, split, manifest.label_names)
    refuse_single_class(images, split)


def drawn(manifest: Manifest, labels: Labels, said: Answers) -> dict[str, Any]:
    """Return what the figures draw."""
    if len(manifest.classes) > 1:
        shown_class = metrics.shows_class(labels, said.probabilities)
        return curves.choice_curves(labels[shown_class], said.probabilities[shown_class])
    shown = curves.presence_curves(labels, said.probabilities[:, 0], manifest.classes[0].threshold)
    return shown if said.anomaly is None else {**shown, "anomaly": curves.histogram(labels == 1, said.anomaly)}


def _measures(manifest: Manifest, images: LabelledImages, said: Answers) -> dict[str, Any]:
    several = len(manifest.classes) > 1
    return {
        "n": len(images),
        "groups": len(set(images.groups)),
        **(_choice(manifest, images, said) if several else _presence(manifest, images, said)),
        "admitted": None if said.admitted is None else float(said.admitted.mean()),
        **_anomaly(manifest, images, None if several else said.anomaly),
        **(dict.fromkeys(SHARPNESS) if several else sharpness(images)),
    }


def _presence(manifest: Manifest, images: LabelledImages, said: Answers) -> dict[str, Any]:
    threshold, probabilities = manifest.classes[0].threshold, said.probabilities[:, 0]
    measured = metrics.presence(images.labels, probabilities, threshold, images.groups)
    return {
        **measured,
        "auc_interval": measured["intervals"].get("auc"),
        "noise_floor": calibration.noise_floor(probabilities),
        "refitted": calibration.refitted(said.logits, images.labels, images.groups),
        "subgroups": subgroups.by_subgroup(images.labels, probabilities, threshold, images.attributes, images.groups),
    }


def _choice(manifest: Manifest, images: LabelledImages, said: Answers) -> dict[str, Any]:
    thresholds = [known.threshold for known in manifest.classes]
    right = metrics.right_as_served(images.labels, said.probabilities, thresholds)
    surest = said.probabilities[metrics.shows_class(images.labels, said.probabilities)].max(1)
    return {
        **metrics.choice(images.labels, said.probabilities, thresholds, images.groups),
        "noise_floor": calibration.noise_floor(surest),
        "refitted": None,
        "subgroups": subgroups.accuracy_by_subgroup(right, images.attributes, images.groups),
    }


def _anomaly(manifest: Manifest, images: LabelledImages, scores: Scores | None) -> dict[str, Any]:
    """Return what the anomaly score is worth for telling the class's presence, as a whole and by subgroup."""
    if scores is None:
        return dict.fromkeys(ANOMALY)
    assert manifest.anomaly is not None  # noqa: S101 there are scores, for the type checker
    rows = subgroups.by_subgroup(images.labels, scores, None, images.attributes, images.groups)
    return {
        "anomaly_auc": metrics.auc(images.labels, scores),
        "anomaly_auc_interval": list(metrics.auc_interval(images.labels, scores, images.groups)),
        "anomaly_auc_by_subtype": {
            row["value"]: row["auc"] for row in rows if row["attribute"] == "subtype" and row["present"] == row["n"]
        },
        "anomaly_subgroups": rows,
        "anomaly_normals_above_95": float((scores[images.labels == 0] > manifest.anomaly.quantiles[95]).mean()),
    }


def _silent(_stage: str, _done: int, _total: int) -> None:
    """Tell nobody."""
