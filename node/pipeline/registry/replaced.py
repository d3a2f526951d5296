"""A bundle that ships, and that an upgrade made another version: the former one is kept for the way back.

An upgrade writes over what ships, so a start copies what serves from there, and lets the former version's row name
the copy once another one took its place. It says who serves instead, loudly, and what brings the former one back.
"""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from models.bundle.place import appearing_at_once, remains
from node.store.database import Transaction
from node.store.learning import model_versions
from node.store.registering.registry import Registration
from node.store.tables.choices import Mode
from node.telemetry import logger

FOLDER = "shipped"
"""In the data folder: copies of the bundles that shipped with this program and with earlier ones, and served."""

_log = logger("pipeline.registry")


@dataclass(frozen=True, slots=True)
class Replaced:
    """A version that another one took the place of, because its bundle was changed."""

    model: str
    before: str  #: the version that served
    after: str  #: the one that does
    was: Mode
    mode: Mode
    way_back: str  #: what an operator does to have the former one serve again


def keep(data_dir: Path, bundle: str, folder: Path, version: str) -> None:
    """Keep a copy of a bundle that ships; one that cannot be made costs the way back alone.

    For a start alone, which holds the data folder: what killed ones have left of their copies is removed.

    Parameters
    ----------
    data_dir
        The data folder.
    bundle, folder, version
        Its name, where it lies, and its version. A bundle that is named by its path is the site's own to keep.
    """
    copy = _copy_of(data_dir, bundle, version)
    if "/" in bundle:
        return
    try:
        for left in remains(copy.parent):
            shutil.rmtree(left)
        if copy.exists():
            return
        with appearing_at_once(copy) as part:
            shutil.copytree(folder, part, dirs_exist_ok=True)
    except OSError as error:
        _log.warning("shipped bundle not kept", bundle=bundle, version=version, reason=error.strerror or str(error))


def noted(tx: Transaction, row: Registration, after: str, data_dir: Path) -> Replaced:
    """Let the version that served so far name its copy, before another one is entered; return what is to be told.

    Parameters
    ----------
    tx
        The transaction that enters the other one.
    row
        Of the registry, with the version that served so far.
    after
        The other one.
    data_dir
        The data folder.
    """
    former, copy = model_versions.get(tx, row.name, row.version), _copy_of(data_dir, row.bundle, row.version)
    is_kept = former is not None and "/" not in row.bundle and copy.is_dir()
    if former is not None and is_kept:
        model_versions.describe(tx, replace(former, bundle=str(copy)))
    back = way_back(row.name, row.version, is_kept=is_kept, was_active=row.mode is Mode.ACTIVE)
    return Replaced(row.name, row.version, after, row.mode, row.mode, back)


def with_mode(one: Replaced, fallen: Sequence[Registration]) -> Replaced:
    """Return it as it is once these models were put into shadow."""
    return replace(one, mode=Mode.SHADOW) if one.model in {row.name for row in fallen} else one


def tell(one: Replaced) -> None:
    """Say it in the log; that its results do not reach whom they reached is what an operator must not overlook."""
    said = {"before": one.before, "after": one.after, "was": one.was.value, "mode": one.mode.value}
    _log.warning("model serves another version", model=one.model, **said, way_back=one.way_back)


def way_back(model: str, version: str, *, is_kept: bool, was_active: bool) -> str:
    """Return what brings a former version back: one command where its bundle was kept."""
    again = f", then `pacs-node models mode {model} active`" if was_active else ""
    if is_kept:
        return f"`pacs-node models rollback {model}`{again}"
    return (
        f"put the bundle of version {version} into a folder of its own, name that in [[models]] bundle, then "
        f"`pacs-node models configure {model}`{again}"
    )


def way_to_stay(data_dir: Path, row: Registration) -> str:
    """Return what has the present version go on where the next start would let another one serve."""
    copy = _copy_of(data_dir, row.bundle, row.version)
    place = str(copy) if "/" not in row.bundle and copy.is_dir() else "a folder of its own that holds it"
    return (
        f"to stay with {row.version}, name {place} in [[models]] bundle, then `pacs-node models configure {row.name}`"
    )


def _copy_of(data_dir: Path, bundle: str, version: str) -> Path:
    return data_dir / FOLDER / f"{bundle}-{version}"
