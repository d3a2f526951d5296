"""The registry of versions follows the registry of models: whatever comes to serve there is entered here.

A bundle says what a version is; a start of the node, a changed table and a promotion say that it serves. It knows
manifests and rows.
"""

from datetime import datetime
from typing import Any

from models.bundle.manifest import Manifest
from node.pipeline.registry import challengers
from node.store.database import Transaction
from node.store.learning import model_versions
from node.store.learning.model_versions import Change, Version
from node.store.registering.registry import Registration
from node.store.tables.version_tables import VersionState

TRAINING = "training"
"""What the digest of a version's own training data is called among its data digests."""


def described(model: str, version: str, bundle: str, manifest: Manifest, now: datetime) -> Version:
    """Return the row of a version whose bundle was opened; it has no verdict, and serves nobody yet."""
    data = {TRAINING: manifest.data.digest} if manifest.data is not None and manifest.data.digest else {}
    return Version(
        *(model, version, VersionState.FORMER, now, now),
        device_uid=manifest.device_uid,
        bundle=bundle,
        manifest_digest=manifest.manifest_digest,
        data_digests=data,
        figures={split: figures_of(measures) for split, measures in manifest.measures.items()},
    )


def figures_of(measures: Any) -> dict[str, float]:
    """Return the plain numbers among a bundle's measures; curves, rows and intervals stay in the bundle."""
    table = measures if isinstance(measures, dict) else {}
    return {name: value for name, value in table.items() if isinstance(value, int | float)}


def follow(tx: Transaction, row: Registration, manifest: Manifest, change: Change) -> None:
    """Let the version that the registry of models names serve here, too; one that is new is entered.

    Parameters
    ----------
    tx
        The transaction that changed the row, or a later one.
    row
        Of the registry of models. A challenger that runs in shadow under a name of its own is entered already.
    manifest
        Of its bundle.
    change
        Who put it there, when and why.
    """
    if challengers.is_challenger(tx, row):
        return
    known = model_versions.get(tx, row.name, row.version)
    seen = described(row.name, row.version, row.bundle, manifest, change.at)
    if known is None:
        model_versions.add(tx, seen)
    elif (known.bundle, known.manifest_digest) != (seen.bundle, seen.manifest_digest):
        model_versions.describe(tx, seen)
    model_versions.serve(tx, row.name, row.version, change)
