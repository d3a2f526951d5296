"""The node of the scenario: a fresh process with the starter active, its peers, and what its verbs say as JSON."""

import contextlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.scenario.hospitals import FIRST, SECOND, Study
from bench.scenario.labellers import CALLING, Marked
from bench.sending.upper_layer import Instance, send
from tests.support.nodes.process import AE_TITLE, Node, NodeFolder, Peer, serving
from tests.support.peers.pacs import Pacs
from tests.support.peers.pacs import serving as pacs_serving
from tests.support.waiting import wait_until

MODEL = "starter"
_LOOK_AGAIN_S = 3.0  # a verb takes a second or more of the machine


@dataclass(frozen=True, slots=True)
class Keys:
    """What of the configuration is the scenario's own."""

    recipe: str
    replay: Path
    start: str  #: of a training: scratch or champion
    labels: int  #: from which on the schedule asks for a training
    reference: int  #: images of the monitor's reference


class ScenarioFolder(NodeFolder):
    """A folder whose configuration is written once and says that the model is active."""

    def write(self) -> None:
        """Write it where it is not there yet."""
        if not self.configuration.exists():
            super().write()
            with self.configuration.open("a", encoding="utf-8") as file:
                file.write('mode = "active"\n')


@dataclass
class Site:
    """The node that serves, and the PACS that gets its reports."""

    node: Node
    pacs: Pacs

    def send(self, calling: str, instances: Sequence[Instance]) -> float:
        """Send by C-STORE, an association for each SOP class; return when the last was answered, seconds since 1970."""
        by_class = sorted(instances, key=lambda one: one.sop_class_uid)
        return send(self.node.port, calling, AE_TITLE, by_class)

    def receive(self, some: Iterable[Study]) -> None:
        """Send studies as their hospital does."""
        by_sender: dict[str, list[Instance]] = {}
        for study in some:
            by_sender.setdefault(study.hospital.sender, []).append(study.instance())
        for sender, instances in by_sender.items():
            self.send(sender, instances)

    def label(self, objects: Iterable[Marked]) -> float:
        """Send what readers saved, and return when the last was answered, in seconds since 1970."""
        by_form: dict[str, list[Instance]] = {}
        for one in objects:
            by_form.setdefault(one.form, []).append(one.instance)
        return max(self.send(CALLING[form], instances) for form, instances in by_form.items())

    def rows(self, *verb: str) -> list[dict[str, Any]]:
        """Return what a listing verb says."""
        return self.node.home.listing(*verb)

    def do(self, *verb: str) -> str:
        """Run a verb, and return what it said.

        Raises
        ------
        RuntimeError
            Where it failed.
        """
        done = self.node.home.run(*verb)
        if done.returncode != 0:
            raise RuntimeError(f"{' '.join(verb)} ended with {done.returncode}: {done.stdout}{done.stderr}")
        return done.stdout.strip()

    def check(self) -> list[dict[str, Any]]:
        """Return what `check` says, which fails where one line is a fault."""
        return list(json.loads(self.node.home.run("check", "--json").stdout))

    def model(self) -> Mapping[str, Any]:
        """Return the row of the model that is watched and trained."""
        return next(row for row in self.rows("models") if row["name"] == MODEL)

    def read(self, timeout_s: float = 900) -> None:
        """Wait until all that came is read, reported and delivered."""
        self.node.home.wait_settled(timeout_s)

    def labelled(self, count: int, timeout_s: float = 600) -> None:
        """Wait until so many labels count."""
        listing = ("labels", "--state", "current", "--limit", "0")
        wait_until(lambda: len(self.rows(*listing)) >= count, timeout_s, f"{count} labels", _LOOK_AGAIN_S)

    def wait(self, condition: Any, timeout_s: float, what: str) -> None:
        """Wait until a verb says something."""
        wait_until(condition, timeout_s, what, _LOOK_AGAIN_S)


@contextlib.contextmanager
def site(folder: Path, keys: Keys) -> Iterator[Site]:
    """Run the node in a folder, and a PACS beside it; what is in the folder stays."""
    with pacs_serving(Pacs(port=_port_of(folder))) as pacs:
        home = ScenarioFolder(folder, _peers(pacs.port), 1.0, _tables(keys))
        with serving(home) as node:
            yield Site(node, pacs)


def _port_of(folder: Path) -> int:
    """Return the port that an earlier run's configuration names for the PACS, or 0 for a free one."""
    written = folder / "config.toml"
    if not written.exists():
        return 0
    after = written.read_text(encoding="utf-8").partition('name = "pacs"')[2]
    return int(after.partition("port = ")[2].partition("\n")[0])


def _peers(port: int) -> list[Peer]:
    senders = [FIRST.sender, SECOND.sender, *CALLING.values()]
    return [
        Peer("pacs", "PACS", port, gets_reports=True, test=False),
        *(Peer(title.lower(), title, 104, may_send=True, test=False) for title in senders),
    ]


def _tables(keys: Keys) -> dict[str, str]:
    retrain = f'schedule = "* * * * *"\nmin_new_labels = {keys.labels}\nrecipe = "{keys.recipe}"\n'
    return {
        "go_live": "require_validation = false",
        "monitor": f'stop_on = ["drift"]\nreference_images = {keys.reference}',
        "retrain": f'{retrain}start = "{keys.start}"\nreplay = ["{keys.replay}"]',
    }
