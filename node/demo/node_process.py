"""The node as a process of its own, as an operator would run it."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from node.domain.errors import OperatorError

_DRAIN_S = 30.0

CONFIGURATION = """\
# Written by `pacs-node demo`: everything on this machine, reports of the starter model to the stand-in PACS.
[node]
ae_title = "PACSNODE"
bind = "127.0.0.1"
port = 0
data_dir = "var"

[[peers]]
name = "sender"
ae_title = "SENDER"
host = "127.0.0.1"
port = 104
may_send = true

[[peers]]
name = "pacs"
ae_title = "STANDIN"
host = "127.0.0.1"
port = {pacs_port}
gets = ["report"]
test = true  # the chests of the demo are synthetic, and results about such go to test peers alone

[storage]
min_free_mb = 64
min_free_inodes = 100

[study]
quiet_period_s = 1

[[models]]
name = "starter"
bundle = "starter"
age_years = [1, 5]
mode = "active"

[go_live]
require_validation = false
"""


@contextmanager
def running_node(folder: Path, pacs_port: int) -> Iterator[tuple[Path, int]]:
    """Run ``serve`` in `folder` and yield its configuration file and port; drain it afterwards.

    Raises
    ------
    OperatorError
        When the node ends before it is ready; its log is named.
    """
    configuration, log = folder / "config.toml", folder / "node.log"
    configuration.write_text(CONFIGURATION.format(pacs_port=pacs_port), encoding="utf-8")
    command = [sys.executable, "-m", "node", "--config", str(configuration), "serve"]
    with (
        log.open("wb") as stderr,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=stderr, text=True) as process,  # noqa: S603 - ourselves
    ):
        try:
            yield configuration, _port_of(process, log)
        finally:
            process.terminate()
            try:
                process.wait(_DRAIN_S)
            except subprocess.TimeoutExpired:
                process.kill()


def _port_of(process: "subprocess.Popen[str]", log: Path) -> int:
    line = process.stdout.readline() if process.stdout else ""
    words = dict(word.split("=", 1) for word in line.split() if "=" in word)
    if not line.startswith("ready") or "port" not in words:
        raise OperatorError(f"the node did not start; its log: {log}\n{log.read_text(encoding='utf-8')[-2000:]}")
    return int(words["port"])
