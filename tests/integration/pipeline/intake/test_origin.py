"""Whether somebody sent a study or the node fetched it: what its first image says, until somebody sends another."""

from node.store.database import Transaction
from node.store.keeping import backfills
from node.store.keeping.backfills import ClaimedStudy, FoundStudy
from tests.support.houses.house import House, radiograph
from tests.support.objects.presentation_state import presentation_state

STUDY = "1.2.3"


def _fetching(house: House) -> ClaimedStudy:
    """Begin to fetch the study."""

    def begin(tx: Transaction) -> ClaimedStudy | None:
        backfills.begin(tx, "archive", {}, [FoundStudy(STUDY, 2)], house.clock(), sends=False)
        return backfills.claim(tx, "archive", house.clock(), 60, "test")

    claimed = house.database.write(begin)
    assert claimed is not None
    return claimed


def _state(house: House) -> tuple[list[tuple[str, ...]], list[tuple[int, ...]]]:
    origins = house.rows("SELECT origin FROM studies ORDER BY study_instance_uid")
    return origins, house.rows("SELECT priority FROM jobs ORDER BY priority")


def test_what_a_backfill_fetches_comes_after_everything_else(house: House) -> None:
    """Its study is a backfill's; a study that nobody asked for is live."""
    _fetching(house)
    house.receive(radiograph())
    assert _state(house) == ([("backfill",)], [(1000,), (1001,)])
    house.receive(radiograph(study_instance_uid="1.2.4", sop_instance_uid="1.2.4.1.1"))
    assert _state(house)[0] == [("backfill",), ("live",)]


def test_an_image_that_somebody_sends_makes_a_fetched_study_live(house: House) -> None:
    """Its report, too, comes in the order of live ones."""
    claimed = _fetching(house)
    house.receive(radiograph())
    house.database.write(lambda tx: backfills.finish(tx, claimed, house.clock(), 1))
    house.receive(radiograph(sop_instance_uid="1.2.3.1.2"))
    assert _state(house) == ([("live",)], [(100,), (101,), (1000,)])


def test_a_live_study_stays_live_when_it_is_fetched_again(house: House) -> None:
    """Its results went where they always go."""
    house.receive(radiograph())
    _fetching(house)
    house.receive(radiograph(sop_instance_uid="1.2.3.1.2"))
    assert _state(house)[0] == [("live",)]


def test_an_object_that_is_no_image_does_not_say_how_the_images_came(house: House) -> None:
    """A presentation state that was sent before the study was fetched."""
    house.receive(presentation_state(radiograph(sop_instance_uid="1.2.3.9.1")))
    _fetching(house)
    house.receive(radiograph())
    assert _state(house)[0] == [("backfill",)]
