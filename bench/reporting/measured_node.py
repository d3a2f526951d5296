"""The node as the pipeline's benchmark runs it: its folder, what is sent to it, and what its database says of it."""

import contextlib
import os
import signal
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import text

from bench.measuring.memory_held import memory_of
from bench.sending.upper_layer import Instance, send
from node.store.database import Database
from tests.support.nodes.process import AE_TITLE, Node, NodeFolder, Peer, serving
from tests.support.programs.processes import members
from tests.support.waiting import wait_until

SENDER = "MODALITY1"


class Bench:
    """A node that serves, and its database as seen from beside it."""

    def __init__(self, node: Node, url: str) -> None:
        self.node, self.url = node, url or f"sqlite:///{node.home.data / 'node.db'}"
        self._database = Database.open(self.url)

    def send(self, instances: Iterable[Instance]) -> float:
        """Send on one association, and return when the last was answered, in seconds since 1970."""
        return send(self.node.port, SENDER, AE_TITLE, instances)

    def rows(self, query: str) -> list[tuple[object, ...]]:
        """Return what a query finds."""
        return [tuple(row) for row in self._database.read(lambda tx: tx.execute(text(query)).all())]

    def count(self, query: str) -> int:
        """Return the one number that a query finds."""
        return int(str(self.rows(query)[0][0]))

    def wait(self, query: str, wanted: int, limit_s: float) -> float:
        """Wait until the query counts so many, and return when, in seconds since 1970."""
        wait_until(lambda: self.count(query) >= wanted, limit_s, f"{wanted} of {query}")
        return time.time()

    def readers(self) -> list[int]:
        """Return the process numbers of the node's disposable children."""
        return [pid for pid in self.processes() if "spawn_main" in _command(pid)]

    def processes(self) -> list[int]:
        """Return the process numbers of the node and all its children."""
        return members(self.node.process.process.pid)

    @contextlib.contextmanager
    def readers_stopped(self) -> Iterator[None]:
        """Let no child run meanwhile, so that all that is sent waits for them; they go on at the end."""
        pids = self.readers()
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for pid in pids:
                os.kill(pid, signal.SIGCONT)

    def memory_mb(self) -> float:
        """Return what all processes of the node hold, in millions of bytes (PSS)."""
        return memory_of(self.processes()).whole / 1e6

    def close(self) -> None:
        """Let go of the database."""
        self._database.close()


@dataclass(frozen=True, slots=True)
class Keys:
    """Keys of the configuration; `rule`, `work` and `peer` are further lines of TOML."""

    quiet_s: float = 0.5  #: [study] quiet_period_s
    grace_s: float = 5.0  #: [study] release_grace_s
    rule: str = ""  #: of [[models]]
    work: str = ""  #: of [work]
    peer: str = ""  #: of the sender's [[peers]]


@contextlib.contextmanager
def bench(folder: Path, url: str, pacs: Peer | None, keys: Keys) -> Iterator[Bench]:
    """Yield a node that serves in a folder of its own, with the starter.

    Parameters
    ----------
    folder
        Made; what is in it stays.
    url
        Of the database; "" for the node's own SQLite file.
    pacs
        Who gets the reports.
    keys
        What is configured.
    """
    peers = [Peer(SENDER.lower(), SENDER, 104, may_send=True), *([pacs] if pacs else [])]
    home = _Folder(folder, peers, keys.quiet_s, {"study": f"release_grace_s = {keys.grace_s}"})
    home.write()
    text_ = home.configuration.read_text().replace('bundle = "starter"', f'bundle = "starter"\n{keys.rule}')
    text_ = text_.replace("may_send = true", f"may_send = true\n{keys.peer}")
    text_ += f"\n[work]\n{keys.work}\n" + (f'\n[database]\nurl = "{url}"\n' if url else "")
    home.configuration.write_text(text_)
    if url and (done := home.run("migrate")).returncode:
        raise RuntimeError(f"the database was not migrated: {done.stderr}")
    with serving(home) as node:
        found = Bench(node, url)
        wait_until(lambda: bool(found.readers()), 60, "the child that reads")
        try:
            yield found
        finally:
            found.close()


class _Folder(NodeFolder):
    """A folder whose configuration is written once: `serving` would write it again."""

    def write(self) -> None:
        """Write it where it is not there yet."""
        if not self.configuration.exists():
            super().write()


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace")
    except OSError:
        return ""
