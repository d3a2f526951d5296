"""A backup of the node's own keeping, taken while it runs: the database of one moment, and every file that it names.

A file is durable before its row and never changed afterwards, so the moment is the database's: its files are linked
or copied behind it. What retention removes meanwhile is found missing, and the moment is taken again.

::

    FOLDER/manifest.json          what this is, written last
    FOLDER/digests.sha256         SHA-256 of every file below, as `sha256sum -c` reads it
    FOLDER/database/              the database's files
    FOLDER/data/                  stored files, under the paths that rows name, and what was learnt: kept pixels,
                                  locked sets, bundles, verdicts
"""

import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import asdict
from datetime import datetime
from pathlib import Path

from node import __version__
from node.config import Settings
from node.domain.backup_manifest import FORMAT, BackupManifest
from node.domain.errors import OperatorError
from node.pipeline.learning import forgotten
from node.pipeline.learning.salt import minted
from node.pipeline.opened import open_database
from node.pipeline.registry import replaced, signers
from node.store.connection import snapshot
from node.store.connection.snapshot import Snapshot

MANIFEST, DIGESTS, DATABASE, DATA = "manifest.json", "digests.sha256", "database", "data"

_MOMENTS = 5  # taken at most, where files go away behind each
_KEPT_BESIDE = (signers.FILE, forgotten.FILE)  # what lies in the data folder and is no stored file
_LEARNT = ("training/kept", "training/locked", "bundles", "gate", replaced.FOLDER)
"""What was learnt, and what serves. What is still being written there lies under a name that begins with a dot."""
_ROOM_FACTOR = 1.2
_CHUNK_BYTES = 1 << 20


def backup(settings: Settings, folder: Path, now: datetime) -> str:
    """Write a backup into a new folder and say what is in it.

    Raises
    ------
    OperatorError
        Where the folder is there already, cannot be written, or the database is empty or at another schema.
    DatabaseUnavailable
        Where the database cannot be reached.
    """
    if folder.exists():
        raise OperatorError(f"{folder} is there already: name a new folder for each backup")
    with open_database(settings) as database:
        minted(database, now)  # without it, who is forgotten later could not be told in what is restored
    # under another name until it is whole: what a kill leaves can be told from a backup, and the next one removes it
    part = folder.with_name(f".{folder.name}.part")
    try:
        shutil.rmtree(part, ignore_errors=True)
        part.parent.mkdir(parents=True, exist_ok=True)
        part.mkdir(mode=0o700)  # patients' data, for this user alone
        (part / DATABASE).mkdir(mode=0o700)
        forgotten.note_backup(settings.node.data_dir, folder)  # before: who is forgotten meanwhile is told beside it
        manifest = _written(settings, part, now)
        os.sync()
        part.rename(folder)
    except OSError as error:
        raise OperatorError(f"{folder} cannot be written: {error.strerror or error}") from error
    missing = f"; {len(manifest.missing)} files that rows name are gone (`pacs-node check`)" if manifest.missing else ""
    return f"backup of {manifest.files} files and the database, revision {manifest.revision}, in {folder}{missing}"


def read_manifest(folder: Path) -> BackupManifest:
    """Return what a backup says of itself.

    Raises
    ------
    OperatorError
        Where it is none, or of a newer program.
    """
    path = folder / MANIFEST
    try:
        said = json.loads(path.read_bytes())
        if said["format"] > FORMAT:
            raise OperatorError(f"{folder} is a backup of a newer pacs-node ({said['program']}): update this one")
        return BackupManifest(**said | {"missing": tuple(said["missing"])})
    except FileNotFoundError as error:
        raise OperatorError(f"{folder} is no backup: it has no {MANIFEST}") from error
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise OperatorError(f"{path} is damaged: {type(error).__name__}") from error


def snapshot_of(manifest: BackupManifest) -> Snapshot:
    """Return the database's part of a backup."""
    return Snapshot(manifest.kind, manifest.revision, manifest.tables, (), manifest.given)


def digest_of(path: Path) -> str:
    """Return the SHA-256 of a file, hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while data := file.read(_CHUNK_BYTES):
            digest.update(data)
    return digest.hexdigest()


def _written(settings: Settings, part: Path, now: datetime) -> BackupManifest:
    taken, missing = _moment(settings, part)
    wanted = set(taken.paths) - set(missing)
    beside = {*_beside(settings.node.data_dir, part / DATA), *_learnt(settings.node.data_dir, part / DATA)}
    for path in _whole_files_below(part / DATA):
        if path not in wanted and path not in beside:
            (part / DATA / path).unlink()  # of an earlier moment: it was removed in between
    names = [f"{DATABASE}/{name}" for name in taken.files] + [f"{DATA}/{path}" for path in sorted({*wanted, *beside})]
    (part / DIGESTS).write_text("".join(_digest_lines(part, names)), encoding="utf-8")
    manifest = BackupManifest(
        format=FORMAT,
        made_at=now.isoformat(),
        program=__version__,
        kind=taken.kind,
        revision=taken.revision,
        tables=dict(taken.tables),
        files=len(wanted),
        missing=tuple(sorted(missing)),
        digests=digest_of(part / DIGESTS),
        given=dict(taken.given),
    )
    (part / MANIFEST).write_text(json.dumps(asdict(manifest), indent=2) + "\n", encoding="utf-8")
    return manifest


def _moment(settings: Settings, part: Path) -> tuple[Snapshot, frozenset[str]]:
    """Return a snapshot whose files are all here, but for those that were gone in two moments one after the other."""
    before: frozenset[str] | None = None
    for _ in range(_MOMENTS):
        taken = snapshot.take(settings.database.url, part / DATABASE)
        _require_room(settings, part, taken)
        missing = frozenset(_gathered(settings.node.data_dir, part / DATA, taken.paths))
        if not missing or missing == before:
            return taken, missing
        before = missing
    return taken, missing


def _beside(data_dir: Path, into: Path) -> Iterator[str]:
    """Copy what lies beside the stored files and may change, and yield its names."""
    for name in _KEPT_BESIDE:
        if (data_dir / name).exists():
            _link_or_copy(data_dir / name, into / name, copies=True)
            yield name


def _learnt(data_dir: Path, into: Path) -> Iterator[str]:
    """Link or copy what was learnt, after the database's moment, and yield its paths; what goes away is left out."""
    for place in _LEARNT:
        paths = [f"{place}/{path}" for path in sorted(_whole_files_below(data_dir / place))]
        gone = set(_gathered(data_dir, into, paths))
        yield from (path for path in paths if path not in gone)


def _gathered(data_dir: Path, into: Path, paths: Iterable[str]) -> Iterator[str]:
    """Link or copy files, and yield those that are gone."""
    for path in paths:
        target = into / path
        if target.exists():
            continue
        try:
            _link_or_copy(data_dir / path, target)
        except FileNotFoundError:
            yield path


def _link_or_copy(source: Path, target: Path, *, copies: bool = False) -> None:
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not copies:
        with suppress(OSError):  # another file system, or one without links
            os.link(source, target)
            return
    shutil.copyfile(source, target)


def _require_room(settings: Settings, part: Path, taken: Snapshot) -> None:
    """Refuse before half of the files are copied, where they cannot be linked."""
    paths = [settings.node.data_dir / path for path in taken.paths]
    if _can_be_linked(paths, part):
        return
    needed = int(sum(path.stat().st_size for path in paths if path.exists()) * _ROOM_FACTOR)
    free = shutil.disk_usage(part).free
    if free < needed:
        raise OperatorError(f"{part.parent} has {free // 1_000_000} MB free, and the files need {needed // 1_000_000}")


def _can_be_linked(paths: Iterable[Path], part: Path) -> bool:
    """Try it with the first file that is there: one device may still have no links, or forbid them."""
    probe = part / "probe"
    for path in paths:
        try:
            os.link(path, probe)
        except FileNotFoundError:
            continue
        except OSError:
            return False
        probe.unlink()
        return True
    return True


def _whole_files_below(folder: Path) -> Iterator[str]:
    """Yield the files under names of their own: what is not whole yet would grow after its digest, being linked."""
    for here, folders, files in os.walk(folder, onerror=_let_go_away):
        folders[:] = [name for name in folders if not name.startswith(".")]
        found = (Path(here) / name for name in files if not name.startswith("."))
        yield from (str(path.relative_to(folder)) for path in found if path.is_file())


def _let_go_away(error: OSError) -> None:
    """Pass over a folder that is not there, or not any more; any other that cannot be looked into fails the backup."""
    if not isinstance(error, (FileNotFoundError, NotADirectoryError)):
        raise error


def _digest_lines(part: Path, names: Iterable[str]) -> Iterator[str]:
    return (f"{digest_of(part / name)}  {name}\n" for name in names)
