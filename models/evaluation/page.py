"""The page of an evaluation: one HTML file that needs nothing beside it, to read on a screen or on paper.

It knows an evaluation's measures and curves, and puts them into words; it computes none. Equal evaluations give equal
pages: nothing on it depends on when it was written.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from markupsafe import Markup

from models.evaluation.figures import figures
from models.evaluation.measures import Evaluation
from models.evaluation.subgroups import SMALL
from models.evaluation.templating import ends, number, percent, template

MEANINGS = {
    "auc": ("AUC", "chance that an image with the finding scores higher than one without"),
    "macro_auc": ("macro AUC", "AUC of each class against the rest, averaged"),
    "average_precision": ("average precision", "area under the precision-recall curve"),
    "accuracy": ("accuracy", "share called right; of several classes, where the likeliest one is"),
    "accuracy_at_thresholds": ("accuracy as served", "share where exactly the right class reaches its threshold"),
    "none_called": ("none called", "share where no class reaches its threshold: nothing is reported"),
    "balanced_accuracy": ("balanced accuracy", "mean of sensitivity and specificity"),
    "sensitivity": ("sensitivity", "share of those with the finding that are called"),
    "specificity": ("specificity", "share of those without the finding that are not called"),
    "precision": ("precision", "share of those called that have the finding"),
    "recall": ("recall", "another name of sensitivity"),
    "f1": ("F1", "harmonic mean of precision and recall"),
    "macro_recall": ("macro recall", "recall of each class, averaged"),
    "macro_precision": ("macro precision", "precision of each class, averaged"),
    "macro_f1": ("macro F1", "F1 of each class, averaged"),
    "ece": ("expected calibration error", "mean distance of probability and frequency, ten bins"),
    "brier": ("Brier score", "mean squared distance of probability and truth"),
}
"""Name and meaning of each measure, in the page's order."""

CAPTIONS = {
    "roc": "ROC: what sensitivity costs in false alarms; the dot is the stored operating point.",
    "precision-recall": "Precision and recall over all thresholds.",
    "reliability": "Reliability: on the dashed line probabilities mean what they say; points grow with their images.",
    "scores": "Probabilities of the images of either kind, upwards and downwards.",
    "anomaly": "Anomaly scores of the images of either kind.",
    "confusion": "Images by what they are and what they were called; the colour is the share of the row.",
}

LEARNED_FROM = frozenset({"train", "val"})
"""Splits whose figures are no test."""

DIGESTS = ("bundle, manifest", "bundle, weights", "data measured on", "data trained on", "code", "Device UID")


def write_page(evaluation: Evaluation, path: Path, data_name: str) -> None:
    """Write the page of an evaluation.

    Parameters
    ----------
    evaluation
        What came out.
    path
        The file; it is replaced.
    data_name
        What the data set is called.

    Raises
    ------
    OSError
        Where it cannot be written.
    """
    path.write_text(page(evaluation, data_name), encoding="utf-8")


def page(evaluation: Evaluation, data_name: str) -> str:
    """Return the page's text."""
    measures = evaluation.measures
    return template("page.html.jinja").render(
        m=measures,
        data_name=data_name,
        learned_from=learned_from(evaluation),
        tiles=_tiles(measures),
        rows=_rows(measures),
        beside=beside(measures),
        figures={name: Markup(text) for name, text in drawings(evaluation).items()},  # noqa: S704 drawn here, escaped by matplotlib
        captions=CAPTIONS,
        small=SMALL,
        ways=ways(measures["maps"]),
        provenance=_provenance(evaluation),
        digests=DIGESTS,
    )


def shortcut_name(measures: Mapping[str, Any]) -> str:
    """Return what the shortcut is called, with its direction."""
    return f"sharpness alone, the shortcut: {measures['sharpness_direction']} images are called"


def learned_from(evaluation: Evaluation) -> bool:
    """Return whether a training learns from the split, or chooses by it."""
    return evaluation.measures["split"] in LEARNED_FROM


def drawings(evaluation: Evaluation) -> dict[str, str]:
    """Return the figures of an evaluation as SVG text, by name."""
    names = [known.name for known in evaluation.manifest.classes]
    labels = names if len(names) > 1 else [f"no {names[0]}", names[0]]
    return figures(evaluation.curves, evaluation.measures, labels)


def beside(measures: dict[str, Any]) -> list[dict[str, Any]]:
    """Return what a result has to be compared with, by AUC; nothing where there is no shortcut to compare with."""
    if measures["sharpness_auc"] is None:
        return []
    rows = [
        ("this bundle", measures["auc"], measures["auc_interval"]),
        ("textbook CNN, trained beside it", measures["baseline_auc"], None),
        ("anomaly score, trained on normals only", measures["anomaly_auc"], measures["anomaly_auc_interval"]),
        (shortcut_name(measures), measures["sharpness_auc"], measures["sharpness_auc_interval"]),
    ]
    return [{"name": name, "value": value, "interval": some} for name, value, some in rows if value is not None]


def ways(maps: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return in sentences in what unit drops are and how regions were taken out, once for all maps that are alike."""
    alike: dict[tuple[str, str], list[str]] = {}
    for name, test in maps.items():
        alike.setdefault((test["unit"], test["removal"]), []).append(name)
    return [
        f"Drops{'' if len(alike) == 1 else ' of ' + ', '.join(names)} in {unit}, the region {removal}."
        for (unit, removal), names in alike.items()
    ]


def _tiles(measures: dict[str, Any]) -> list[dict[str, str]]:
    intervals = measures["intervals"]
    shown = [
        (MEANINGS[name][0].removeprefix("expected "), number(measures[name]), ends(intervals.get(name)))
        for name in (
            "auc",
            "balanced_accuracy",
            "accuracy",
            "accuracy_at_thresholds",
            "none_called",
            "macro_auc",
            "ece",
        )
        if name in measures
    ]
    if measures["anomaly_auc"] is not None:
        shown.append(("anomaly AUC", number(measures["anomaly_auc"]), ends(measures["anomaly_auc_interval"])))
    if measures["admitted"] is not None:
        shown.append(("admitted", percent(measures["admitted"]), "of these images"))
    return [dict(zip(("name", "value", "note"), tile, strict=True)) for tile in shown]


def _rows(measures: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {"name": name, "value": measures[key], "interval": measures["intervals"].get(key), "meaning": meaning}
        for key, (name, meaning) in MEANINGS.items()
        if key in measures
    ]


def _provenance(evaluation: Evaluation) -> list[tuple[str, str]]:
    """Return what is needed to know which bundle and which data these figures are about."""
    manifest, measures = evaluation.manifest, evaluation.measures
    trained = manifest.data
    rows = [
        ("bundle, manifest", measures["manifest_digest"]),
        ("bundle, weights", manifest.weights_digest),
        ("Device UID", manifest.device_uid),
        ("code", manifest.code_digest),
        ("trained", f"{manifest.created_at}, seed {manifest.seed}"),
        ("software", ", ".join(f"{name} {version}" for name, version in manifest.software.items())),
        ("data measured on", measures["data_digest"]),
        ("data trained on", trained.digest if trained else ""),
        ("its name and licence", f"{trained.name}: {trained.licence}" if trained else ""),
        ("its attribution", trained.attribution if trained else ""),
    ]
    return [(name, value) for name, value in rows if value]
