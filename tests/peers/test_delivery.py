"""Delivery to a storescp that misbehaves by its own options, and to an Orthanc that is asked whose study it is."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from node.config import PeerSettings
from node.dicom.samples.wrap import wrap_as_dx
from tests.peers.conftest import peer_at
from tests.support.houses.house import PIXELS, SUBJECT, House, radiograph
from tests.support.houses.line import Line
from tests.support.programs.dcmtk import Storescp, storescp
from tests.support.programs.orthanc import Orthanc, orthanc
from tests.support.programs.processes import free_port

pytestmark = [pytest.mark.peers, pytest.mark.timeout(120)]

STUDIES = 20


@pytest.fixture
def port() -> int:
    """Return a port that a program may listen on, again and again."""
    return free_port()


def _reported(house: House, peer: PeerSettings, studies: int = 1) -> Line:
    line = Line(house, [peer])
    for number in range(studies):
        uid = f"1.2.3{number or ''}"
        house.receive(radiograph(study_instance_uid=uid, sop_instance_uid=f"{uid}.1.1", series_instance_uid=f"{uid}.1"))
    line.report()
    return line


def _received(receiver: Storescp) -> list[str]:
    return [file.sop_instance_uid for file in receiver.received()]


@pytest.mark.parametrize("options", [("--abort-during",), ("--abort-after",), ("--refuse",)])
def test_a_storescp_that_aborts_or_refuses_gets_the_report_when_it_does_so_no_more(
    house: House, tmp_path: Path, port: int, options: tuple[str, ...]
) -> None:
    """With `--abort-after` it has it already: the same report goes again under the same UID."""
    line = _reported(house, peer_at(port))
    with storescp(tmp_path / "bad", "STORESCP", port, *options):
        line.deliver()
        (delivery,) = line.deliveries()
        assert (delivery["state"], delivery["failures"]) == ("waiting", 1)
    house.clock.forward(60)
    with storescp(tmp_path / "good", "STORESCP", port) as receiver:
        line.deliver()
        (delivery,) = line.deliveries()
        assert (delivery["state"], delivery["last_status"]) == ("done", 0x0000)
        assert _received(receiver) == [delivery["sop_instance_uid"]]


def test_a_storescp_that_answers_late_is_waited_for(house: House, tmp_path: Path, port: int) -> None:
    """It sleeps before the answer; nothing is sent twice."""
    line = _reported(house, peer_at(port))
    with storescp(tmp_path / "slow", "STORESCP", port, "--sleep-after", "2") as receiver:
        line.deliver()
        assert [delivery["state"] for delivery in line.deliveries()] == ["done"]
        assert len(_received(receiver)) == 1


def test_a_backlog_reaches_a_storescp_on_one_association(house: House, tmp_path: Path, port: int) -> None:
    """Each report once."""
    line = _reported(house, peer_at(port), STUDIES)
    with storescp(tmp_path / "pacs", "STORESCP", port, "-v") as receiver:
        assert line.deliver() == STUDIES
        received = _received(receiver)
        assert len(received) == len(set(received)) == STUDIES
        said = receiver.process.output() + receiver.process.errors()
        assert 1 <= said.count("Association Received") <= 2  # the other one asked whether it was up


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Orthanc]:
    """Run an Orthanc that lets itself be asked."""
    with orthanc(tmp_path_factory.mktemp("orthanc"), DicomAlwaysAllowFind=True, OverwriteInstances=True) as running:
        yield running


def test_orthanc_is_asked_whose_study_it_is(house: House, archive: Orthanc, tmp_path: Path) -> None:
    """It waits for the study, is held where Orthanc names another patient, and leaves under that name at last."""
    line = _reported(house, peer_at(archive.port, archive.ae_title, query=True))
    line.deliver()
    assert "does not hold the study yet" in line.deliveries()[0]["last_error"]
    image = tmp_path / "image.dcm"
    image.write_bytes(wrap_as_dx(PIXELS, replace(SUBJECT, patient_id="ID2", patient_name="Roe^Jane")))
    archive.keeps(image)
    house.clock.forward(60)
    line.deliver()
    (held,) = line.deliveries()
    assert (held["state"], archive.find(Modality="SR")) == ("held", [])
    assert "(PatientID, PatientName differs)" in held["last_error"]
    house.receive(radiograph(patient_id="ID2", patient_name="Roe^Jane"))
    line.report()
    line.deliver()
    assert sorted(delivery["state"] for delivery in line.deliveries()) == ["cancelled", "done"]
    assert len(archive.find(Modality="SR", PatientID="ID2", StudyInstanceUID="1.2.3")) == 1
