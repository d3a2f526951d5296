"""Whether a node runs on a data folder, and what it started with: it says so in the lock that it holds there."""

import hashlib
from dataclasses import dataclass
from datetime import datetime

from node.config import Settings
from node.store.disk.folder_lock import DataFolderLock, holder


@dataclass(frozen=True, slots=True)
class Running:
    """A node that runs."""

    process: int  #: number of its first process, on the machine where it runs
    since: datetime | None  #: None where it is of an earlier version, which did not say
    port: int | None  #: on which it listens; None while it starts
    configuration: str  #: `digest_of` what it started with


def digest_of(settings: Settings) -> str:
    """Return what tells configurations apart that a running node cannot take over.

    Without [[models]]: the registry rules there, and `models configure` needs no restart.
    """
    return hashlib.sha256(settings.model_dump_json(exclude={"models"}).encode()).hexdigest()


def tell(lock: DataFolderLock, settings: Settings, since: datetime, port: int | None = None) -> None:
    """Have the lock of a node say what `found` gives."""
    lock.tell({"since": since.isoformat(), "port": port, "configuration": digest_of(settings)})


def found(settings: Settings) -> Running | None:
    """Return the node that works on the data folder, or None where none does."""
    held = holder(settings.node.data_dir)
    if held is None:
        return None
    if "since" not in held.facts:
        return Running(held.process, None, None, "")
    said = held.facts
    return Running(held.process, datetime.fromisoformat(said["since"]), said["port"], said["configuration"])
