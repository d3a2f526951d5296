"""Which log an evaluation leaves its line in, and the line of a training, which looks at the test split as well.

The learned part is imported late.
"""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from node.domain.errors import OperatorError

if TYPE_CHECKING:
    from models.data.labelled import DataSet

LOG = "evaluations.csv"
LEARNED_FROM = frozenset({"train", "val"})
"""Splits that a training chooses by: looking at them is no use of a test set."""

MEASURED_WHILE_TRAINED = "measured for the manifest at the end of the training"


def utc_now() -> datetime:
    """Return the time of the machine's clock."""
    return datetime.now(UTC)


def log_of(bundle: Path, asked: Path | None = None) -> Path:
    """Return the log of a bundle: the one asked for, or its checkout's docs/evaluations.csv, or one beside it."""
    if asked is not None:
        return asked
    place = bundle.resolve()
    kept = (folder / "docs" / LOG for folder in place.parents)
    return next((log for log in kept if log.exists()), place.parent / LOG)


def prepare(log: Path) -> None:
    """See that a line can be written, before there is one: a look that leaves none is not taken.

    Raises
    ------
    OperatorError
        With exit code 2, naming the log and the way out.
    """
    try:
        log.open("a", encoding="utf-8").close()
    except OSError as error:
        raise OperatorError(f"the evaluation log {log} cannot be written: {error}; name another --log", 2) from error


def log_training(
    bundle: Path, data: "DataSet", name: str, asked: Path | None = None, clock: Callable[[], datetime] = utc_now
) -> None:
    """Append a line for what a training measured on the test split, which its manifest holds.

    Raises
    ------
    OperatorError
        Where the log cannot be written.
    """
    from models.bundle.folder import open_bundle  # noqa: PLC0415 for this verb alone
    from models.evaluation.log import log_use, use_of  # noqa: PLC0415 the same

    if "classifier" not in json.loads((bundle / "manifest.json").read_bytes()):
        return  # a generator is measured on no test split
    manifest = open_bundle(bundle).manifest
    for split, measures in manifest.measures.items():
        if split in data.splits and split not in LEARNED_FROM:
            log = log_of(bundle, asked)
            prepare(log)
            origin = (name, data.digest((split,)))
            log_use(log, use_of(manifest, measures, origin, split, clock(), MEASURED_WHILE_TRAINED))
