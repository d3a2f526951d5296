"""Two Orthancs that forward everything they receive back to the node: one report, and no end without it."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support.nodes.process import AE_TITLE, Node, NodeFolder, Peer, serving
from tests.support.objects.images import other_images, write_as_dx
from tests.support.programs.orthanc import Orthanc, orthanc
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.peers, pytest.mark.timeout(300)]

_WITHIN_S = 90
_FORWARD = """
function OnStoredInstance(instance, tags, metadata, origin)
  for name, modality in pairs(ParseJson(RestApiGet('/modalities?expand'))) do
    SendToModality(instance, name)
  end
end
"""


@dataclass(frozen=True, slots=True)
class Loop:
    """A node between two Orthancs: both get its reports, and forward to it and (the first) to each other."""

    node: Node
    orthancs: tuple[Orthanc, Orthanc]

    def forwarded(self, each: int) -> bool:
        """Return whether each Orthanc holds that many instances and has forwarded each to all whom it knows.

        It begins to forward an instance some time after it counts it.
        """
        return all(
            pacs.get("/statistics")["CountInstances"] == each and _sent(pacs) >= each * len(pacs.get("/modalities"))
            for pacs in self.orthancs
        )

    def study(self) -> dict[str, Any]:
        """Return everything that the node knows of its one study."""
        (row,) = self.node.home.listing("studies")
        (study,) = self.node.home.listing("studies", row["study_instance_uid"])
        return study


def _sent(pacs: Orthanc) -> int:
    """Return how often an instance was sent on; none while it is still sending."""
    jobs = pacs.get("/jobs?expand")
    is_over = {job["State"] for job in jobs} == {"Success"}
    return sum(job["Content"]["CountOperations"] for job in jobs) if is_over else 0


@pytest.fixture
def loop(tmp_path: Path) -> Iterator[Loop]:
    """Run the three of them; forwarding begins with the next instance."""
    script = tmp_path / "forward.lua"
    script.write_text(_FORWARD)
    with contextlib.ExitStack() as stack:
        first, second = (
            stack.enter_context(orthanc(tmp_path / title, title, LuaScripts=[str(script)]))
            for title in ("ORTHANC1", "ORTHANC2")
        )
        peers = [
            Peer(pacs.ae_title.lower(), pacs.ae_title, pacs.port, may_send=True, gets_reports=True)
            for pacs in (first, second)
        ]
        node = stack.enter_context(serving(NodeFolder(tmp_path / "node", peers, quiet_period_s=2.0)))
        for pacs in (first, second):
            pacs.knows("NODE", AE_TITLE, node.port)
        first.knows("OTHER", second.ae_title, second.port)
        yield Loop(node, (first, second))


def test_what_is_forwarded_back_ends_with_one_report(loop: Loop, tmp_path: Path) -> None:
    """The image reaches the node by two ways and so does its report; it is read once and reported once, to each."""
    (image,) = write_as_dx(other_images()[:1], tmp_path / "images")
    loop.orthancs[0].keeps(image)
    wait_until(lambda: loop.forwarded(2), _WITHIN_S, "image and report at both, and forwarded by both")
    loop.node.home.wait_settled(_WITHIN_S)

    study = loop.study()
    assert sorted(row["kind"] for row in study["objects"]) == ["image", "own"]
    assert [(job["kind"], job["state"], job["attempt"]) for job in study["jobs"]] == [
        ("read", "done", 1),
        ("compose", "done", 1),
    ]
    assert len(study["analyses"]) == 1
    assert [(one["peer"], one["state"]) for one in study["deliveries_made"]] == [
        ("orthanc1", "done"),
        ("orthanc2", "done"),
    ]
    events = [entry["event"] for entry in study["timeline"]]
    assert (events.count("study complete"), events.count("report composed")) == (1, 1)
    assert loop.forwarded(2)
