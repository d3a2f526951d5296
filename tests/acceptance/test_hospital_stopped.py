"""An hour of a hospital: the archive stops, studies gather, one is rejected, everything is held, the node is killed."""

import contextlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from node.dicom.instance.header import inspect
from node.domain.lifecycle import State
from node.network.incoming import IncomingInstance, gathered
from node.network.scp import ScpSettings, StorageSCP
from node.network.scu import OutgoingInstance, PeerAddress, open_association
from node.store.database import Database, Transaction
from node.store.listing import views
from tests.support.databases.kinds import MakeFolder
from tests.support.houses.house import incoming, radiograph
from tests.support.nodes.process import MODALITY, Node, NodeFolder, Peer, serving, start
from tests.support.objects.notes import rejection_file
from tests.support.programs.processes import free_port
from tests.support.waiting import wait_until

STUDIES = [f"1.2.840.{number}" for number in range(1, 51)]
REJECTED = STUDIES[6]
# an archive that is away is asked again soon, and nobody waits long for more images
TABLES = {"deliver": "breaker_failures = 1\nbreaker_pause_s = 1", "study": "max_wait_s = 5"}


@dataclass
class Archive:
    """The destination: off, until it is started."""

    port: int = field(default_factory=free_port)
    received: list[IncomingInstance] = field(default_factory=list)

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Take what comes."""
        settings = ScpSettings("PACS", "127.0.0.1", self.port, accept_any_calling_ae=True)
        scp = StorageSCP(settings, gathered(self._take), lambda _refused: None)
        scp.start()
        try:
            yield
        finally:
            scp.stop()

    def _take(self, instance: IncomingInstance) -> int:
        self.received.append(instance)
        return 0x0000

    @property
    def studies(self) -> list[str]:
        """Of what came, in its order."""
        return [inspect(one.dataset, one.transfer_syntax_uid).study_instance_uid for one in self.received]


@dataclass(frozen=True)
class Rows:
    """What stands in the node's database, read beside it."""

    database: Database

    def deliveries(self) -> Counter[str]:
        """Return how many deliveries there are in each state."""
        listed = self.database.read(lambda tx: views.deliveries(tx, tuple(State)))
        return Counter(row["state"] for row in listed)

    def study(self, uid: str) -> dict[str, Any]:
        """Return everything about a study, as `studies UID --json` prints it."""

        def asked(tx: Transaction) -> dict[str, Any]:
            return views.study(tx, uid, now=datetime.now(UTC)) or {}

        return self.database.read(asked)

    def events(self, uid: str) -> list[str]:
        """Return what happened to a study, in order."""
        return [entry["event"] for entry in self.study(uid)["timeline"]]

    def wait_for(self, wanted: Callable[[Counter[str]], bool], what: str) -> None:
        """Wait until the deliveries are so."""
        wait_until(lambda: wanted(self.deliveries()), 60, what)


@pytest.fixture
def archive() -> Archive:
    """Give an archive that has stopped."""
    return Archive()


@pytest.fixture
def home(archive: Archive, tmp_path: Path, node_folder: MakeFolder) -> NodeFolder:
    """Give a node for a modality and the archive, which also sends rejection notes."""
    pacs = Peer("pacs", "PACS", archive.port, may_send=True, gets_reports=True)
    folder = node_folder(tmp_path, [MODALITY, pacs], 0.1, TABLES)
    folder.write()
    return folder


def _send(node: Node, calling: str, instances: Sequence[IncomingInstance]) -> None:
    contexts = {(one.sop_class_uid, one.transfer_syntax_uid) for one in instances}
    with open_association(PeerAddress("PACSNODE", "127.0.0.1", node.port), calling, contexts) as association:
        for one in instances:
            outgoing = OutgoingInstance(one.sop_class_uid, one.sop_instance_uid, one.transfer_syntax_uid, one.dataset)
            assert association.store(outgoing).status == 0x0000


def _image(study: str) -> IncomingInstance:
    return radiograph(study_instance_uid=study, series_instance_uid=f"{study}.1", sop_instance_uid=f"{study}.1.1")


def _gathered(node: Node, rows: Rows) -> None:
    """Let 50 studies come while the archive is away, and let it reject one of them."""
    _send(node, "MODALITY", [_image(study) for study in STUDIES])
    rows.wait_for(lambda states: states.total() == len(STUDIES), "50 reports")
    _send(node, "PACS", [incoming(rejection_file("113038", [f"{REJECTED}.1.1"], "1.2.99.1", REJECTED), "PACS")])
    rows.wait_for(lambda states: states["cancelled"] == 1, "the end of the rejected one")


def test_nothing_leaves_under_a_hold_and_all_but_the_rejected_leave_after_it(
    home: NodeFolder, archive: Archive
) -> None:
    """Through a kill and a restart; the timeline of each study says what happened and why."""
    node = start(home)
    with closing(Database.open(home.url)) as database:
        rows = Rows(database)
        try:
            _gathered(node, rows)
            held = home.run("hold", "--reason", "wrong patients in the worklist")
        finally:
            node.process.kill()
        assert "everything that leaves is held: 49 deliveries wait, nothing is under way" in held.stdout
        with archive.running(), serving(home) as again:
            again.wait_said("everything that leaves is held since")
            # a node that sent would have sent all of it while this command looks around
            assert "wrong patients in the worklist; `pacs-node release` ends that" in home.run("check").stdout
            assert archive.received == []
            assert home.run("release").stdout.startswith("49 deliveries let go")
            rows.wait_for(lambda states: states["done"] == len(STUDIES) - 1, "49 reports at the archive")
            (told,) = home.listing("studies", REJECTED)
        _sees_each_study_explained(rows, archive, told)


def _sees_each_study_explained(rows: Rows, archive: Archive, told: dict[str, Any]) -> None:
    assert sorted(archive.studies) == sorted(set(STUDIES) - {REJECTED})
    assert len({one.sop_instance_uid for one in archive.received}) == len(STUDIES) - 1
    for study in sorted(set(STUDIES) - {REJECTED}):
        events = [event for event in rows.events(study) if not event.startswith("delivery failed")]
        wanted = ["instance stored", "report composed", "delivery held back", "delivery released", "report sent"]
        assert [event for event in events if event in wanted] == wanted
    assert told["timeline"] == rows.study(REJECTED)["timeline"]
    events = [entry["event"] for entry in told["timeline"]]
    assert events.index("instances rejected") < events.index("delivery cancelled")
    assert "report sent" not in events
    (rejection,) = told["rejections"]
    assert (rejection["code_value"], rejection["calling_ae_title"]) == ("113038", "PACS")
