"""The node asks the sender of a study by C-FIND whether that was all."""

from dataclasses import replace
from datetime import datetime, timedelta
from io import BytesIO
from typing import Any

from pydicom import dcmread
from structlog.testing import capture_logs

from node.config import PeerSettings
from node.dicom.samples.wrap import wrap_as_dx
from node.domain.completion import Signal
from node.network.released import ReleasedAssociation
from node.pipeline.analysis.counting import Counter
from node.pipeline.senders import Sender
from tests.support.houses.house import OUR_DEVICE, PIXELS, SUBJECT, House, incoming, radiograph
from tests.support.houses.line import Line
from tests.support.objects.notes import file_of
from tests.support.peers.storing_archive import Archive, archive

STUDY = "1.2.3"
_REPORT = {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.88.34", "Modality": "SR"}
_PRESENTATION_STATE = {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.11.1", "Modality": "PR"}
_OURS = {"DeviceUID": OUR_DEVICE}


def _image(number: int) -> Any:
    return replace(radiograph(sop_instance_uid=f"1.2.3.1.{number}"), calling_ae_title="PACS")


def _object(**elements: Any) -> Any:
    """Return what a viewer sends of the study: a dataset without pixels."""
    dataset = dcmread(BytesIO(wrap_as_dx(PIXELS, SUBJECT)))
    del dataset.PixelData
    for name, value in elements.items():
        setattr(dataset, name, value)
    return incoming(file_of(dataset), "VIEWER")


def _counter(house: House, port: int, woken: list[str]) -> Counter:
    peer = PeerSettings(name="pacs", ae_title="PACS", host="127.0.0.1", port=port, may_send=True, query=True)
    house.policy = replace(house.policy, senders={"PACS": Sender(60.0, query=True)})

    def clock() -> datetime:
        house.clock.forward(0.001)  # as time does: no two looks at it say the same
        return house.clock()

    return Counter(house.database, "PACSNODE", [peer], clock, lambda: woken.append("compose"))


def _holds(pacs: Archive, images: int, **others: str) -> None:
    series = {"StudyInstanceUID": STUDY, "SeriesInstanceUID": "1.2.3.1", "Modality": "DX"}
    pacs.studies[:] = [series | {"NumberOfSeriesRelatedInstances": str(images)} | others]


def _ask(counter: Counter) -> bool:
    question = counter.claim()
    if question is not None:
        counter.handle(question)
    return question is not None


def test_a_study_of_which_the_sender_holds_no_more_is_complete_at_once(house: House) -> None:
    """It is asked after half of the quiet period, again after each image, and once for each pause."""
    woken: list[str] = []
    with archive() as pacs:
        line, counter = Line(house), _counter(house, pacs.port, woken)
        house.receive(_image(1))
        line.read()
        assert counter.next_due() == house.clock() + timedelta(seconds=30)
        assert not _ask(counter)

        house.clock.forward(30)
        _holds(pacs, 2)
        assert _ask(counter)
        assert (line.compose(), woken) == (0, [])  # one more is to come
        assert not _ask(counter)

        house.receive(_image(2))
        line.read()
        house.clock.forward(30)
        assert _ask(counter)
        assert (line.compose(), woken) == (1, ["compose"])
    assert line.study()["closed_by"] == Signal.FOUND_AT_PEER


def test_the_sender_is_asked_after_its_release_without_waiting_for_half_of_the_pause(house: House) -> None:
    """After the grace; one that counts by study alone is understood, too."""
    with archive() as pacs:
        line, counter = Line(house), _counter(house, pacs.port, [])
        house.receive(_image(1))
        line.read()
        house.books.released(ReleasedAssociation("PACS", (STUDY,)))
        house.clock.forward(5)
        _holds(pacs, 0, NumberOfSeriesRelatedInstances="", NumberOfStudyRelatedInstances="1")
        assert _ask(counter)
        assert line.compose() == 1
    assert line.study()["closed_by"] == Signal.FOUND_AT_PEER


def test_what_others_say_of_its_images_is_not_asked_of_the_sender(house: House) -> None:
    """Neither the node's own report that came back, nor a presentation state from a viewer."""
    with archive() as pacs:
        line, counter = Line(house), _counter(house, pacs.port, [])
        house.receive(_image(1))
        for number, what in ((2, _REPORT | _OURS), (3, _PRESENTATION_STATE)):
            uids = {"SOPInstanceUID": f"1.2.3.{number}.1", "SeriesInstanceUID": f"1.2.3.{number}"}
            house.receive(_object(**uids, **what))
        line.read()
        house.clock.forward(30)
        _holds(pacs, 1)
        assert _ask(counter)
        assert line.compose() == 1
    assert line.study()["closed_by"] == Signal.FOUND_AT_PEER


def test_a_peer_that_does_not_answer_costs_a_line_and_a_pause(house: House) -> None:
    """The study waits as it would have; the next one does not wait for the peer again."""
    with archive(finds=False) as pacs, capture_logs() as logs:
        line, counter = Line(house), _counter(house, pacs.port, [])
        for _ in range(2):
            house.receive(_image(1)) if not logs else house.receive(_image(2))
            house.clock.forward(30)
            assert _ask(counter)
        line.read()
        assert line.compose() == 0
        house.clock.forward(30)
        assert line.compose() == 1
    assert [log["event"] for log in logs if log.get("room") == "pipeline.counting"] == [
        "peer not asked what it holds of a study"
    ]
    assert line.study()["closed_by"] == Signal.QUIET_PERIOD


def test_an_image_that_comes_during_the_question_is_waited_for(house: House) -> None:
    """The answer was about what was held before."""
    with archive() as pacs:
        line, counter = Line(house), _counter(house, pacs.port, [])
        house.receive(_image(1))
        house.clock.forward(30)
        _holds(pacs, 1)
        question = counter.claim()
        assert question is not None
        house.receive(_image(2))
        counter.handle(question)
        line.read()
        assert line.compose() == 0


def test_a_study_that_waits_for_nothing_is_not_asked_for(house: House) -> None:
    """It was completed otherwise meanwhile."""
    with archive() as pacs:
        line, counter = Line(house), _counter(house, pacs.port, [])
        house.receive(_image(1))
        assert line.report() == 1
        assert not _ask(counter)
        assert counter.next_due() is None
        assert pacs.asked == []
