"""Versions of a model for tests: bundles like the starter that are other devices, and their rows with a verdict."""

import shutil
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from models.bundle.folder import MANIFEST, read_manifest, write_bundle
from node.pipeline.registry.catalogue import bundle_path, version_of
from node.pipeline.registry.versions import described
from node.store.database import Database
from node.store.learning import model_versions
from node.store.tables.version_tables import VersionState

MADE = datetime(2026, 5, 1, tzinfo=UTC)


def another_version(folder: Path, number: str) -> Path:
    """Return a bundle like the starter's that is another device: its one threshold is another one.

    Its files are the starter's own, so that a copy costs nothing.
    """
    folder.mkdir(parents=True)
    for path in bundle_path("starter").iterdir():
        if path.name == MANIFEST:
            shutil.copy(path, folder / path.name)
        else:
            (folder / path.name).hardlink_to(path)
    manifest = read_manifest(folder)
    threshold = manifest.classes[0].threshold + int(number) / 1000
    classes = (replace(manifest.classes[0], threshold=threshold),)
    write_bundle(folder, replace(manifest, version=f"{number}.0.0", classes=classes))
    return folder


def challenger(
    database: Database,
    bundle: Path,
    against: str,
    outcome: str = "promoted",
    state: VersionState = VersionState.AWAITING,
) -> str:
    """Enter a version that the gate has judged, and return what it is called."""
    manifest = read_manifest(bundle)
    version = version_of(manifest)
    row = described("starter", version, str(bundle), manifest, MADE)
    judged = replace(row, state=state, outcome=outcome, judged_against=against, reason="every criterion is met")
    database.write(lambda tx: model_versions.register(tx, judged))
    return version
