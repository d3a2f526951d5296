"""The node as benchmarks start it: its tables of config.toml, and launchers that leave durability out."""

import sys
from collections.abc import Sequence

from tests.support.nodes.process import NodeFolder

CALLING = "BENCH"
"""The AE title of who sends."""

READERS = ("fast", "pynetdicom")
"""The values of [receive] reader."""

SHORT_DEADLINES = """\
association_timeout_s = 1.0
pdu_timeout_s = 1.0
idle_timeout_s = 2.0
max_instance_mb = 4"""
"""Lines of [receive] that let the node wait for a second or two where it would wait for minutes."""

_MOST_ASSOCIATIONS = 64


class LaunchedFolder(NodeFolder):
    """A node's folder in which the node is started by one of the launchers beside this file."""

    launcher: Sequence[str] = ()

    def command(self, *arguments: str) -> list[str]:
        """Return the command line of one verb."""
        return [sys.executable, *self.launcher, "--config", str(self.configuration), *arguments]


class UnsyncedFolder(LaunchedFolder):
    """A node's folder in which nothing is brought to the disk."""

    launcher = ("-m", "bench.running.unsynced")


class UndurableFolder(LaunchedFolder):
    """A node's folder in which nothing is brought to the disk, and rows are written after the answer."""

    launcher = ("-m", "bench.running.undurable")


def node_tables(*lines: str, reader: str = READERS[0], processes: int | None = None) -> dict[str, str]:
    """Return tables of config.toml for many associations from one address, and few words; `lines` are of [receive]."""
    receive = [
        f"max_associations = {_MOST_ASSOCIATIONS}",
        f"max_associations_per_address = {_MOST_ASSOCIATIONS}",
        f'reader = "{reader}"',
        *lines,
    ]
    if processes is not None:
        receive.append(f"processes = {processes}")
    return {"log": 'level = "warning"', "receive": "\n".join(receive)}
