"""Backfill through the pipeline: what is fetched, what is tried again, and what is given up."""

import random
from collections.abc import Iterator
from io import BytesIO

import pytest
from pydicom import Dataset, dcmwrite

from node.domain.rule import Rule
from node.network.incoming import IncomingInstance, gathered
from node.network.peer import PeerAddress, Timeouts
from node.network.scp import ScpSettings, StorageSCP
from node.pipeline.fetching.backfill import Fetcher, Fetching
from node.store.keeping import backfills
from node.store.keeping.backfills import FoundStudy
from node.store.listing import backfill_views
from tests.support.houses.house import House, incoming
from tests.support.peers.sending_archive import Archive, archive, small_image

# what differs between databases is the store's, whose tests run on both

STUDY, OTHER = "1.2.826.0.1.3680043.8.498.1", "1.2.826.0.1.3680043.8.498.2"


class Site:
    """A node that fetches from one archive."""

    def __init__(self, house: House, pacs: Archive) -> None:
        """Join what fetches and what receives."""
        self.house, self.pacs = house, pacs
        self.given = Fetching(house.database, "PACSNODE", house.clock, random.Random(1), Timeouts())
        self.fetcher = self.new_fetcher()

    def new_fetcher(self) -> Fetcher:
        """Return what a node that starts fetches with."""
        return Fetcher(self.given, "pacs", PeerAddress("ARCHIVE", "127.0.0.1", self.pacs.port), "test")

    def store(self, came: IncomingInstance) -> int:
        """Keep what the archive sends."""
        return self.house.receive(came)

    def begin(self, *found: tuple[str, int | None]) -> int:
        """Keep a search that found these studies."""
        studies = [FoundStudy(uid, expected) for uid, expected in found]
        now = self.house.clock()
        return self.house.database.write(
            lambda tx: backfills.begin(tx, "pacs", {"PatientID": "7"}, studies, now, sends=False)
        )

    def fetch(self) -> int:
        """Fetch what is due, as the work loop does; return how many studies were tried."""
        tried = 0
        while self.fetch_one():
            tried += 1
        return tried

    def fetch_one(self) -> bool:
        """Fetch the next study that is due; return whether there was one."""
        due = self.fetcher.next_due()
        if due is None or due > self.house.clock() or (claimed := self.fetcher.claim()) is None:
            return False
        try:
            self.fetcher.handle(claimed)
        except Exception as error:  # noqa: BLE001 - as the work loop does
            self.fetcher.fail(claimed, error)
        return True

    def row(self) -> dict[str, object]:
        """Return the newest backfill as the operator sees it."""
        return self.house.database.read(backfill_views.backfills)[0]

    def studies(self) -> list[dict[str, object]]:
        """Return the studies of the newest backfill."""
        identity = self.row()["id"]
        return self.house.database.read(lambda tx: backfill_views.studies(tx, int(str(identity))))


@pytest.fixture(scope="module")
def running() -> Iterator[Archive]:
    """Run an archive with two studies, of two images and of one."""
    images = [small_image(STUDY, 1), small_image(STUDY, 2), small_image(OTHER, 1)]
    with archive(images) as started:
        yield started


@pytest.fixture
def site(house: House, running: Archive) -> Iterator[Site]:
    """Return a node to which the archive may send, and live work that is none."""
    running.gate.set()
    for kept in (running.moved, running.withholds, running.refuses, running.destinations):
        kept.clear()
    made = Site(house, running)
    scp = StorageSCP(
        ScpSettings("PACSNODE", "127.0.0.1", 0, accept_any_calling_ae=True), gathered(made.store), lambda _: None
    )
    running.destinations["PACSNODE"] = scp.start()
    yield made
    scp.stop()


def test_studies_come_one_after_the_other_and_the_backfill_ends(site: Site) -> None:
    """Each is asked for once; what came is counted; the timeline of the study says where it is from."""
    site.begin((STUDY, 2), (OTHER, 1))
    assert site.fetch() == 2
    assert site.pacs.moved == [STUDY, OTHER]
    row = site.row()
    assert (row["fetched"], row["waiting"], row["instances"], row["instances_held"]) == (2, 0, 3, 3)
    assert row["ended_at"] is not None
    assert site.house.rows("SELECT count(*) FROM audit WHERE event = 'study fetched'") == [(2,)]
    assert site.house.rows("SELECT DISTINCT origin FROM studies") == [("backfill",)]


def test_what_is_held_already_is_not_sent_again(site: Site) -> None:
    """As many instances as the archive says it has."""
    site.house.receive(incoming(encoded(small_image(OTHER, 1))))
    site.begin((OTHER, 1))
    assert site.fetch() == 1
    assert site.pacs.moved == []
    assert site.row()["fetched"] == 1


def encoded(image: Dataset) -> bytes:
    """Return an image as a file."""
    file = BytesIO()
    dcmwrite(file, image, enforce_file_format=True)
    return file.getvalue()


def test_a_study_that_was_fetched_is_complete_at_once(site: Site) -> None:
    """The archive has said how many images there are, and that they were sent."""
    site.house.rules["starter"] = Rule(modalities=("CT",), body_parts=())
    site.begin((STUDY, 2))
    site.fetch()
    now = site.house.clock()
    signals = site.house.rows("SELECT signal, due_at FROM jobs WHERE kind = 'compose'")
    assert [(signal, str(due)[:19]) for signal, due in signals] == [("found at peer", f"{now:%Y-%m-%d %H:%M:%S}")]


def test_live_work_goes_first(site: Site) -> None:
    """Nothing is fetched while an image that somebody sent waits to be read."""
    site.begin((STUDY, 2))
    site.house.rules["starter"] = None
    site.house.execute(
        "INSERT INTO studies (study_instance_uid, patient_id, issuer_of_patient_id, patient_name, patient_birth_date,"
        " patient_sex, accession_number, study_date, study_description, first_received_at) VALUES"
        " ('1.9', '', '', '', '', '', '', '', '', '2026-01-01 00:00:00')"
    )
    site.house.execute(
        "INSERT INTO jobs (kind, subject_uid, study_instance_uid, model, state, priority, due_at, attempt, failures,"
        " lapses, worker, last_error) VALUES"
        " ('read', '1.9.1', '1.9', 'starter', 'waiting', 100, '2026-01-01 00:00:00', 0, 0, 0, '', '')"
    )
    assert site.fetch() == 0
    site.house.execute("UPDATE jobs SET state = 'done'")
    assert site.fetch() == 1


def test_a_study_of_which_some_images_fail_is_tried_again_and_then_complete(site: Site) -> None:
    """What is held already counts; the reason is kept meanwhile."""
    site.pacs.withholds.add(f"{STUDY}.1.2")
    site.begin((STUDY, 2))
    assert site.fetch() == 1
    (study,) = site.studies()
    assert (study["state"], study["failures"]) == ("waiting", 1)
    assert "asked to send 2 instances of the study, and 1 are held; it says that 1 could not be sent" in str(
        study["last_error"]
    )
    site.pacs.withholds.clear()
    assert site.fetch() == 0
    site.house.clock.forward(10)
    assert site.fetch() == 1
    assert site.row()["fetched"] == 1


def test_a_study_that_never_comes_is_buried_with_the_reason_and_can_be_retried(site: Site) -> None:
    """The others come all the same."""
    site.pacs.refuses[STUDY] = 0xC123
    identity = site.begin((STUDY, 2), (OTHER, 1))
    for _ in range(backfills.ATTEMPTS):
        site.fetch()
        site.house.clock.forward(1000)
    row = site.row()
    assert (row["buried"], row["fetched"]) == (1, 1)
    assert "0xC123, unable to process" in str(row["last_error"])
    assert row["ended_at"] is not None
    site.pacs.refuses.clear()
    assert site.house.database.write(lambda tx: backfills.retry(tx, identity, site.house.clock())) == 1
    assert site.fetch() == 1
    assert site.row()["fetched"] == 2


@pytest.mark.parametrize("trouble", ["unknown destination", "out of resources", "away"])
def test_trouble_of_the_archive_counts_for_no_study(site: Site, trouble: str) -> None:
    """It rests, ever longer; what it said is shown; and everything comes once it is well."""
    port = site.pacs.destinations["PACSNODE"]
    if trouble == "unknown destination":
        del site.pacs.destinations["PACSNODE"]
    elif trouble == "out of resources":
        site.pacs.refuses.update({STUDY: 0xA702, OTHER: 0xA702})
    else:
        site.fetcher._peer = PeerAddress("ARCHIVE", "127.0.0.1", 1)
    site.begin((STUDY, 2), (OTHER, 1))
    for _ in range(3 * backfills.ATTEMPTS):
        assert site.fetch() == 1
        site.house.clock.forward(1200)
    assert {study["failures"] for study in site.studies()} == {0}
    said = {"unknown destination": "add this node's AE title", "out of resources": "0xA702", "away": "refused"}
    assert said[trouble] in str(site.row()["last_error"])

    site.pacs.destinations["PACSNODE"] = port
    site.pacs.refuses.clear()
    site.fetcher = site.new_fetcher()
    assert site.fetch() == 2
    assert site.row()["fetched"] == 2


def test_a_cancelled_backfill_stops_the_study_under_way(site: Site) -> None:
    """The archive is told, and nothing is tried again."""
    site.pacs.gate.clear()
    identity = site.begin((STUDY, 2), (OTHER, 1))
    claimed = site.fetcher.claim()
    assert claimed is not None
    site.house.database.write(lambda tx: backfills.cancel(tx, identity, site.house.clock()))
    with pytest.raises(Exception, match="broken off") as caught:
        site.fetcher.handle(claimed)
    site.fetcher.fail(claimed, caught.value)
    assert (site.row()["cancelled"], site.row()["waiting"], site.row()["running"]) == (2, 0, 0)
    assert site.fetch() == 0


def test_a_node_that_drains_breaks_off_and_fetches_later(site: Site) -> None:
    """The study goes back without a failure, and the archive is not blamed."""
    site.pacs.gate.clear()
    site.fetcher.goes_on = lambda: False
    site.begin((STUDY, 2))
    assert site.fetch_one()
    (study,) = site.studies()
    assert (study["state"], study["failures"]) == ("waiting", 0)
    site.pacs.gate.set()
    site.fetcher = site.new_fetcher()
    assert site.fetch() == 1
    assert site.row()["fetched"] == 1


def test_after_a_kill_the_next_start_goes_on(site: Site) -> None:
    """The study that was under way is fetched again, and what is held stays held."""
    site.begin((STUDY, 2), (OTHER, 1))
    assert site.fetcher.claim() is not None
    site.fetcher = site.new_fetcher()
    site.house.database.write(lambda tx: backfills.rescue(tx, site.house.clock(), everything=True))
    assert site.fetch() == 2
    assert site.row()["fetched"] == 2


def test_an_archive_that_does_not_count_is_believed_when_it_says_that_all_was_sent(site: Site) -> None:
    """Of a study of unknown size its own last answer decides; one of which nothing came was not fetched."""
    site.begin((STUDY, None), ("1.2.3.4", None))
    assert site.fetch() == 2
    states = {str(study["study_instance_uid"]): study for study in site.studies()}
    assert (states[STUDY]["state"], states[STUDY]["fetched"]) == ("done", 2)
    assert states["1.2.3.4"]["state"] == "waiting"
    assert "an unknown number instances" in str(states["1.2.3.4"]["last_error"])
