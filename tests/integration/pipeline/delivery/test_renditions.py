"""A report in the form that its peer accepts: the first of its profile's, settled before it leaves and for good."""

from io import BytesIO
from typing import Any

import pytest
from pydicom.filereader import read_dataset

from node.config import PeerSettings
from node.domain.profile import COMPREHENSIVE_3D_SR, COMPREHENSIVE_SR, DEFAULT, ENHANCED_SR
from node.pipeline.delivery import form_choice
from node.pipeline.steps import DeliveryStep
from node.store.sending import outbox, pinning
from node.store.working import given_up
from tests.support.houses.house import House, radiograph
from tests.support.houses.killed_at import delivering_killed_at
from tests.support.houses.line import PACS, Line, negative, positive
from tests.support.houses.rejecting import note
from tests.support.peers.pacs import Deed, Pacs, serving

NO_3D = frozenset({COMPREHENSIVE_SR, ENHANCED_SR})

# where a peer's doing is tested, and not what the database makes of it


@pytest.fixture
def line(house: House, pacs: Pacs) -> Line:
    """Give a node with a report that waits for it."""
    line = Line(house, [_peer(pacs)])
    house.receive(radiograph())
    line.report()
    return line


def _peer(pacs: Pacs, **changes: Any) -> PeerSettings:
    return PACS.model_copy(update={"port": pacs.port, **changes})


def _delivery(line: Line) -> dict[str, Any]:
    (delivery,) = line.deliveries()
    return delivery


def _retry(line: Line) -> None:
    line.house.clock.forward(60)
    line.house.database.write(lambda tx: given_up.retry(tx, "delivery", None, line.house.clock()))


def _forms(house: House) -> list[tuple[str, str, str]]:
    rows = house.rows("SELECT profile, language, sop_class_uid FROM renditions WHERE kind = 'report' ORDER BY id")
    return [(profile, language, sop_class) for profile, language, sop_class in rows]


@pytest.mark.database("any")
@pytest.mark.parametrize(
    ("accepts", "sent"),
    [
        (None, COMPREHENSIVE_3D_SR),
        (NO_3D, COMPREHENSIVE_SR),
        (frozenset({ENHANCED_SR}), ENHANCED_SR),
        (frozenset({ENHANCED_SR, COMPREHENSIVE_3D_SR}), COMPREHENSIVE_3D_SR),
    ],
)
def test_the_first_form_that_the_peer_accepts_is_sent(
    line: Line, pacs: Pacs, accepts: frozenset[str] | None, sent: str
) -> None:
    """Under a UID of its own, which is what every listing names."""
    pacs.accepts = accepts
    assert _delivery(line)["pinned_at"] is None
    line.deliver()
    delivery = _delivery(line)
    assert (delivery["state"], delivery["sop_class_uid"]) == ("done", sent)
    assert list(pacs.held) == [delivery["sop_instance_uid"]] == line.study()["analyses"][0]["sop_instance_uids"]
    assert sent.encode() in pacs.held[delivery["sop_instance_uid"]][:80]


def test_peers_of_one_profile_and_language_share_their_forms(house: House) -> None:
    """One tree for each profile and language, in each SOP class."""
    changes = ({}, {"profile": "air"}, {}, {"language": "zh"}, {"profile": "horos"})
    peers = [PACS.model_copy(update={"name": f"pacs-{number}", **change}) for number, change in enumerate(changes)]
    line = Line(house, peers)
    house.receive(radiograph())
    line.report()
    assert _forms(house) == [
        *(("default", "en", sop_class) for sop_class in DEFAULT.sop_classes),
        ("air", "en", COMPREHENSIVE_3D_SR),
        *(("default", "zh", sop_class) for sop_class in DEFAULT.sop_classes),
        *(("horos", "en", sop_class) for sop_class in (COMPREHENSIVE_SR, ENHANCED_SR)),
    ]
    assert len({row[0] for row in house.rows("SELECT sop_instance_uid FROM renditions")}) == 9
    assert len(line.deliveries()) == len(peers)


@pytest.mark.database("any")
def test_where_no_peer_gets_reports_one_form_is_kept(house: House) -> None:
    """The operator sees what would have been said."""
    line = Line(house, [PACS.model_copy(update={"gets": ()})])
    house.receive(radiograph())
    line.report()
    assert _forms(house) == [("default", "en", COMPREHENSIVE_3D_SR)]


def test_a_retry_sends_the_form_that_was_offered_first(line: Line, pacs: Pacs) -> None:
    """The peer may hold it; that it accepts another one by now changes nothing."""
    pacs.accepts, pacs.deeds = NO_3D, [Deed.DROP_AFTER_STORING]
    line.deliver()
    assert (_delivery(line)["state"], _delivery(line)["sop_class_uid"]) == ("waiting", COMPREHENSIVE_SR)
    pacs.accepts = None
    line.house.clock.forward(60)
    line.deliver()
    assert (_delivery(line)["state"], _delivery(line)["sop_class_uid"]) == ("done", COMPREHENSIVE_SR)
    assert len(pacs.held) == 1


@pytest.mark.database("any")
def test_a_form_that_is_accepted_no_longer_is_buried_and_not_exchanged(line: Line, pacs: Pacs) -> None:
    """Its reason names the form and the way out; the peer may hold it, so a retry waits for the same."""
    pacs.accepts, pacs.deeds = NO_3D, [Deed.DROP]
    line.deliver()
    pacs.accepts = frozenset({ENHANCED_SR})
    for _ in range(2):
        _retry(line)
        line.deliver()
        buried = _delivery(line)
        assert (buried["state"], buried["sop_class_uid"]) == ("buried", COMPREHENSIVE_SR)
    assert "does not accept Comprehensive SR Storage in Implicit VR Little Endian" in buried["last_error"]
    assert f"`pacs-node retry --delivery {buried['id']}`" in buried["last_error"]
    pacs.accepts = NO_3D
    _retry(line)
    line.deliver()
    assert (_delivery(line)["state"], len(pacs.held)) == ("done", 1)


@pytest.mark.database("any")
def test_a_report_that_no_form_of_which_is_accepted_is_offered_anew_by_a_retry(line: Line, pacs: Pacs) -> None:
    """Nothing ever left, so every form is open."""
    pacs.accepts = frozenset()
    line.deliver()
    buried = _delivery(line)
    assert (buried["state"], buried["pinned_at"], buried["offered_at"]) == ("buried", None, None)
    assert "Comprehensive 3D SR Storage" in buried["last_error"]
    assert "Enhanced SR Storage" in buried["last_error"]
    pacs.accepts = frozenset({ENHANCED_SR})
    _retry(line)
    line.deliver()
    assert (_delivery(line)["state"], _delivery(line)["sop_class_uid"]) == ("done", ENHANCED_SR)


@pytest.mark.parametrize(
    ("step", "sent"),
    [
        (DeliveryStep.CLAIMED, COMPREHENSIVE_3D_SR),
        (DeliveryStep.PINNED, COMPREHENSIVE_SR),
        (DeliveryStep.ANSWERED, COMPREHENSIVE_SR),
    ],
)
def test_a_kill_between_pinning_and_answering_keeps_the_form(
    line: Line, pacs: Pacs, step: DeliveryStep, sent: str
) -> None:
    """The peer accepts everything by the next start; before the pin, nothing had been settled."""
    pacs.accepts = NO_3D
    delivering_killed_at(step, line)
    pacs.accepts, pacs.knows_duplicates = None, True
    line.house.database.write(lambda tx: outbox.rescue(tx, line.house.clock(), everything=True))
    line.deliver()
    delivery = _delivery(line)
    assert (delivery["state"], delivery["sop_class_uid"]) == ("done", sent)
    assert list(pacs.held) == [delivery["sop_instance_uid"]]


@pytest.mark.database("any")
def test_while_an_association_stands_the_form_is_settled_by_the_claim(line: Line, pacs: Pacs) -> None:
    """So the next report costs no commit of its own for it."""
    pacs.accepts = NO_3D
    line.house.receive(
        radiograph(study_instance_uid="1.2.4", sop_instance_uid="1.2.4.1.1", series_instance_uid="1.2.4.1")
    )
    line.report()
    courier = line.courier(line.peers[0])
    first = courier.claim()
    assert first is not None
    assert not first.is_pinned
    courier.handle(first)
    second = courier.claim()
    assert second is not None
    assert (second.is_pinned, second.rendition.sop_class_uid) == (True, COMPREHENSIVE_SR)
    courier.handle(second)
    courier.close()
    assert (pacs.associations, len(pacs.held)) == ([2], 2)


def test_what_was_superseded_is_pinned_no_more(house: House) -> None:
    """Its successor, which did not see it leave, does not name it."""
    line = Line(house, says=lambda uid: positive(uid) if uid.endswith(".2") else negative(uid))
    house.receive(radiograph())
    line.report()
    claimed = house.database.write(lambda tx: outbox.claim(tx, house.clock(), 60, "test", ["pacs"]))
    assert claimed is not None
    preferred, *_ = house.database.read(lambda tx: pinning.forms(tx, claimed))
    house.receive(radiograph(sop_instance_uid="1.2.3.1.2"))
    line.report()
    assert "PredecessorDocumentsSequence" not in line.reports()[1]
    assert house.database.write(lambda tx: form_choice.pin(tx, claimed, preferred, house.clock())) is None


def test_a_later_report_names_the_form_that_each_peer_has(house: House, pacs: Pacs) -> None:
    """Two peers of one profile accepted two forms of the first report."""
    with serving(Pacs(accepts=NO_3D)) as other:
        peers = [_peer(pacs), _peer(other, name="archive")]
        line = Line(house, peers, says=lambda uid: positive(uid) if uid.endswith(".2") else negative(uid))
        house.receive(radiograph())
        line.report()
        line.deliver()
        house.receive(radiograph(sop_instance_uid="1.2.3.1.2"))
        line.report()
    (series,) = line.reports()[1].PredecessorDocumentsSequence[0].ReferencedSeriesSequence
    named = {(one.ReferencedSOPClassUID, one.ReferencedSOPInstanceUID) for one in series.ReferencedSOPSequence}
    assert named == {(COMPREHENSIVE_3D_SR, *pacs.held), (COMPREHENSIVE_SR, *other.held)}


def test_a_report_that_is_rejected_in_one_form_leaves_in_no_other(line: Line, pacs: Pacs) -> None:
    """A reader at another archive took it back; what waits here says the same."""
    uids = dict(line.house.rows("SELECT sop_class_uid, sop_instance_uid FROM renditions"))
    note(line.house, "113037", [uids[ENHANCED_SR]])
    assert line.deliver() == 0
    assert (_delivery(line)["state"], pacs.came) == ("cancelled", [])


def _named(report: bytes) -> set[str]:
    dataset = read_dataset(BytesIO(report), is_implicit_VR=True, is_little_endian=True)
    items = dataset.get("PredecessorDocumentsSequence", ())
    series = (one for item in items for one in item.ReferencedSeriesSequence)
    return {str(one.ReferencedSOPInstanceUID) for of in series for one in of.ReferencedSOPSequence}


@pytest.mark.database("any")
def test_a_later_report_and_its_text_name_nothing_that_only_others_got(house: House, pacs: Pacs) -> None:
    """Peers of another profile or language hold other objects, which an archive would look for in vain."""
    with serving(Pacs()) as horos, serving(Pacs()) as chinese:
        gets = ("report", "text")
        peers = [
            _peer(pacs, gets=gets),
            _peer(horos, name="horos", gets=gets, profile="horos"),
            _peer(chinese, name="zh", gets=gets, language="zh"),
        ]
        line = Line(house, peers)
        house.receive(radiograph())
        line.report()
        line.deliver()
        house.receive(radiograph(patient_name="Roe^Jane"))
        line.report()
        line.deliver()
        of_language = {*pacs.came[1:2], *horos.came[1:2]}  # texts are the same for all peers of a language
        for archive, texts in ((pacs, of_language), (horos, of_language), (chinese, {chinese.came[1]})):
            report, _, later, text = archive.came
            assert _named(archive.held[later]) == {report}
            assert _named(archive.held[text]) == texts
