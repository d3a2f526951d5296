"""What an operator does with backfills, with an archive of the library's."""

from collections.abc import Callable, Iterator

import pytest

from node.config import PeerSettings, Settings
from node.domain.errors import OperatorError
from node.pipeline.fetching import backfill_operate as operate
from tests.support.houses.house import House
from tests.support.peers.sending_archive import Archive, archive, small_image
from tests.test_docs import documented_json_keys

STUDY, OTHER = "1.2.826.0.1.3680043.8.498.1", "1.2.826.0.1.3680043.8.498.2"
QUERY = "StudyDate=20260101-20260110,Modality=CT"


@pytest.fixture(scope="module")
def running() -> Iterator[Archive]:
    """Run an archive with two studies of January, the second a day later."""
    later = small_image(OTHER, 1, StudyDate="20260106")
    with archive([small_image(STUDY, 1), small_image(STUDY, 2), later]) as started:
        yield started


@pytest.fixture
def pacs(running: Archive) -> Archive:
    """Return the archive as it is after its start."""
    running.asked.clear()
    running.tells_modalities, running.most_answers = True, 1000
    return running


@pytest.fixture
def settings(house: House, pacs: Archive) -> Settings:
    """Return the settings of a node that knows the archive, and one that may not send."""
    known = PeerSettings(name="pacs", ae_title="ARCHIVE", host="127.0.0.1", port=pacs.port, may_send=True)
    silent = known.model_copy(update={"name": "silent", "may_send": False})
    gone = known.model_copy(update={"name": "gone", "port": 1})
    return house.settings(peers=(known, silent, gone))


@pytest.fixture
def begin(house: House, settings: Settings) -> Callable[..., int]:
    """Return a function that begins a backfill."""

    def run(name: str = "pacs", query: str = QUERY, *, sends: bool = False) -> int:
        return operate.begin(settings, name, query, house.clock, lambda *_: None, sends=sends)

    return run


def test_a_search_is_kept_with_what_it_found(settings: Settings, begin: Callable[..., int], pacs: Archive) -> None:
    """Day by day, the newest study first, with the number of instances that the archive says it has."""
    identity = begin()
    assert len([one for one in pacs.asked if one.QueryRetrieveLevel == "STUDY"]) == 10
    (row,) = operate.listing(settings)
    assert set(row) == set(documented_json_keys("backfill"))
    assert (row["id"], row["studies"], row["waiting"], row["instances"]) == (identity, 2, 2, 3)
    assert row["query"] == {"StudyDate": "20260101-20260110", "ModalitiesInStudy": "CT"}
    studies = operate.studies(settings, identity)
    assert set(studies[0]) == set(documented_json_keys("backfill --show"))
    assert [(one["study_instance_uid"], one["expected"]) for one in studies] == [(OTHER, 1), (STUDY, 2)]


def test_the_same_search_while_it_goes_on_is_the_same_backfill(
    settings: Settings, begin: Callable[..., int], house: House
) -> None:
    """So the command can be run again after a kill; another question, or other sending, is another one."""
    first = begin()
    assert begin() == first
    assert begin(sends=True) != first
    assert begin(query="PatientID=7") != first
    assert operate.cancel(settings, first, house.clock()) == 2
    assert begin() != first
    assert operate.one(settings, first)["cancelled"] == 2


def test_a_search_that_finds_nothing_has_ended(settings: Settings, begin: Callable[..., int]) -> None:
    """Nothing waits."""
    row = operate.one(settings, begin(query="StudyDate=20250101"))
    assert (row["studies"], row["ended_at"] is not None) == (0, True)


def test_an_archive_that_does_not_tell_modalities_is_asked_for_series(
    begin: Callable[..., int], settings: Settings, pacs: Archive
) -> None:
    """Only what has the modality is fetched."""
    pacs.tells_modalities = False
    for image in pacs.images:
        image.Modality = "CT" if image.StudyInstanceUID == STUDY else "MR"
    identity = begin()
    for image in pacs.images:
        image.Modality = "CT"
    assert [one["study_instance_uid"] for one in operate.studies(settings, identity)] == [STUDY]


@pytest.mark.parametrize(
    ("name", "query", "said"),
    [
        ("nobody", QUERY, "no peer 'nobody'"),
        ("silent", QUERY, "has no may_send = true"),
        ("gone", QUERY, "could not be searched: ARCHIVE at 127.0.0.1:1 refused the connection"),
        ("pacs", "Rows=5", "no key of a study"),
    ],
)
def test_what_cannot_be_begun_leaves_nothing(
    name: str, query: str, said: str, begin: Callable[..., int], settings: Settings
) -> None:
    """One sentence with the way out, and no row."""
    with pytest.raises(OperatorError, match=said):
        begin(name, query)
    assert operate.listing(settings) == []


def test_an_archive_that_cuts_its_answers_short_is_not_believed(
    begin: Callable[..., int], settings: Settings, pacs: Archive
) -> None:
    """Nothing is fetched of a search that would leave studies out."""
    pacs.most_answers = 1
    pacs.images.append(small_image("1.2.3", 1))
    with pytest.raises(OperatorError, match="cuts its answers"):
        begin()
    pacs.images.pop()
    assert operate.listing(settings) == []


def test_a_backfill_that_there_is_not_is_said(settings: Settings, house: House) -> None:
    """Whatever is to be done with it."""
    for act in (operate.cancel, operate.retry):
        with pytest.raises(OperatorError, match="no backfill 7"):
            act(settings, 7, house.clock())
    with pytest.raises(OperatorError, match="no backfill 7"):
        operate.studies(settings, 7)
