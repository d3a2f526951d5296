"""The log of evaluations: who has looked at which data, when, why, and what was seen.

Every look at a test split wears it out a little, because the next choice may follow from it. So each one leaves a line
in a CSV that is kept with the project. It knows measures and a file; the time is handed in.
"""

import csv
import io
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from models.bundle.manifest import Manifest


@dataclass(frozen=True, slots=True)
class Use:
    """One line: one evaluation of one bundle on one split."""

    time: str  #: ISO 8601, UTC
    bundle: str
    version: str
    manifest_digest: str
    data: str
    data_digest: str
    split: str
    n: str
    auc: str  #: of several classes, the mean over them
    accuracy: str
    threshold: str  #: empty where there are several classes, like sensitivity and specificity
    sensitivity: str
    specificity: str
    ece: str
    anomaly_auc: str  #: empty without an anomaly score
    reason: str


def use_of(
    manifest: Manifest, measures: Mapping[str, Any], data: tuple[str, str], split: str, now: datetime, reason: str
) -> Use:
    """Return the line for an evaluation.

    Parameters
    ----------
    manifest
        Of the bundle that was evaluated.
    measures
        What came out, as `models.evaluation.measures` returns it.
    data
        Name and digest of the data set.
    split
        What was evaluated on.
    now
        Aware.
    reason
        Why it was looked at.
    """
    shown = {name: _shown(measures.get(name)) for name in ("n", "accuracy", "threshold", "sensitivity", "specificity")}
    return Use(
        time=now.astimezone(UTC).isoformat(timespec="seconds"),
        bundle=manifest.name,
        version=manifest.version,
        manifest_digest=manifest.manifest_digest,
        data=data[0],
        data_digest=data[1],
        split=split,
        auc=_shown(measures.get("auc", measures.get("macro_auc"))),
        ece=_shown(measures.get("ece")),
        anomaly_auc=_shown(measures.get("anomaly_auc")),
        reason=" ".join(reason.split()),
        **shown,
    )


def log_use(path: Path, use: Use) -> None:
    """Append a line to the log, which is made with its header where it is not there yet.

    Raises
    ------
    OSError
        Where it cannot be written.
    """
    line = io.StringIO()
    writer = csv.DictWriter(line, [field.name for field in fields(Use)], lineterminator="\n")
    if not path.exists() or not path.stat().st_size:
        writer.writeheader()
    writer.writerow(asdict(use))
    with path.open("a", newline="", encoding="utf-8") as file:
        file.write(line.getvalue())  # one write: lines of two evaluations at once do not mix


def _shown(value: float | None) -> str:
    if value is None:
        return ""
    return str(value) if isinstance(value, int) else f"{value:.4f}"
