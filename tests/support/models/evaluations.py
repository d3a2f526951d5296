"""Made-up evaluations: what came out for answers that nobody gave."""

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np

from models.bundle.manifest import BundleClass, Calibration, Classifier, Manifest, TrainingData
from models.evaluation import curves, metrics, subgroups
from models.evaluation.log import Use
from models.evaluation.measures import Evaluation

CODE = ("1", "SCT", "x")
MANIFEST = Manifest(
    format=3,
    name="tiny",
    version="0.0.1",
    device_uid="2.25.1",
    created_at="2026-01-02T03:04:05+00:00",
    classes=(BundleClass("pneumonia", CODE, CODE, 0.4),),
    classifier=Classifier("classifier.tflite", 32),
    calibration=Calibration(),
    admission=None,
    anomaly=None,
    data=TrainingData("drawn", "none needed", "Drawn by the tests.", "t" * 64, {"train": 300, "test": 80}),
    recipe={"classifier": {"network": "compact_resnet"}},
    seed=1,
    software={"numpy": "2.0"},
    code_digest="c" * 64,
    measures={},
    weights_digest="w" * 64,
    files={},
    manifest_digest="m" * 64,
)
COMMON = {
    "bundle": "tiny",
    "version": "0.0.1",
    "manifest_digest": "m" * 64,
    "data_digest": "d" * 64,
    "split": "test",
    "noise_floor": 0.02,
    "refitted": None,
    "maps": {},
    "strangers": None,
    "baseline_auc": 0.9,
    "anomaly_auc": None,
    "anomaly_auc_interval": None,
    "anomaly_subgroups": None,
    "anomaly_normals_above_95": None,
    "admitted": None,
}


def made_up() -> Evaluation:
    """Return what came out for 80 made-up answers about one class."""
    random = np.random.default_rng(0)
    labels = random.integers(0, 2, 80)
    said = np.clip(labels * 0.4 + random.random(80) * 0.6, 0, 1)
    groups = [str(number // 2) for number in range(80)]
    kinds = {"site": tuple("<b>north</b>" if number % 3 else "south" for number in range(80))}
    measured = metrics.presence(labels, said, 0.4, groups)
    measures = {
        **COMMON,
        **measured,
        "n": 80,
        "groups": 40,
        "auc_interval": measured["intervals"].get("auc"),
        "subgroups": subgroups.by_subgroup(labels, said, 0.4, kinds, groups),
        "sharpness_auc": 0.6,
        "sharpness_auc_interval": [0.5, 0.7],
        "sharpness_direction": "blurred",
    }
    return Evaluation(MANIFEST, measures, curves.presence_curves(labels, said, 0.4))


def made_up_digits() -> Evaluation:
    """Return what came out for 200 made-up answers about ten classes."""
    random = np.random.default_rng(0)
    labels, probabilities = random.integers(0, 10, 200), random.dirichlet(np.full(10, 0.3), 200)
    measured = metrics.choice(labels, probabilities, [0.5] * 10, [str(number) for number in range(200)])
    classes = tuple(BundleClass(str(number), CODE, CODE, 0.5) for number in range(10))
    measures = {
        **COMMON,
        **measured,
        "n": 200,
        "groups": 200,
        "subgroups": [],
        "sharpness_auc": None,
        "sharpness_auc_interval": None,
        "sharpness_direction": None,
    }
    return Evaluation(replace(MANIFEST, classes=classes), measures, curves.choice_curves(labels, probabilities))


def read_log(path: Path) -> list[Use]:
    """Return the lines of a log of evaluations, the oldest first."""
    with path.open(newline="", encoding="utf-8") as file:
        return [Use(**line) for line in csv.DictReader(file)]
