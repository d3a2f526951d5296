"""Every version of every model: what it is made of, its verdict, and which of them serves.

The registry of models (`node.store.registering.registry`) says what is served; `serve` moves a version into that place
here, and whoever calls it changes both in one transaction. The database itself keeps a second one of a model from
serving.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import insert, select, update

from node.domain.errors import OperatorError
from node.store.connection.upsert import insert_into
from node.store.database import Transaction
from node.store.registering.bundle_places import found, kept
from node.store.tables.version_tables import ModelVersion, RegisteredModel, VersionState


@dataclass(frozen=True, slots=True)
class Version:
    """One version of one model; its fields are those of `node.store.tables.version_tables.ModelVersion`."""

    model: str
    version: str
    state: VersionState
    made_at: datetime
    changed_at: datetime
    device_uid: str = ""
    bundle: str = ""
    manifest_digest: str = ""
    data_digests: Mapping[str, str] = field(default_factory=dict)
    parents: Sequence[str] = ()
    figures: Mapping[str, Any] = field(default_factory=dict)
    outcome: str = ""
    judged_against: str = ""
    run: str = ""
    changed_by: str = ""
    reason: str = ""
    before: str = ""
    swept_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """Who moves a version, when and why."""

    at: datetime
    by: str
    reason: str


_FIELDS = tuple(Version.__slots__)


def register(tx: Transaction, version: Version) -> None:
    """Add a version, or let what is known of one that does not serve be all of this; when it was made stays."""
    values = _values(tx, version)
    known = {name: value for name, value in values.items() if name not in {"model", "version", "made_at", "before"}}
    added = insert_into(tx, ModelVersion).values(**values)
    kept = ModelVersion.state.not_in([VersionState.SERVING, VersionState.FORMER])
    keys = [ModelVersion.model, ModelVersion.version]
    tx.execute(added.on_conflict_do_update(index_elements=keys, set_=known, where=kept))


def get(tx: Transaction, model: str, version: str) -> Version | None:
    """Return one version, or None."""
    return _one(tx, model, ModelVersion.version == version)


def serving(tx: Transaction, model: str) -> Version | None:
    """Return the version that serves, or None where this registry has not seen the model yet."""
    return _one(tx, model, ModelVersion.state == VersionState.SERVING)


def all(tx: Transaction, model: str | None = None) -> list[Version]:  # noqa: A001 - read as model_versions.all
    """Return all versions of a model, or of every one, the newest first."""
    query = select(ModelVersion).order_by(ModelVersion.model, ModelVersion.id.desc())
    chosen = query if model is None else query.where(ModelVersion.model == model)
    return [_version(tx, row) for row in tx.scalars(chosen)]


def lock(tx: Transaction, model: str) -> None:
    """Let nobody else change which version of a model serves until the transaction ends."""
    tx.execute(select(RegisteredModel.name).where(RegisteredModel.name == model).with_for_update())


def serve(tx: Transaction, model: str, version: str, change: Change, *, onwards: bool = True) -> None:
    """Let a known version serve, and the one that did so far be a former one.

    Parameters
    ----------
    tx
        The transaction in which the registry of models changes, too.
    model, version
        Which.
    change
        Who, when and why.
    onwards
        Whether it follows the one that served; not where that one is taken back.

    Raises
    ------
    OperatorError
        Where the version is not known.
    """
    if get(tx, model, version) is None:
        raise OperatorError(f"model {model} has no version {version}: `pacs-node models versions` lists them")
    last = serving(tx, model)
    if last is not None and last.version == version:
        return
    if last is not None:
        move(tx, last, VersionState.FORMER, change)
    values: dict[str, Any] = {"state": VersionState.SERVING, **_changed(change)}
    if onwards and last is not None:
        values["before"] = last.version
    tx.execute(update(ModelVersion).where(_is(model, version)).values(**values))


def move(tx: Transaction, version: Version, state: VersionState, change: Change) -> None:
    """Let a version be in another state."""
    values = {"state": state, **_changed(change)}
    tx.execute(update(ModelVersion).where(_is(version.model, version.version)).values(**values))


def describe(tx: Transaction, version: Version) -> None:
    """Let a known version's row say what its bundle is; its state stays."""
    said = _values(tx, version)
    names = ("device_uid", "bundle", "manifest_digest", "data_digests", "figures")
    values = {name: said[name] for name in names}
    tx.execute(update(ModelVersion).where(_is(version.model, version.version)).values(**values))


def add(tx: Transaction, version: Version) -> None:
    """Add a version that is not known yet."""
    tx.execute(insert(ModelVersion).values(**_values(tx, version)))


def swept(tx: Transaction, version: Version, now: datetime) -> None:
    """Note that a version's bundle was removed."""
    tx.execute(update(ModelVersion).where(_is(version.model, version.version)).values(swept_at=now))


def _changed(change: Change) -> dict[str, Any]:
    return {"changed_at": change.at, "changed_by": change.by, "reason": change.reason}


def _is(model: str, version: str) -> Any:
    return (ModelVersion.model == model) & (ModelVersion.version == version)


def _one(tx: Transaction, model: str, which: Any) -> Version | None:
    query = select(ModelVersion).where(ModelVersion.model == model, which).execution_options(populate_existing=True)
    row = tx.scalar(query)
    return None if row is None else _version(tx, row)


def _values(tx: Transaction, version: Version) -> dict[str, Any]:
    return asdict(version) | {"parents": list(version.parents), "bundle": kept(tx, version.bundle)}


def _version(tx: Transaction, row: ModelVersion) -> Version:
    return Version(**{name: getattr(row, name) for name in _FIELDS} | {"bundle": found(tx, row.bundle)})
