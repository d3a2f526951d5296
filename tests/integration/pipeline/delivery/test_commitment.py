"""Storage commitment through the pipeline: sent is not committed, and what a peer does not keep is sent again."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from pydicom.dataset import Dataset

from node.config import PeerSettings, Settings
from node.domain.errors import Refused
from node.network.commitment import CommitmentResult, Heard
from node.pipeline.checks.commitment_checks import lines
from node.pipeline.delivery.committing import GATHER_S
from tests.support.houses.commitment import HOUR_S, Site
from tests.support.houses.house import House, radiograph
from tests.support.houses.line import PACS, Line
from tests.support.peers.committing import Committing as Archive
from tests.support.peers.committing import committing


@pytest.fixture(scope="module")
def running() -> Iterator[Archive]:
    """Run an archive that stores and commits."""
    with committing("PACS") as archive:
        yield archive


@pytest.fixture
def archive(running: Archive) -> Archive:
    """Return the archive as it is after its start."""
    running.held.clear()
    running.requests.clear()
    running.statuses.clear()
    running.told.clear()
    running.reason, running.says_nothing, running.action_status = None, False, 0x0000
    return running


@pytest.fixture
def site(house: House, archive: Archive) -> Site:
    """Return a site whose report the archive has been sent."""
    made = Site(house, archive.port)
    made.send()
    return made


def test_a_report_that_was_sent_is_asked_for_and_then_committed(site: Site, archive: Archive) -> None:
    """Two states of one delivery, and two lines of its timeline."""
    assert (site.delivery()["state"], site.delivery()["commitment"]) == ("done", "asked")
    assert not site.ask()
    assert site.ask_after(GATHER_S)
    assert (site.delivery()["state"], site.delivery()["commitment"]) == ("done", "committed")
    assert [item.ReferencedSOPInstanceUID for item in archive.requests[0].ReferencedSOPSequence] == archive.held
    assert not site.ask_after(30 * HOUR_S)
    assert site.events() == ["report committed"]


def test_a_report_that_the_peer_does_not_hold_is_sent_again(site: Site, archive: Archive) -> None:
    """After a backoff, under the same UID; the second time it is kept."""
    lost = archive.held.pop()
    assert site.ask_after(GATHER_S)
    failed = site.delivery()
    assert (failed["state"], failed["commitment"]) == ("waiting", "failed")
    assert "0x0112, no such object instance" in str(failed["last_error"])
    assert failed["waits_since"] == site.house.clock().isoformat()  # and so is not overdue at once
    assert site.line.deliver() == 0
    site.house.clock.forward(10)
    assert site.line.deliver() == 1
    assert archive.held == [lost]
    assert site.ask_after(GATHER_S)
    assert (site.delivery()["state"], site.delivery()["commitment"]) == ("done", "committed")
    assert site.events() == ["commitment failed", "report committed"]


@pytest.mark.database("any")  # no database decides how long is waited
def test_a_peer_that_never_commits_is_sent_the_report_ever_more_seldom(site: Site, archive: Archive) -> None:
    """The pauses grow to a quarter of an hour, and the count of failures with them."""
    archive.reason, waited = 0x0110, []
    for _ in range(10):
        assert site.ask_after(GATHER_S)
        began = site.house.clock()
        while site.line.deliver() == 0:
            site.house.clock.forward(40)
        waited.append((site.house.clock() - began).total_seconds())
    assert waited[0] == 40
    assert 600 <= waited[-1] <= 1200
    assert site.delivery()["failures"] == 10


def test_a_peer_that_does_not_answer_is_asked_again_under_a_new_transaction(site: Site, archive: Archive) -> None:
    """Not before the time is over, then with pauses that double; the answer to any of them counts."""
    stay_silent(archive, site)
    assert site.ask_after(GATHER_S)
    assert site.delivery()["commitment"] == "asked"
    assert not site.ask_after(0.7 * HOUR_S)
    assert site.ask_after(0.6 * HOUR_S)
    assert not site.ask_after(1.5 * HOUR_S)
    assert site.ask_after(HOUR_S)
    uids = [str(request.TransactionUID) for request in archive.requests]
    assert len(set(uids)) == 3
    assert site.events() == ["commitment asked", "commitment not answered"] * 2 + ["commitment asked"]

    assert site.hear(result_of(archive, archive.requests[0])) == 0x0000
    assert site.delivery()["commitment"] == "committed"
    assert site.ask_after(50 * HOUR_S)
    assert len(archive.requests) == 3
    assert not site.ask_after(50 * HOUR_S)


def stay_silent(archive: Archive, site: Site) -> None:
    """Have the archive say nothing, and nobody wait for it."""
    archive.says_nothing, site.asker._given = True, replace(site.given, kept_open_s=0.0)


def result_of(archive: Archive, request: Dataset) -> CommitmentResult:
    """Return that everything asked for is kept."""
    uids = tuple(str(item.ReferencedSOPInstanceUID) for item in request.ReferencedSOPSequence)
    return CommitmentResult("PACS", "127.0.0.1", str(request.TransactionUID), uids, ())


def test_a_failure_that_answers_an_earlier_request_sends_nothing_again(site: Site, archive: Archive) -> None:
    """The report may have been sent since; the answer to the latest request decides."""
    stay_silent(archive, site)
    assert site.ask_after(GATHER_S)
    assert site.ask_after(2 * HOUR_S)
    first, uid = str(archive.requests[0].TransactionUID), archive.held[0]
    assert site.hear(CommitmentResult("PACS", "", first, (), ((uid, 0x0112),))) == 0x0000
    assert (site.delivery()["state"], site.delivery()["commitment"]) == ("done", "asked")


def test_an_answer_that_comes_twice_changes_nothing(site: Site, archive: Archive) -> None:
    """A peer repeats a result whose answer it did not get."""
    stay_silent(archive, site)
    site.ask_after(GATHER_S)
    for _ in range(2):
        assert site.hear(result_of(archive, archive.requests[0])) == 0x0000
    assert site.events() == ["commitment asked", "report committed"]


def test_an_unknown_transaction_is_answered_as_one(site: Site) -> None:
    """Nothing changes, and the peer is told so."""
    assert site.hear(CommitmentResult("PACS", "", "2.25.999", ("1.2.3",), ())) == 0x0115
    assert site.delivery()["commitment"] == "asked"


def test_what_an_answer_leaves_out_is_asked_about_again(site: Site, archive: Archive) -> None:
    """After a backoff: a peer that answers nothing is not asked without end."""
    stay_silent(archive, site)
    site.ask_after(GATHER_S)
    transaction = str(archive.requests[0].TransactionUID)
    assert site.hear(CommitmentResult("PACS", "", transaction, (), ())) == 0x0000
    assert not site.ask()
    assert site.ask_after(10)
    assert len(archive.requests) == 2


def test_a_transaction_that_the_peer_knows_already_is_asked_under_another_uid(site: Site, archive: Archive) -> None:
    """0x0131 says nothing about the report, which is not sent again."""
    archive.reason = 0x0131
    assert site.ask_after(GATHER_S)
    assert (site.delivery()["state"], site.delivery()["commitment"]) == ("done", "asked")
    archive.reason = None
    assert site.ask_after(10)
    assert site.delivery()["commitment"] == "committed"


def test_a_peer_that_refuses_to_be_asked_is_asked_after_a_backoff(site: Site, archive: Archive) -> None:
    """Under a new transaction UID, because it may have taken the first; the timeline says why."""
    archive.action_status = 0x0213
    assert site.ask_after(GATHER_S)
    assert not site.ask()
    archive.action_status = 0x0000
    assert site.ask_after(10)
    assert site.delivery()["commitment"] == "committed"
    assert site.events() == ["commitment not asked", "report committed"]


def test_a_kill_between_asking_and_the_answer_asks_again(site: Site, archive: Archive) -> None:
    """The lease runs out, and the request is never made twice under one UID."""
    stay_silent(archive, site)
    site.house.clock.forward(GATHER_S)
    claimed = site.asker.claim()
    assert claimed is not None
    site.asker._note_asking(claimed)
    assert site.ask_after(HOUR_S)
    assert str(archive.requests[0].TransactionUID) != claimed.transaction_uid


def test_check_says_what_a_peer_owes(site: Site, archive: Archive) -> None:
    """Nothing while it has its time; a note, then a fault, once it has let that pass."""
    settings = Settings(node={"ae_title": "PACSNODE"})

    def said() -> list[tuple[str, str]]:
        found = lines(settings, site.house.database, site.house.clock())
        return [(line.verdict, line.text) for line in found if line.subject == "commitment of pacs"]

    stay_silent(archive, site)
    site.ask_after(GATHER_S)
    assert said() == []
    site.ask_after(2 * HOUR_S)
    (note,) = said()
    assert note[0] == "note"
    assert "1 reports sent since 2026-01-02 12:01 UTC and not committed to; asked in vain 1 times in a row" in note[1]
    for _ in range(3):
        site.ask_after(30 * HOUR_S)
    assert [verdict for verdict, _ in said()] == ["fault"]


def test_several_reports_are_asked_about_together(house: House, archive: Archive) -> None:
    """What was sent within the time that the first one waits goes into one request."""
    site = Site(house, archive.port)
    for number in (1, 2, 3):
        study = f"1.2.{number}"
        house.receive(
            radiograph(study_instance_uid=study, series_instance_uid=f"{study}.1", sop_instance_uid=f"{study}.1.1")
        )
    site.line.report()
    assert site.line.deliver() == 3
    assert site.ask_after(GATHER_S)
    assert not site.ask()
    assert [len(request.ReferencedSOPSequence) for request in archive.requests] == [3]


def test_a_store_that_is_away_lets_the_peer_come_again(house: House, archive: Archive) -> None:
    """A result that could not be kept is not answered with success."""
    site = Site(house, archive.port)
    site.send()

    def away(_: Heard) -> int:
        raise Refused(0xA700, "the database is away")

    site.asker._hear = away
    assert site.ask_after(GATHER_S)
    assert archive.told.wait(10)
    assert archive.statuses == [0x0110]
    assert site.delivery()["commitment"] == "asked"


def test_only_peers_that_say_so_are_asked(house: House, archive: Archive) -> None:
    """Without storage_commitment a report is sent, and that is all."""
    peer: PeerSettings = PACS.model_copy(update={"port": archive.port})
    house.receive(radiograph())
    line = Line(house, [peer])
    line.report()
    line.deliver()
    assert line.deliveries()[0]["commitment"] == "none"
