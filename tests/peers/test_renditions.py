"""Reports in the one form that a peer accepts: DCMTK's storescp told to take no other, and Orthanc with everything."""

from pathlib import Path

import pytest

from node.config import PeerSettings
from node.domain.chosen_heat_maps import SECONDARY_CAPTURE
from node.domain.profile import COMPREHENSIVE_3D_SR, COMPREHENSIVE_SR, ENHANCED_SR
from node.domain.report import BASIC_TEXT_SR
from node.store.working import given_up
from tests.peers.conftest import peer_at
from tests.support.houses.house import House, radiograph
from tests.support.houses.line import Line, hot
from tests.support.programs.dcmtk import Storescp, storescp
from tests.support.programs.orthanc import orthanc
from tests.support.programs.processes import free_port

ALL = ("report", "text", "heatmap")

pytestmark = [pytest.mark.peers, pytest.mark.timeout(120)]


def _reported(house: House, peer: PeerSettings) -> Line:
    line = Line(house, [peer], says=hot)
    house.receive(radiograph())
    line.report()
    return line


def _only(folder: Path, *sop_classes: str) -> list[str]:
    """Return the options with which storescp accepts just these SOP classes."""
    contexts = "".join(
        f"PresentationContext{number} = {uid}\\Implicit\n" for number, uid in enumerate(sop_classes, start=1)
    )
    folder.mkdir(exist_ok=True)
    configuration = folder / "storescp.cfg"
    configuration.write_text(
        "[[TransferSyntaxes]]\n[Implicit]\nTransferSyntax1 = LittleEndianImplicit\n"
        f"[[PresentationContexts]]\n[Only]\n{contexts}"
        "[[Profiles]]\n[Only]\nPresentationContexts = Only\n"
    )
    return ["--config-file", str(configuration), "Only"]


def _received(receiver: Storescp) -> list[str]:
    return [file.sop_class_uid for file in receiver.received()]


@pytest.mark.parametrize("sop_class", [COMPREHENSIVE_3D_SR, COMPREHENSIVE_SR, ENHANCED_SR])
def test_a_storescp_that_accepts_one_form_gets_that(house: House, tmp_path: Path, sop_class: str) -> None:
    """Whichever it is, on one association."""
    port = free_port()
    line = _reported(house, peer_at(port))
    with storescp(tmp_path / "scp", "STORESCP", port, *_only(tmp_path / "scp", sop_class)) as receiver:
        line.deliver()
        assert _received(receiver) == [sop_class]
    (delivery,) = line.deliveries()
    assert (delivery["state"], delivery["sop_class_uid"], delivery["failures"]) == ("done", sop_class, 0)


def test_a_storescp_that_changes_its_mind_gets_the_form_that_it_was_offered(house: House, tmp_path: Path) -> None:
    """It breaks off after it has got the report; started again with other contexts it is not given a second report."""
    port = free_port()
    line = _reported(house, peer_at(port))
    with storescp(tmp_path / "a", "STORESCP", port, "--abort-after", *_only(tmp_path / "a", ENHANCED_SR)):
        line.deliver()
    house.clock.forward(60)
    with storescp(tmp_path / "b", "STORESCP", port, *_only(tmp_path / "b", COMPREHENSIVE_3D_SR)) as receiver:
        line.deliver()
        assert _received(receiver) == []
    (buried,) = line.deliveries()
    assert (buried["state"], buried["sop_class_uid"]) == ("buried", ENHANCED_SR)
    assert "does not accept Enhanced SR Storage" in buried["last_error"]
    house.database.write(lambda tx: given_up.retry(tx, "delivery", None, house.clock()))
    with storescp(tmp_path / "c", "STORESCP", port) as receiver:
        line.deliver()
        assert _received(receiver) == [ENHANCED_SR]


@pytest.mark.parametrize(("profile", "sop_class"), [("default", COMPREHENSIVE_3D_SR), ("horos", COMPREHENSIVE_SR)])
def test_orthanc_gets_the_form_of_its_profile_and_what_goes_beside_it(
    house: House, tmp_path: Path, profile: str, sop_class: str
) -> None:
    """It accepts all of them; each is in the study, in a series of its own."""
    with orthanc(tmp_path / "archive") as archive:
        line = _reported(house, peer_at(archive.port, archive.ae_title, profile=profile, gets=ALL))
        line.deliver()
        classes = sorted(archive.get_bytes(f"/instances/{one}/metadata/SopClassUid").decode() for one in archive.find())
        series = archive.post("/tools/find", {"Level": "Series", "Query": {"StudyInstanceUID": "1.2.3"}})
    assert classes == sorted([sop_class, BASIC_TEXT_SR, SECONDARY_CAPTURE])
    assert len(series) == 3
