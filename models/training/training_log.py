"""The log of a training as a table and as a picture of its curves. It knows rows of numbers."""

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

COLUMNS = ("network", "seed", "epoch")


def write_log(path: Path, log: Sequence[dict[str, Any]]) -> None:
    """Write one line for each epoch of each network; what a network does not have stays empty."""
    losses = sorted({name for row in log for name in row} - set(COLUMNS))
    with path.open("w", newline="", encoding="utf-8") as file:
        lines = csv.DictWriter(file, [*COLUMNS, *losses], lineterminator="\n")
        lines.writeheader()
        lines.writerows(log)


def write_curves(path: Path, log: Sequence[dict[str, Any]]) -> None:
    """Draw the loss of each network by epoch, one panel a network and one line a seed, as a small PNG."""
    import matplotlib as mpl  # noqa: PLC0415 a second's import that only the end of a training pays
    from matplotlib.figure import Figure  # noqa: PLC0415 the same; no pyplot, and so no window system

    networks = list(dict.fromkeys(row["network"] for row in log))
    with mpl.rc_context({"font.size": 8, "svg.hashsalt": "pacs-node"}):
        figure = Figure(figsize=(3.2 * len(networks), 2.4), dpi=100, layout="constrained")
        for panel, network in zip(figure.subplots(1, len(networks), squeeze=False)[0], networks, strict=True):
            _draw(panel, network, [row for row in log if row["network"] == network])
        figure.savefig(path, format="png", metadata={"Software": None})


def _draw(panel: Any, network: str, rows: Sequence[dict[str, Any]]) -> None:
    for seed in dict.fromkeys(row["seed"] for row in rows):
        of_seed = [row for row in rows if row["seed"] == seed]
        epochs = [row["epoch"] for row in of_seed]
        panel.plot(epochs, [row["loss"] for row in of_seed], marker=".", label=f"seed {seed}")
    panel.set(title=network, xlabel="epoch", ylabel="loss")
    panel.set_ylim(bottom=0)
    panel.grid(alpha=0.3)
    panel.legend(frameon=False)
