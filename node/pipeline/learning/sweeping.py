"""Bundles of refused challengers: kept for a while, for whoever asks why, and then removed; their rows stay.

Nothing is removed that a registry names, that may still be promoted, or that lies elsewhere than where trainings put
their bundles.
"""

import shutil
from datetime import datetime, timedelta
from pathlib import Path

from node.config import Settings
from node.pipeline.learning.places import Places
from node.store import audit
from node.store.database import Database, Transaction
from node.store.learning import model_versions
from node.store.learning.model_versions import Version
from node.store.registering import registry
from node.store.tables.version_tables import VersionState


def sweep_refused(database: Database, settings: Settings, now: datetime) -> list[Version]:
    """Remove the bundles of challengers that were refused long enough ago, and return those versions.

    A kill leaves a folder that the next sweep removes: the row is written last.
    """
    days = settings.gate.keep_refused_days
    if not days:
        return []
    home = Places(settings.node.data_dir).bundle("model", 0).parent.resolve()
    before = now - timedelta(days=days)
    chosen = [one for one in database.read(_refused) if one.changed_at < before and home in _parents(one)]
    for one in chosen:
        shutil.rmtree(one.bundle, ignore_errors=True)
        database.write(lambda tx, one=one: _note(tx, one, now))  # type: ignore[misc]
    return chosen


def _refused(tx: Transaction) -> list[Version]:
    named = {row.bundle for row in registry.all(tx)}
    versions = model_versions.all(tx)
    named |= {one.bundle for one in versions if one.state is not VersionState.REFUSED}
    return [
        one
        for one in versions
        if one.state is VersionState.REFUSED and one.swept_at is None and one.bundle and one.bundle not in named
    ]


def _parents(version: Version) -> tuple[Path, ...]:
    return tuple(Path(version.bundle).resolve().parents)


def _note(tx: Transaction, version: Version, now: datetime) -> None:
    model_versions.swept(tx, version, now)
    audit.add(tx, now, "refused bundle removed", model=version.model, version=version.version)
