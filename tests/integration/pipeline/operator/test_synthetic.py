"""Results about synthetic studies: to test peers alone, and the reports say so."""

import io
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from pydicom import Dataset, dcmread

from node.config import PeerSettings
from node.dicom.documents.as_text import report_text
from node.dicom.encoding.transfer_syntax import IMPLICIT_VR_LITTLE_ENDIAN
from node.dicom.instance.header import inspect
from node.dicom.samples.wrap import as_file, wrap_as_dx
from node.network.incoming import IncomingInstance, gathered
from node.network.scp import ScpSettings, StorageSCP
from node.pipeline.operator import operate
from node.pipeline.operator.study_text import explain
from node.store.tables.choices import Mode
from tests.support.houses.house import PIXELS, SUBJECT, House, incoming, radiograph
from tests.support.houses.line import PACS, TEST_PACS, Line

PEERS = (PACS, TEST_PACS)


def _synthetic(**changed: Any) -> IncomingInstance:
    """Return the radiograph of these tests, marked as synthetic, with other elements changed."""
    dataset = dcmread(io.BytesIO(wrap_as_dx(PIXELS, SUBJECT)))
    dataset.SyntheticData = "YES"
    for keyword, value in changed.items():
        setattr(dataset, keyword, value)
    return incoming(as_file(Dataset(dataset)))


def _states(line: Line) -> dict[str, str]:
    return {delivery["peer"]: delivery["state"] for delivery in line.deliveries()}


@pytest.mark.parametrize("mode", [Mode.ACTIVE, Mode.SHADOW])
def test_results_about_a_synthetic_study_are_for_test_peers_alone(house: House, mode: Mode) -> None:
    """Also where the model is active; the report carries the mark and says it in words."""
    line = Line(house, PEERS, mode=mode)
    house.receive(_synthetic())
    assert line.report() == 1
    assert _states(line) == {"test-pacs": "waiting"}
    (report,) = line.reports()
    assert report.SyntheticData == "YES"
    (encoded,) = house.database.read(line._renditions)
    assert "SYNTHETIC IMAGES: made by a computer, of no person." in report_text(encoded)


def test_a_report_about_a_real_study_says_nothing_of_synthetic_images(house: House) -> None:
    """And goes to all."""
    line = Line(house, PEERS)
    house.receive(radiograph())
    line.report()
    assert _states(line) == {"pacs": "waiting", "test-pacs": "waiting"}
    assert "SyntheticData" not in line.reports()[0]
    assert not line.study()["synthetic"]


def test_one_synthetic_image_makes_its_study_synthetic(house: House) -> None:
    """Whatever else is in it."""
    line = Line(house, PEERS)
    house.receive(radiograph())
    house.receive(_synthetic(SOPInstanceUID="1.2.3.1.2"))
    line.report()
    assert _states(line) == {"test-pacs": "waiting"}


def test_a_study_that_turns_out_to_be_synthetic_is_reported_again_and_taken_back(house: House) -> None:
    """What waits for other peers no longer leaves, and what test peers got is replaced."""
    line = Line(house, PEERS)
    house.receive(radiograph())
    line.report()
    house.receive(_synthetic(SOPInstanceUID="1.2.3.1.2"))
    line.report()
    assert sorted((delivery["peer"], delivery["state"]) for delivery in line.deliveries()) == [
        ("pacs", "cancelled"),
        ("test-pacs", "cancelled"),
        ("test-pacs", "waiting"),
    ]


def test_a_corrected_header_makes_an_image_synthetic_and_never_real_again(house: House) -> None:
    """The pixels are the same, so what is said of them once holds."""
    line = Line(house, PEERS)
    house.receive(radiograph())
    line.report()
    house.receive(_synthetic())
    assert line.report() == 1
    house.receive(radiograph(patient_name="Roe^Jane"))
    line.report()
    assert line.study()["synthetic"]
    assert [report.get("SyntheticData") for report in line.reports()] == [None, "YES", "YES"]
    assert {delivery["peer"] for delivery in line.deliveries() if delivery["state"] == "waiting"} == {"test-pacs"}


def test_the_operator_is_told_why_a_peer_got_nothing(house: House) -> None:
    """In the listing, in words and in the timeline."""
    line = Line(house, PEERS)
    house.receive(_synthetic())
    line.report()
    study = operate.study(house.settings(), "1.2.3", house.clock())
    assert study["synthetic"] is True
    assert "only to peers with test = true" in explain(study)
    stored = next(entry for entry in study["timeline"] if entry["event"] == "instance stored")
    assert stored["detail"]["synthetic"] is True


class _Pacs:
    """A peer that keeps what comes over its associations."""

    def __init__(self) -> None:
        self.got: list[IncomingInstance] = []
        self.came = threading.Event()

    def store(self, came: IncomingInstance) -> int:
        self.got.append(came)
        self.came.set()
        return 0x0000


@contextmanager
def _listening(pacs: _Pacs, peer: PeerSettings) -> Iterator[PeerSettings]:
    settings = ScpSettings("PACS", "127.0.0.1", 0, accept_any_calling_ae=True)
    scp = StorageSCP(settings, gathered(pacs.store), lambda _: None)
    try:
        yield peer.model_copy(update={"port": scp.start()})
    finally:
        scp.stop()


def test_only_the_test_peer_is_called(house: House) -> None:
    """Over real associations: the other one never hears of the study."""
    pacs, test_pacs = _Pacs(), _Pacs()
    with _listening(pacs, PACS) as one, _listening(test_pacs, TEST_PACS) as other:
        line = Line(house, [one, other])
        house.receive(_synthetic())
        line.report()
        assert line.deliver() == 1
    assert pacs.got == []
    (got,) = test_pacs.got
    assert inspect(got.dataset, IMPLICIT_VR_LITTLE_ENDIAN).synthetic


def test_a_report_on_its_way_does_not_leave_once_its_study_is_synthetic(house: House) -> None:
    """Asked again just before sending: the report about both images is not composed yet."""
    pacs, test_pacs = _Pacs(), _Pacs()
    with _listening(pacs, PACS) as one, _listening(test_pacs, TEST_PACS) as other:
        line = Line(house, [one, other])
        house.receive(radiograph())
        line.report()
        house.receive(_synthetic(SOPInstanceUID="1.2.3.9"))
        line.deliver()
    assert pacs.got == []
    assert len(test_pacs.got) == 1
    buried = next(delivery for delivery in line.deliveries() if delivery["peer"] == "pacs")
    assert buried["state"] == "buried"
    assert "synthetic" in buried["last_error"]
