"""The node as a process, used through its command line alone."""

import contextlib
import json
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import text

from node.store.database import Database, Transaction
from tests.support.objects.part10 import Part10File, part10_files
from tests.support.programs.processes import LOOPBACK, Program
from tests.support.waiting import wait_until

CHECKOUT = Path(__file__).resolve().parents[3]
AE_TITLE = "PACSNODE"
READY_TIMEOUT_S = 60
_COMMAND_TIMEOUT_S = 120
_OPEN_STATES = {"waiting", "running"}
_OPEN_WORK = " UNION ".join(
    f"SELECT state FROM {table} WHERE state IN ('waiting', 'running')"  # noqa: S608 - names of this file
    for table in ("jobs", "deliveries")
)


@dataclass(frozen=True, slots=True)
class Peer:
    """One [[peers]] table: a remote application entity on the loopback address."""

    name: str
    ae_title: str
    port: int
    may_send: bool = False
    gets_reports: bool = False
    test: bool = True  #: a model in shadow reports to test peers only
    more: str = ""  #: further keys, as lines of TOML
    takes_rejection_notes: bool = False
    beside: tuple[str, ...] = ()  #: what goes beside the reports that it gets, such as "heatmap"

    def toml(self) -> str:
        """Return the table as it stands in config.toml."""
        gets = json.dumps(["report", *self.beside] if self.gets_reports else [])
        return (
            f'[[peers]]\nname = "{self.name}"\nae_title = "{self.ae_title}"\nhost = "{LOOPBACK}"\nport = {self.port}\n'
            f"may_send = {str(self.may_send).lower()}\ngets = {gets}\ntest = {str(self.test).lower()}\n{self.more}\n"
            f"takes_rejection_notes = {str(self.takes_rejection_notes).lower()}\n"
        )


MODALITY = Peer("modality", "MODALITY", 104, may_send=True)


@dataclass(frozen=True, slots=True)
class NodeFolder:
    """A folder with a configuration and the node's data; a node can be started in it again and again."""

    folder: Path
    peers: Sequence[Peer]
    quiet_period_s: float = 1.0
    tables: Mapping[str, str] = field(default_factory=dict)  #: further keys by table, as lines of TOML
    models: Sequence[str] = ("starter",)  #: names of shipped bundles
    processes: int | None = 1  #: that receive, where `tables` says nothing else; None: as many as the machine suits
    database: str = ""  #: its URL; "" for the file of SQLite that a node makes in its data folder

    @property
    def configuration(self) -> Path:
        """Where config.toml is."""
        return self.folder / "config.toml"

    @property
    def data(self) -> Path:
        """Where the node keeps what it receives."""
        return self.folder / "var"

    @property
    def url(self) -> str:
        """Of its database."""
        return self.database or f"sqlite:///{self.data / 'node.db'}"

    def write(self) -> None:
        """Write config.toml: the database, a free port of the loopback address, and these peers."""
        self.folder.mkdir(parents=True, exist_ok=True)
        tables = {
            "node": f'ae_title = "{AE_TITLE}"\nbind = "{LOOPBACK}"\nport = 0\ndata_dir = "var"',
            "storage": "min_free_mb = 64\nmin_free_inodes = 100",
            "study": f"quiet_period_s = {self.quiet_period_s}",
        }
        if self.processes is not None and "processes" not in self.tables.get("receive", ""):
            tables["receive"] = f"processes = {self.processes}"
        if self.database:
            tables["database"] = f'url = "{self.database}"'
        for name, lines in self.tables.items():
            tables[name] = "\n".join(filter(None, (tables.get(name), lines)))
        written = [f"[{name}]\n{lines}\n" for name, lines in tables.items()]
        models = [f'[[models]]\nname = "{name}"\nbundle = "{name}"\n' for name in self.models]
        self.configuration.write_text("\n".join([*written, *(peer.toml() for peer in self.peers), *models]))

    def command(self, *arguments: str) -> list[str]:
        """Return the command line of one verb."""
        return [sys.executable, "-m", "node", "--config", str(self.configuration), *arguments]

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run one verb to its end, beside the serving node or without one."""
        command, limit_s = self.command(*arguments), _COMMAND_TIMEOUT_S
        return subprocess.run(command, check=False, capture_output=True, text=True, timeout=limit_s, cwd=CHECKOUT)

    def listing(self, *arguments: str) -> list[dict[str, Any]]:
        """Return the rows of a listing verb, read as JSON."""
        done = self.run(*arguments, "--json")
        if done.returncode != 0:
            raise RuntimeError(f"{arguments} ended with {done.returncode}: {done.stdout}{done.stderr}")
        return list(json.loads(done.stdout))

    def stored(self) -> list[Part10File]:
        """Return every DICOM file that the node keeps."""
        return list(part10_files(self.data))

    def open_work(self) -> list[dict[str, Any]]:
        """Return the jobs and deliveries from which work is still to come."""
        rows = [*self.listing("queue"), *self.listing("deliveries")]
        return [row for row in rows if row["state"] in _OPEN_STATES]

    def wait_settled(self, timeout_s: float) -> None:
        """Wait until no job and no delivery is waiting or running.

        The database is looked into first: to ask again and again by command would take the processors from the node.
        """
        what = "the end of all open work"
        if self.database or (self.data / "node.db").is_file():
            with contextlib.closing(Database.open(self.url)) as database:
                wait_until(lambda: not database.read(_open_work), timeout_s, what)
        wait_until(lambda: not self.open_work(), timeout_s, what)


@dataclass(frozen=True, slots=True)
class Node:
    """A node that serves."""

    home: NodeFolder
    port: int
    process: Program

    def wait_said(self, words: str, timeout_s: float = 90) -> None:
        """Wait until its log holds these words; to ask a command again and again would take the processors from it."""
        wait_until(lambda: words in self.process.errors(), timeout_s, f"the words {words!r}")


def launch(home: NodeFolder, command: Sequence[str] = ()) -> Program:
    """Start the node in its folder, by another command where one is given, and wait for nothing."""
    environment = {"PYTHONUNBUFFERED": "1", "PYTHONPATH": str(CHECKOUT)}  # for commands of `tests`
    return Program(command or home.command("serve"), _next_log(home.folder), environment)


def start(home: NodeFolder, command: Sequence[str] = ()) -> Node:
    """Start the node as `launch` does, and wait until it says that it accepts associations."""
    process = launch(home, command)
    try:
        line = process.wait_line("ready ", READY_TIMEOUT_S)
    except BaseException:
        process.kill()
        raise
    port = re.search(r"\bport=(\d+)", line)
    if port is None:
        process.kill()
        raise RuntimeError(f"no port in {line!r}")
    return Node(home, int(port.group(1)), process)


@contextlib.contextmanager
def serving(home: NodeFolder) -> Iterator[Node]:
    """Write the configuration, run the node, and end it with SIGTERM, which drains it.

    Raises
    ------
    RuntimeError
        When the node, told to end, did not exit with 0.
    """
    home.write()
    with serving_as_written(home) as node:
        yield node


@contextlib.contextmanager
def serving_as_written(home: NodeFolder) -> Iterator[Node]:
    """Do what `serving` does with the configuration that is there."""
    node = start(home)
    try:
        yield node
    except BaseException:
        node.process.kill()
        raise
    status = node.process.terminate()
    if status != 0:
        raise RuntimeError(f"the drained node exited with {status}:\n{node.process.errors()[-2000:]}")


def _open_work(tx: Transaction) -> bool:
    return tx.execute(text(f"{_OPEN_WORK} LIMIT 1")).first() is not None


def _next_log(folder: Path) -> Path:
    """Return where the output of the next start goes; those of earlier ones stay."""
    return folder / f"serve-{len(list(folder.glob('serve-*.out'))) + 1:03d}"
