"""What `check` says of models whose bundle holds another version: what the next start does, and what the last one did.

An upgrade of the program may bring another bundle under a name that ships.
"""

from collections.abc import Iterator

from models.bundle.folder import BundleError, read_manifest
from node.config import Settings
from node.pipeline.check_line import CheckLine
from node.pipeline.checks.version_checks import models
from node.pipeline.registry import go_live, replaced
from node.pipeline.registry.catalogue import bundle_path, version_of
from node.store import audit
from node.store.database import Database, Transaction
from node.store.learning import model_versions
from node.store.registering import validations
from node.store.registering.registry import Registration
from node.store.tables.choices import Mode


def lines(settings: Settings, database: Database) -> Iterator[CheckLine]:
    """Yield a fault where an active model goes, or went, into shadow by it, and a note where another version serves."""
    for row in database.read(models):
        held = None if row.mode is Mode.OFF else _version_in(row.bundle)
        if held is not None and held != row.version:
            yield database.read(lambda tx, row=row, held=held: _before_a_start(tx, settings, row, held))  # type: ignore[misc]
        elif row.mode is Mode.SHADOW:
            text = database.read(lambda tx, row=row: _since_a_start(tx, row))  # type: ignore[misc]
            yield from [CheckLine(f"model {row.name}", "fault", text)] if text else []


def _version_in(bundle: str) -> str | None:
    try:
        return version_of(read_manifest(bundle_path(bundle)))
    except BundleError:  # the bundle's line says so
        return None


def _before_a_start(tx: Transaction, settings: Settings, row: Registration, held: str) -> CheckLine:
    is_new = settings.go_live.require_validation and validations.latest(tx, row.name, held) is None
    silences = is_new and row.mode is Mode.ACTIVE
    text = f"its bundle {row.bundle} holds version {held}, and {row.version} serves: the next start lets {held} serve"
    if silences:
        text += ", in shadow, because it has no validation here, so that no clinical peer gets its reports"
    stays = replaced.way_to_stay(settings.node.data_dir, row)
    return CheckLine(f"model {row.name}", "fault" if silences else "note", f"{text}; {stays}")


def _since_a_start(tx: Transaction, row: Registration) -> str | None:
    """Return what to do about a model that a start put into shadow and no operator has decided about since."""
    at, told = audit.newest(tx, "model mode changed", row.name) or (None, {})
    if at is None or "replaced" not in told:
        return None
    if go_live.missing(tx, row) is None:
        way = f"`pacs-node models mode {row.name} active` lets it report"
        return f"version {row.version} is in shadow and validated: {way}"
    former = str(told["replaced"])
    known = model_versions.get(tx, row.name, former)
    is_kept = known is not None and _version_in(known.bundle) == former
    back = replaced.way_back(row.name, former, is_kept=is_kept, was_active=True)
    return (
        f"it was active until a start on {at:%Y-%m-%d %H:%M:%S} UTC found version {told['version']} in its "
        f"bundle in place of {former}: that one has no validation here, so that no clinical peer gets its reports. "
        f"{back}, brings {former} back; `pacs-node models validate {row.name}` is the way on with the other, and "
        f"`pacs-node models mode {row.name} shadow` says that it is meant to be so"
    )
