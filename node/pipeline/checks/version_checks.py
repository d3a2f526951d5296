"""What `check` says of versions: what awaits approval, what could not be gone back to, where registries differ."""

from collections.abc import Iterator

from node.pipeline.check_line import CheckLine
from node.pipeline.registry import challengers
from node.pipeline.registry.catalogue import bundle_path
from node.store.database import Database, Transaction
from node.store.learning import model_versions
from node.store.learning.model_versions import Version
from node.store.registering import registry
from node.store.registering.registry import Registration
from node.store.tables.choices import Mode
from node.store.tables.version_tables import VersionState


def lines(database: Database) -> Iterator[CheckLine]:
    """Yield a line for each thing to know of a model's versions."""
    rows, beside, versions = database.read(lambda tx: (models(tx), _challengers(tx), model_versions.all(tx)))
    for row in rows:
        own = [one for one in versions if one.model == row.name]
        yield from (CheckLine(f"model {row.name}", "note", text) for text in _of(row, own))
    for row in beside:
        text = f"version {row.version} reads in shadow beside its champion: `pacs-node models agreement` compares them"
        yield CheckLine(f"model {row.name}", "note", text)


def models(tx: Transaction) -> list[Registration]:
    """Return the registered models that are no challengers of another one."""
    return [row for row in registry.all(tx) if not challengers.is_challenger(tx, row)]


def _challengers(tx: Transaction) -> list[Registration]:
    rows = registry.all(tx)
    return [row for row in rows if row.mode is not Mode.OFF and challengers.is_challenger(tx, row)]


def _of(row: Registration, versions: list[Version]) -> Iterator[str]:
    serving = next((one for one in versions if one.state is VersionState.SERVING), None)
    if serving is None or (serving.version, serving.bundle) != (row.version, row.bundle):
        entered = serving.version if serving else "none"
        yield f"the registry serves {row.version}, and of its versions {entered}: the next start enters it"
    elif serving.before:
        yield from _way_back(next((one for one in versions if one.version == serving.before), None), serving)
    for one in versions:
        if one.state is VersionState.AWAITING:
            yield _waits(one, row.version)


def _way_back(former: Version | None, serving: Version) -> Iterator[str]:
    if former is None or not former.bundle or not bundle_path(former.bundle).is_dir():
        text = f"version {serving.before} served before and cannot be gone back to: its bundle is gone"
        yield f"{text} ({former.bundle if former else 'unknown'})"
    elif bundle_path(former.bundle) == bundle_path(serving.bundle):
        text = f"version {serving.before} served before and cannot be gone back to: {former.bundle} holds"
        yield f"{text} {serving.version} by now"


def _waits(version: Version, serving: str) -> str:
    if version.judged_against != serving:
        return f"version {version.version} was judged against {version.judged_against}, which serves no longer"
    return (
        f"version {version.version} awaits approval: `pacs-node models promote {version.model} {version.version} --by "
        "NAME` lets it serve"
    )
