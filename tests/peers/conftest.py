"""What the peer tests share: a node between DCMTK and Orthanc, with reports already out."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from node.config import PeerSettings
from node.store import schema
from node.store.database import Database
from node.store.disk.files import InstanceFiles
from tests.support.houses.house import House
from tests.support.houses.line import PACS
from tests.support.nodes.process import AE_TITLE, Node, NodeFolder, Peer, serving
from tests.support.objects.images import CHEST, chest_radiographs, other_images, write_as_dx
from tests.support.objects.reports import Report, report_in, reports
from tests.support.programs.dcmtk import Storescp, storescp, storescu
from tests.support.programs.orthanc import Orthanc, orthanc
from tests.support.programs.processes import LOOPBACK, free_port
from tests.support.waiting import wait_until

SENDER = "MODALITY"
REPORT_TIMEOUT_S = 120
_CHEST_STUDIES = 12


@dataclass(frozen=True, slots=True)
class Site:
    """A node, DCMTK's storescp and Orthanc, both of which get reports, and the images that were sent."""

    kind: str
    folder: Path
    node: Node
    receiver: Storescp
    pacs: Orthanc
    sent: list[Path]

    def at_receiver(self) -> list[Report]:
        """Return the reports that storescp has received, one for each time."""
        return reports(self.receiver.received())

    def at_pacs(self) -> list[Report]:
        """Return the reports in Orthanc, as it gives them out."""
        folder = self.folder / "from-orthanc"
        folder.mkdir(exist_ok=True)
        instances = self.pacs.find(Modality="SR")
        return [report_in(self.pacs.get_bytes(f"/instances/{it}/file"), folder / f"{it}.dcm") for it in instances]

    def send(self, paths: list[Path]) -> list[str]:
        """Send files to the node as the modality, and return the answers."""
        return storescu(self.node.port, AE_TITLE, SENDER, paths).statuses

    def wait_for_reports(self, count: int) -> None:
        """Wait until both receivers hold that many reports and the node has nothing left to do."""
        what = f"{count} reports at both receivers"
        wait_until(
            lambda: len(self.at_receiver()) >= count <= len(self.pacs.find(Modality="SR")), REPORT_TIMEOUT_S, what
        )
        self.node.home.wait_settled(REPORT_TIMEOUT_S)


@pytest.fixture(scope="module", params=[pytest.param("chest", marks=pytest.mark.data), "other"])
def site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Run a site to which images were sent and whose reports have arrived; one image is kept back, the last."""
    if request.param == "chest" and not CHEST.is_dir():
        pytest.skip("the public data sets are not beside the checkout")
    folder = tmp_path_factory.mktemp(request.param)
    images = chest_radiographs(_CHEST_STUDIES + 1) if request.param == "chest" else other_images()
    paths = write_as_dx(images, folder / "images")
    with contextlib.ExitStack() as stack:
        receiver = stack.enter_context(storescp(folder / "storescp"))
        pacs = stack.enter_context(orthanc(folder / "orthanc"))
        node = stack.enter_context(serving(NodeFolder(folder / "node", _peers(receiver, pacs))))
        pacs.knows("NODE", AE_TITLE, node.port)
        ready = Site(request.param, folder, node, receiver, pacs, paths)
        assert ready.send(paths[:-1]) == ["Success"] * (len(paths) - 1)
        ready.wait_for_reports(len(paths) - 1)
        yield ready


def _peers(receiver: Storescp, pacs: Orthanc) -> list[Peer]:
    return [
        Peer("modality", SENDER, free_port(), may_send=True),
        Peer("viewer", receiver.ae_title, receiver.port, gets_reports=True),
        Peer("pacs", pacs.ae_title, pacs.port, may_send=True, gets_reports=True),
    ]


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """Give an empty database and an empty store."""
    url = f"sqlite:///{tmp_path}/node.db"
    schema.prepare(url)
    database = Database.open(url)
    yield House(database, InstanceFiles(tmp_path), tmp_path, url)
    database.close()


def peer_at(port: int, ae_title: str = "STORESCP", **changes: Any) -> PeerSettings:
    """Return the settings of a peer that gets reports, at a port of the loopback address."""
    return PACS.model_copy(update={"ae_title": ae_title, "host": LOOPBACK, "port": port, **changes})
