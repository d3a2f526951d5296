"""A backup put back into an empty place, after every file of it was seen to be what it was.

Nothing is written before all is verified. The database comes last: a restore that was broken off has left no node that
could be started.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime
from pathlib import Path

from node.config import Settings
from node.domain.backup_manifest import BackupManifest
from node.domain.errors import OperatorError
from node.pipeline.keeping.backup import DATA, DATABASE, DIGESTS, digest_of, read_manifest, snapshot_of
from node.pipeline.learning import forgotten
from node.pipeline.learning.forget import forget_again
from node.store import schema
from node.store.connection import snapshot
from node.store.database import Database

_NAMED = 5


def restore(
    settings: Settings, folder: Path, now: datetime, into: Path | None = None, forgotten_by: Path | None = None
) -> str:
    """Verify a backup, put it back, and say what was brought.

    Parameters
    ----------
    settings
        Whose database, and whose data folder where no other is named.
    folder
        The backup.
    now
        Aware.
    into
        Another data folder. An SQLite database that lies in the configured one goes there, too.
    forgotten_by
        A list of who was forgotten, beside the one that lies beside the backup.

    Raises
    ------
    OperatorError
        Where it is no backup, damaged, or of a newer program; where data folder or database are not empty, or the
        database is of another kind; or where something cannot be written.
    DatabaseUnavailable
        Where the database cannot be reached.
    """
    manifest = read_manifest(folder)
    if not schema.is_known(manifest.revision):
        raise OperatorError(
            f"the backup's database is at revision {manifest.revision}, which is newer than this program's "
            f"{schema.head()}: update pacs-node"
        )
    data_dir, url = _place(settings, into)
    _require_empty(data_dir)
    snapshot.require_empty(url, manifest.kind)
    names, pseudonyms = _verified(folder, manifest), _forgotten(folder, forgotten_by)
    try:
        data_dir.parent.mkdir(parents=True, exist_ok=True)
        data_dir.mkdir(mode=0o700, exist_ok=True)
        for name in names:
            _put(folder, name, data_dir)
        forgotten.note(
            data_dir, pseudonyms
        )  # first: what a kill leaves is forgotten before anything is learned from it
        os.sync()
        snapshot.put_back(url, folder / DATABASE, snapshot_of(manifest))
    except OSError as error:
        raise OperatorError(
            f"{data_dir} cannot be written: {error.strerror or error}; empty it and try again"
        ) from error
    gone = f"; {len(manifest.missing)} files were gone already when it was made" if manifest.missing else ""
    said = f"{manifest.files} files and the database of {manifest.made_at} are in {data_dir}{gone}"
    with closing(Database.open(url, data_dir=data_dir)) as database:
        return said + forget_again(database, data_dir, pseudonyms, now)


def _forgotten(folder: Path, more: Path | None) -> set[str]:
    """Return who was forgotten when the backup was made, or since."""
    if more is not None and not more.is_file():
        raise OperatorError(f"{more} is no file: --forgotten names the {forgotten.FILE} of a data folder")
    files = [folder / DATA / forgotten.FILE, folder.resolve().parent / forgotten.FILE, *([more] if more else [])]
    return {one for file in files for one in forgotten.pseudonyms_in(file)}


def _place(settings: Settings, into: Path | None) -> tuple[Path, str]:
    configured, url = settings.node.data_dir, settings.database.url
    if into is None:
        return configured, url
    inside = f"sqlite:///{configured}/"
    return into, f"sqlite:///{into.absolute()}/{url.removeprefix(inside)}" if url.startswith(inside) else url


def _require_empty(data_dir: Path) -> None:
    held = sorted(path.name for path in data_dir.iterdir()) if data_dir.is_dir() else []
    if held or (data_dir.exists() and not data_dir.is_dir()):
        named = ", ".join(held[:3]) or "it is no folder"
        raise OperatorError(f"{data_dir} is not empty ({named}): a backup goes into an empty folder, or a new one")


def _verified(folder: Path, manifest: BackupManifest) -> list[str]:
    """Return the names of all files of a backup, each of which is whole.

    Raises
    ------
    OperatorError
        Naming those that are not.
    """
    if not (folder / DIGESTS).is_file() or digest_of(folder / DIGESTS) != manifest.digests:
        raise OperatorError(f"the backup is damaged: {folder / DIGESTS} is not the list that it was made with")
    listed = [line.rstrip("\n").split("  ", 1) for line in (folder / DIGESTS).read_text(encoding="utf-8").splitlines()]
    damaged = list(_damaged(folder, listed))
    if damaged:
        more = ", and more" if len(damaged) > _NAMED else ""
        raise OperatorError(f"the backup is damaged, nothing was restored: {', '.join(damaged[:_NAMED])}{more}")
    return [name for _, name in listed]


def _damaged(folder: Path, listed: list[list[str]]) -> Iterator[str]:
    for digest, name in listed:
        path = folder / name
        if ".." in Path(name).parts or not name.startswith((f"{DATA}/", f"{DATABASE}/")):
            yield f"{name} is no place in a backup"
        elif not path.is_file():
            yield f"{name} is missing"
        elif digest_of(path) != digest:
            yield f"{name} has other bytes"


def _put(folder: Path, name: str, data_dir: Path) -> None:
    """Copy a stored file to its place; the database's go another way."""
    if not name.startswith(f"{DATA}/"):
        return
    target = data_dir / name.removeprefix(f"{DATA}/")
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    shutil.copyfile(folder / name, target)
