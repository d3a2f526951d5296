"""What is sent back, and what nobody reads, moves no study: it neither starts, delays, extends nor reopens one."""

import io
from dataclasses import replace
from typing import Any

import pytest
from pydicom import Dataset, dcmread

from node.dicom.samples.wrap import wrap_as_dx
from node.domain.completion import Signal
from node.network.incoming import IncomingInstance
from node.pipeline.analysis.completion_signals import complete
from node.store.listing import views
from tests.support.houses.house import OUR_DEVICE, PIXELS, SUBJECT, House, incoming, radiograph
from tests.support.houses.line import Line
from tests.support.objects.notes import file_of

STUDY = "1.2.3"


def _encoded(dataset: Dataset, sender: str = "PACS") -> IncomingInstance:
    """Return a dataset as a PACS sends it, in a transfer syntax of its choice."""
    return incoming(file_of(dataset), sender)


def _image(**elements: Any) -> Dataset:
    """Return another image of the study, with these elements."""
    dataset = dcmread(io.BytesIO(wrap_as_dx(PIXELS, replace(SUBJECT, sop_instance_uid="1.2.3.1.77"))))
    for name, value in elements.items():
        setattr(dataset, name, value)
    return dataset


def _item(**elements: Any) -> list[Dataset]:
    item = Dataset()
    for name, value in elements.items():
        setattr(item, name, value)
    return [item]


def _result_of_ai() -> Dataset:
    codes = _item(CodeValue="123110", CodingSchemeDesignator="DCM", CodeMeaning="Artificial Intelligence")
    return _image(ImageType=["DERIVED", "SECONDARY"], DerivationCodeSequence=codes)


def _our_heatmap() -> Dataset:
    return _image(ImageType=["DERIVED", "SECONDARY"], ContributingEquipmentSequence=_item(DeviceUID=OUR_DEVICE))


def _named_maker() -> Dataset:
    return _image(ImageType=["DERIVED", "PRIMARY"], Manufacturer="Finder AI")


def _unread_image() -> Dataset:
    return _image(Modality="MG")


def _without_pixels() -> Dataset:
    dataset = _image(SOPClassUID="1.2.840.10008.5.1.4.1.1.11.1", Modality="PR")
    del dataset.PixelData
    return dataset


MOVES_NOTHING = [_result_of_ai, _our_heatmap, _named_maker, _unread_image, _without_pixels]


@pytest.fixture
def site(house: House) -> House:
    """Return a house where a maker of AI was named."""
    house.policy = replace(house.policy, ai_manufacturers=frozenset({"finder ai"}))
    return house


def _work(house: House) -> list[tuple[Any, ...]]:
    return house.rows("SELECT kind, subject_uid, state, due_at, latest_at, priority FROM jobs ORDER BY id")


def _others(first: int) -> list[IncomingInstance]:
    """Return one of each kind, under UIDs of their own."""
    made = []
    for number, make in enumerate(MOVES_NOTHING, first):
        dataset = make()
        dataset.SOPInstanceUID = f"1.2.3.9.{number}"
        made.append(_encoded(dataset))
    return made


def test_what_nobody_reads_starts_no_study(site: House) -> None:
    """No job; what came is listed, and whose study it is."""
    assert {site.receive(other) for other in _others(1)} == {0}
    assert _work(site) == []
    (listed,) = site.database.read(lambda tx: views.studies(tx, now=site.clock()))
    assert (listed["state"], listed["closed_by"]) == ("not read", "")
    assert (listed["instances"], listed["other_objects"]) == (1, 4)
    reasons = " | ".join(row["turned_away"].get("starter", "") for row in site.database.read(views.instances))
    assert "(code 123110)" in reasons
    assert "Finder AI" in reasons


def test_what_nobody_reads_neither_delays_nor_extends_a_study(site: House) -> None:
    """Neither what comes before its images nor what comes after: the waits are the images' own."""
    for other in _others(1):
        site.receive(other)
    site.clock.forward(300)
    site.receive(radiograph())
    before = _work(site)
    site.clock.forward(30)
    assert {site.receive(other) for other in _others(11)} == {0}
    assert _work(site) == before


def test_what_nobody_reads_reopens_no_study(site: House) -> None:
    """No job, no report; the study stays closed by what closed it."""
    line = Line(site)
    site.receive(radiograph())
    assert line.report() == 1
    before = line.study()
    assert {site.receive(other) for other in _others(1)} == {0}
    site.clock.forward(1000)
    assert (line.read(), line.compose()) == (0, 0)
    _assert_unmoved(before, line.study())


def _assert_unmoved(before: dict[str, Any], after: dict[str, Any]) -> None:
    for key in ("closed_by", "closed_at", "jobs", "analyses", "deliveries_made"):
        assert after[key] == before[key], key


def _as_sent(report: Dataset) -> Dataset:
    return report


def _with_other_header(report: Dataset) -> Dataset:
    report.PatientName, report.PatientID, report.InstitutionName = "ROE^RICHARD", "PACS-7", "Elsewhere"
    return report


def _with_other_uids(report: Dataset) -> Dataset:
    report.SOPInstanceUID, report.SeriesInstanceUID = "2.25.99.1", "2.25.99"
    return report


def test_our_report_moves_nothing_however_it_comes_back(house: House) -> None:
    """In another transfer syntax, under another header, under other UIDs, from whomever: known by UID or device."""
    line = Line(house)
    house.receive(radiograph())
    line.report()
    before = line.study()
    (report,) = line.reports()
    house.devices = frozenset({str(report.ContributingEquipmentSequence[0].DeviceUID)})

    for sender, returned in (("PACS", _as_sent), ("VIEWER", _with_other_header), ("ROUTER", _with_other_uids)):
        assert house.receive(_encoded(returned(report), sender)) == 0

    house.clock.forward(1000)
    assert (line.read(), line.compose()) == (0, 0)
    after = line.study()
    assert sorted(row["kind"] for row in after["objects"]) == ["image", "own", "own"]
    _assert_unmoved(before, after)


def test_derived_images_of_a_modality_are_images(house: House) -> None:
    """A code that says how, such as a reformatted plane, makes no result of AI."""
    codes = _item(CodeValue="113072", CodingSchemeDesignator="DCM", CodeMeaning="Multiplanar reformatting")
    house.receive(_encoded(_image(ImageType=["DERIVED", "PRIMARY"], DerivationCodeSequence=codes)))
    assert len(_work(house)) == 2


def test_a_signal_moves_no_study_that_waits_for_nothing(site: House) -> None:
    """A request for commitment of what nobody reads closes nothing."""
    site.receive(_encoded(_unread_image()))
    site.database.write(lambda tx: complete(tx, STUDY, Signal.COMMITMENT_REQUESTED, site.clock()))
    assert _work(site) == []
