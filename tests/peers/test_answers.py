"""What bad input and absent peers get, as DCMTK's tools and the operator see it."""

from pathlib import Path

import pytest
from pydicom import dcmread

from tests.peers.conftest import REPORT_TIMEOUT_S, SENDER
from tests.support.nodes.process import AE_TITLE, NodeFolder, Peer, serving
from tests.support.objects.images import other_images, sample_file, write_as_dx
from tests.support.objects.reports import reports
from tests.support.programs.dcmtk import echoscu, storescp, storescu
from tests.support.programs.processes import free_port
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.peers, pytest.mark.timeout(240)]


@pytest.fixture
def modality() -> Peer:
    """Return the peer that may send; nothing listens at its port."""
    return Peer("modality", SENDER, free_port(), may_send=True)


def test_an_unknown_caller_is_rejected_and_check_says_how_to_let_it_in(tmp_path: Path, modality: Peer) -> None:
    """RJ (1,1,3) as storescu words it; `check` shows the AE title, the address and lines for the configuration."""
    with serving(NodeFolder(tmp_path, [modality])) as node:
        refused = storescu(node.port, AE_TITLE, "STRANGER", [sample_file("CT_small.dcm")])
        assert refused.exit_status != 0
        assert "Calling AE Title Not Recognized" in refused.output
        shown = node.home.run("check").stdout
        assert "STRANGER" in shown
        assert "127.0.0.1" in shown
        assert "may_send = true" in shown
        assert echoscu(node.port, AE_TITLE, SENDER).exit_status == 0


def test_a_wrong_called_ae_title_is_rejected(tmp_path: Path, modality: Peer) -> None:
    """RJ (1,1,7), and the next association is served."""
    with serving(NodeFolder(tmp_path, [modality])) as node:
        refused = storescu(node.port, "SOMEBODYELSE", SENDER, [sample_file("CT_small.dcm")])
        assert refused.exit_status != 0
        assert "Called AE Title Not Recognized" in refused.output
        assert echoscu(node.port, AE_TITLE, SENDER).exit_status == 0


def test_a_delivery_waits_for_a_peer_that_is_down_and_arrives_when_it_is_up(tmp_path: Path, modality: Peer) -> None:
    """The delivery says what went wrong while it waits, and one report arrives once the peer listens."""
    port = free_port()
    pacs = Peer("pacs", "STORESCP", port, gets_reports=True)
    images = write_as_dx(other_images(("MR_small.dcm",)), tmp_path / "images")
    with serving(NodeFolder(tmp_path / "node", [modality, pacs])) as node:
        assert storescu(node.port, AE_TITLE, SENDER, images).statuses == ["Success"]
        wait_until(lambda: _failures(node.home), REPORT_TIMEOUT_S, "a delivery that failed and waits")
        with storescp(tmp_path / "pacs", port=port) as receiver:
            wait_until(lambda: reports(receiver.received()), REPORT_TIMEOUT_S, "the report")
            node.home.wait_settled(REPORT_TIMEOUT_S)
            assert len(reports(receiver.received())) == 1


def test_a_study_that_no_rule_reads_is_listed_with_the_rule_that_turned_it_away(tmp_path: Path, modality: Peer) -> None:
    """An MR study, as it is, gets no report; the timeline names the model's rule."""
    path = sample_file("MR_small.dcm")
    with storescp(tmp_path / "pacs") as receiver:
        pacs = Peer("pacs", receiver.ae_title, receiver.port, gets_reports=True)
        with serving(NodeFolder(tmp_path / "node", [modality, pacs])) as node:
            assert storescu(node.port, AE_TITLE, SENDER, [path]).statuses == ["Success"]
            study = str(dcmread(path).StudyInstanceUID)
            explained = node.home.run("studies", study)
            assert explained.returncode == 0
            assert "modality MR" in explained.stdout
            assert node.home.open_work() == []
            assert node.home.listing("deliveries") == []
        assert receiver.received() == []


def test_an_instance_with_a_malformed_uid_is_refused_and_the_next_one_stored(tmp_path: Path, modality: Peer) -> None:
    """Nothing is kept of the first, whether storescu or the node turns it away."""
    whole, wrong = sample_file("CT_small.dcm"), tmp_path / "wrong.dcm"
    uid = str(dcmread(whole).SOPInstanceUID)
    wrong.write_bytes(whole.read_bytes().replace(uid.encode(), f"1..{uid[3:]}".encode()))
    with serving(NodeFolder(tmp_path / "node", [modality])) as node:
        first, second = storescu(node.port, AE_TITLE, SENDER, [wrong, whole]).statuses
        assert "DataSetDoesNotMatchSOPClass" in first
        assert second == "Success"
        assert [file.sop_instance_uid for file in node.home.stored()] == [uid]


def _failures(home: NodeFolder) -> list[dict[str, object]]:
    """Return the deliveries that have failed at least once and still wait."""
    return [row for row in home.listing("deliveries") if row["state"] == "waiting" and row["last_error"]]
