"""The figures of an evaluation, as SVG text: curves, calibration, histograms, confusion.

It knows what `models.evaluation.curves` makes, and matplotlib. Equal curves give equal text: no date, no random names.
"""

import io
import re
from collections.abc import Callable, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

PRESENT, ABSENT, GUIDE = "#b03a2e", "#2e6da4", "#8a8f98"
STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#5a5f69",
    "axes.labelcolor": "#2b2f36",
    "xtick.color": "#5a5f69",
    "ytick.color": "#5a5f69",
    "axes.grid": True,
    "grid.color": "#e4e6ea",
    "grid.linewidth": 0.6,
    "axes.axisbelow": True,
    "legend.frameon": False,
}
SQUARE, WIDE, LARGE = (3.5, 3.3), (3.9, 3.3), (5.2, 5.2)
FEW = 4
"""Classes up to which a confusion matrix has room for its names and zeros."""

Draw = Callable[[Axes], None]


def figures(curves: dict[str, Any], measures: dict[str, Any], names: Sequence[str]) -> dict[str, str]:
    """Return the SVG text of each figure by its name.

    Parameters
    ----------
    curves
        What `models.evaluation.curves` made.
    measures
        Of the same evaluation: its confusion matrix.
    names
        What rows and columns of the confusion matrix are called.

    Returns
    -------
    dict
        `roc` and `precision-recall` of one class, `reliability`, `scores`, `confusion`, and `anomaly` where there is a
        score.
    """
    names = [name.replace("$", r"\$") for name in names]  # to matplotlib, a pair of them would be a formula
    drawings: dict[str, tuple[tuple[float, float], Draw]] = {}
    if "roc" in curves:
        drawings["roc"] = (SQUARE, lambda axes: draw_roc(axes, curves["roc"], measures))
        drawings["precision-recall"] = (SQUARE, lambda axes: draw_precision_recall(axes, curves["precision_recall"]))
    drawings["reliability"] = (SQUARE, lambda axes: draw_reliability(axes, curves["reliability"]))
    kinds = tuple(names[1::-1]) if "roc" in curves else ("right", "wrong")
    drawings["scores"] = (
        WIDE,
        lambda axes: draw_histogram(axes, curves["histogram"], kinds, "probability", curves.get("threshold")),
    )
    if "anomaly" in curves:
        drawings["anomaly"] = (WIDE, lambda axes: draw_histogram(axes, curves["anomaly"], kinds, "anomaly score", None))
    size = SQUARE if len(names) <= FEW else LARGE
    drawings["confusion"] = (size, lambda axes: draw_confusion(axes, measures["confusion"], names))
    return {name: svg(name, size, draw) for name, (size, draw) in drawings.items()}


def svg(name: str, size: tuple[float, float], draw: Draw) -> str:
    """Return one drawing as the text of an svg element; `name` keeps its inner names apart from other figures'."""
    with mpl.rc_context({**STYLE, "svg.hashsalt": name}):
        figure = Figure(figsize=size, layout="constrained")
        draw(figure.add_subplot())
        text = io.StringIO()
        nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
        figure.savefig(text, format="svg", transparent=True, metadata=nothing)
    lines = text.getvalue().split("<svg", 1)[1].splitlines()
    alone = "<svg" + "\n".join(line.rstrip() for line in lines) + "\n"
    return re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>{name}-", alone)


def draw_roc(axes: Axes, roc: dict[str, Any], measures: dict[str, Any]) -> None:
    """Draw sensitivity over false alarms, with the stored operating point."""
    axes.plot([0, 1], [0, 1], color=GUIDE, linewidth=0.8, linestyle="--")
    axes.plot(roc["false_alarms"], roc["sensitivity"], color=PRESENT, linewidth=1.6)
    point = 1 - (measures["specificity"] or 0), measures["sensitivity"] or 0
    axes.plot(*point, "o", color="#2b2f36", markersize=5, label=f"operating point {measures['threshold']:.3f}")
    axes.legend(loc="lower right")
    _unit(axes, "1 - specificity", "sensitivity")


def draw_precision_recall(axes: Axes, curve: dict[str, Any]) -> None:
    """Draw precision over recall."""
    axes.plot(curve["recall"], curve["precision"], color=PRESENT, linewidth=1.6)
    _unit(axes, "recall", "precision")


def draw_reliability(axes: Axes, bins: Sequence[dict[str, float]]) -> None:
    """Draw frequency over probability; the area of a point is its number of images."""
    axes.plot([0, 1], [0, 1], color=GUIDE, linewidth=0.8, linestyle="--")
    said, seen = ([one[key] for one in bins] for key in ("probability", "frequency"))
    axes.plot(said, seen, color=PRESENT, linewidth=1.0)
    most = max(one["n"] for one in bins)
    axes.scatter(said, seen, [12 + 140 * one["n"] / most for one in bins], color=PRESENT, alpha=0.75, linewidths=0)
    _unit(axes, "probability", "frequency")


def draw_histogram(
    axes: Axes, bars: dict[str, Any], kinds: tuple[str, ...], label: str, threshold: float | None
) -> None:
    """Draw how many images of either kind have which score, positives upwards and negatives downwards."""
    edges = np.asarray(bars["edges"])
    for name, sign, colour, kind in (("positive", 1, PRESENT, kinds[0]), ("negative", -1, ABSENT, kinds[1])):
        heights = sign * np.asarray(bars[name])
        axes.bar(edges[:-1], heights, np.diff(edges) * 0.9, align="edge", color=colour, label=kind)
    axes.axhline(0, color="#5a5f69", linewidth=0.8)
    if threshold is not None:
        axes.axvline(threshold, color="#2b2f36", linewidth=1.0, linestyle=":", label=f"threshold {threshold:.3f}")
    axes.yaxis.set_major_formatter(lambda value, _place: f"{abs(value):g}")
    axes.set_xlabel(label)
    axes.set_ylabel("images")
    axes.legend(loc="best", fontsize=8)


def draw_confusion(axes: Axes, matrix: Sequence[Sequence[int]], names: Sequence[str]) -> None:
    """Draw numbers of images by what they are (rows) and what they were called (columns)."""
    table = np.asarray(matrix, float)
    shares = table / np.maximum(table.sum(1, keepdims=True), 1)
    axes.pcolormesh(shares, cmap="Blues", vmin=0, vmax=1.15)
    many = len(table) > FEW
    for row, column in np.ndindex(*table.shape):
        if table[row, column] or not many:
            colour = "white" if shares[row, column] > 0.6 else "#2b2f36"
            axes.text(column + 0.5, row + 0.5, f"{int(table[row, column])}", ha="center", va="center", color=colour)
    axes.grid(visible=False)
    places = np.arange(len(names)) + 0.5
    axes.set_xticks(places, names, rotation=90 if many else 0)
    axes.set_yticks(places, names, rotation=0 if many else 90, va="center")
    axes.set(xlabel="called", ylabel="is", aspect="equal")
    axes.invert_yaxis()


def _unit(axes: Axes, across: str, up: str) -> None:
    axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), xlabel=across, ylabel=up, aspect="equal")
