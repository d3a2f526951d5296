"""The model card: what the shipped bundle is for, what it was made from, what it reaches and where it ends.

The words are in a template, the figures come from evaluations; it computes nothing but means over seeds. It is made for
a bundle of one class that was trained here.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from models.evaluation.measures import Evaluation
from models.evaluation.page import CAPTIONS, LEARNED_FROM, MEANINGS, drawings, shortcut_name, ways
from models.evaluation.robustness import ADULTS
from models.evaluation.subgroups import SMALL
from models.evaluation.surroundings import CardError, Surroundings
from models.evaluation.templating import template

KINDS = {
    "restoring": "restoring autoencoder, a small U-Net with a mask head, trained to remove synthetic opacities",
    "residual": "what the same restoring autoencoder takes out of the image",
    "one_class": "one-class CNN, trained to find synthetic pathology on normals",
    "features": "linear feature autoencoder, what principal components of normals cannot rebuild",
}
"""Parts of an anomaly score, in words."""

NETWORKS = {
    "compact_resnet": "compact ResNet, 309 thousand parameters",
    "textbook": "textbook CNN of three convolutions",
    "textbook_28": "textbook CNN of two convolutions",
    "textbook_224": "textbook CNN of three convolutions on three channels",
}
"""Classifiers, in words."""

PUBLIC_CHESTS = "chest_kermany"
"""Data whose history is known: a card of a bundle that was trained on them tells it, and no other card does."""

SPLITS_OF_A_SEED = ("hard_val", "val", "test")


def write_card(evaluation: Evaluation, path: Path, surroundings: Surroundings) -> None:
    """Write the card, and its figures into the folder `figures` beside it.

    Raises
    ------
    CardError
        Where the bundle has several classes, does not say what it was trained on, or the split was learned from.
    OSError
        Where something cannot be written.
    """
    text = card(evaluation, surroundings)
    write_figures(evaluation, path.parent / "figures")
    path.write_text(text, encoding="utf-8")


def card(evaluation: Evaluation, surroundings: Surroundings) -> str:
    """Return the card's text."""
    manifest, measures = evaluation.manifest, evaluation.measures
    if len(manifest.classes) > 1 or manifest.data is None:
        raise CardError(f"a card is for a bundle of one class trained here, which {manifest.name} is not")
    if measures["split"] in LEARNED_FROM:
        raise CardError(f"the split {measures['split']} was learned from and is no test: write the card of another one")
    seeds = manifest.measures.get("seeds", [])
    rows = measures["anomaly_subgroups"] or []
    return template("card.md.jinja").render(
        m=measures,
        manifest=manifest,
        data_name=surroundings.data_name,
        network=NETWORKS.get(manifest.recipe.get("classifier", {}).get("network"), "convolutional network"),
        kinds=KINDS,
        seeds=seeds,
        members=sum(bool(row.get("member")) for row in seeds),
        known=manifest.data.name == PUBLIC_CHESTS,
        finding=manifest.classes[0],
        val=manifest.measures.get("val", {}),
        ppv=lambda prevalence: positive_predictive_value(measures, prevalence),
        spread={name: mean_and_range([row[name] for row in seeds]) for name in SPLITS_OF_A_SEED if seeds},
        present=sum(measures["confusion"][1]),
        maps=(maps := _maps(measures, surroundings)),
        ways=ways(maps),
        meanings=MEANINGS,
        figures=tuple(drawings(evaluation)),
        captions=CAPTIONS,
        beside=_beside(evaluation, surroundings),
        plain=manifest.measures.get(measures["split"], {}).get("plain_autoencoder_auc"),
        anomaly_by={
            **{(row["attribute"], row["value"]): None for row in measures["subgroups"]},
            **{(row["attribute"], row["value"]): row["auc"] for row in rows},
        },
        small=SMALL,
        took=took(surroundings.spent) if surroundings.spent else (),
        threads=surroundings.spent["threads"] if surroundings.spent else None,
        robustness=surroundings.robustness,
        adults=surroundings.adults,
        adults_row=ADULTS,
    )


def write_figures(evaluation: Evaluation, folder: Path) -> None:
    """Write the figures as SVG files that name the bundle and the data which they show.

    Raises
    ------
    OSError
        Where they cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    measures = evaluation.measures
    origin = f"<desc>bundle {measures['manifest_digest']}, data {measures['data_digest']}</desc>"
    for name, text in drawings(evaluation).items():
        head, body = text.split(">", 1)
        (folder / f"{name}.svg").write_text(f"{head}>{origin}{body}", encoding="utf-8")


def took(spent: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the rows that tell what training took, in minutes: each stage, and the sum of what ships and of the rest.

    Parameters
    ----------
    spent
        As the bundle's training.json says: `ships` and `compared`, each with `wall` and `cpu` seconds by stage.
    """
    rows = []
    for kind, name in (("ships", "**all that ships**"), ("compared", "**all that is only compared**")):
        stages = spent[kind]
        rows += [{"name": stage, "ships": kind == "ships", **_minutes([one])} for stage, one in stages.items()]
        rows.append({"name": name, "ships": kind == "ships", **_minutes(list(stages.values()))})
    return rows


def _minutes(stages: Sequence[Mapping[str, float]]) -> dict[str, float]:
    return {key: sum(stage[key] for stage in stages) / 60.0 for key in ("wall", "cpu")}


def positive_predictive_value(measures: Mapping[str, Any], prevalence: float) -> float | None:
    """Return which share of those called would be ill, where another share of all were; None where none is called."""
    right = measures["sensitivity"] * prevalence
    called = right + (1.0 - measures["specificity"]) * (1.0 - prevalence)
    return float(right / called) if called > 0 else None


def mean_and_range(values: Sequence[float]) -> str:
    """Return the mean with the lowest and the highest value."""
    return f"**{np.mean(values):.3f}** ({min(values):.3f} to {max(values):.3f})"


def _beside(evaluation: Evaluation, surroundings: Surroundings) -> list[dict[str, Any]]:
    """Return the rows that the bundle is compared with: other bundles, what was trained beside it, the shortcut."""
    measures, where = evaluation.measures, f"{surroundings.data_name} {evaluation.measures['split']}"
    recorded = evaluation.manifest.measures.get(measures["split"], {})
    own = [
        ("textbook CNN, trained beside it without augmentation", recorded.get("baseline_auc"), None),
        ("anomaly score, trained on normals only", measures["anomaly_auc"], measures["anomaly_auc_interval"]),
        ("plain autoencoder, reconstruction error", recorded.get("plain_autoencoder_auc"), None),
        (shortcut_name(measures), measures["sharpness_auc"], measures["sharpness_auc_interval"]),
    ]
    rows = [
        {"name": name, "data": where, "value": value, "unit": "", "interval": interval}
        for name, value, interval in own
        if value is not None
    ]
    return [*(_other(others, measures, where) for others in surroundings.beside), *rows]


def _maps(measures: Mapping[str, Any], surroundings: Surroundings) -> dict[str, Mapping[str, Any]]:
    """Return the deletion tests by what the map is of: the bundle's own, then those of other bundles on these data."""
    same = (measures["data_digest"], measures["split"])
    alike = [other for other in surroundings.beside if (other.get("data_digest"), other["split"]) == same]
    others = {f"{other['bundle']}: {name}": test for other in alike for name, test in other["maps"].items()}
    return {**measures["maps"], **others}


def _other(measures: Mapping[str, Any], own: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Return the row of another bundle: its AUC, or of several classes its accuracy.

    Data that are called as those of the card, and are others by their digest, are marked.
    """
    key, data = "auc" if "auc" in measures else "accuracy", f"{measures['data']} {measures['split']}"
    misleading = data == where and measures.get("data_digest") != own["data_digest"]
    return {
        "name": f"{measures['bundle']} {measures['version']}",
        "data": f"{data}, other images" if misleading else data,
        "value": measures[key],
        "unit": "" if key == "auc" else " accuracy",
        "interval": measures["intervals"].get(key),
    }
