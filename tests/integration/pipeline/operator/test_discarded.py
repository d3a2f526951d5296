"""A result that an operator has discarded is not made after all, until an image comes or somebody asks for just it."""

from datetime import UTC, datetime

import pytest

from node.pipeline.operator import operate
from node.pipeline.stopping import control, undo_rejections
from node.store.tables.choices import JobKind
from tests.support.houses.house import House, radiograph
from tests.support.houses.line import PACS, Line
from tests.support.houses.rejecting import note

_FIRST, _SECOND, _NOTE = "1.2.3.1.1", "1.2.3.1.9", "1.2.99.1"
_AT = datetime(2026, 1, 2, 13, tzinfo=UTC)


@pytest.fixture
def line(house: House) -> Line:
    """Give a node with a study of one image, of which all work was given up, and of which no result is wanted."""
    line = Line(house)
    house.receive(radiograph())
    house.execute("UPDATE jobs SET state = 'buried', last_error = 'no room'")
    control.discard_jobs(house.settings(peers=[PACS]), [_number(house, JobKind.COMPOSE)], "ada", _AT)
    return line


def _number(house: House, kind: JobKind) -> int:
    return dict(house.rows("SELECT kind, id FROM jobs"))[kind.value]


def _states(house: House) -> dict[str, str]:
    return dict(house.rows("SELECT kind, state FROM jobs"))


def _retry(house: House, *jobs: int) -> int:
    return operate.retry(house.settings(peers=[PACS]), jobs, [], _AT, everything=not jobs)


def test_a_retry_of_everything_leaves_it_discarded(house: House, line: Line) -> None:
    """With its images that could not be read; the study is listed as discarded, not as buried."""
    assert line.study()["state"] == "discarded"
    assert _retry(house) == 0
    assert _states(house) == {"read": "buried", "compose": "cancelled"}
    assert line.study()["state"] == "discarded"


def test_what_another_model_gave_up_is_retried_and_told(house: House, line: Line) -> None:
    """It is that model's result that nobody wants, not the other's."""
    house.execute("UPDATE jobs SET model = 'other' WHERE kind = 'read'")
    assert line.study()["state"] == "buried"
    assert _retry(house) == 1


def test_an_image_is_retried_by_its_number_and_its_study_composed(house: House, line: Line) -> None:
    """Whoever names it wants it."""
    assert _retry(house, _number(house, JobKind.READ)) == 1
    assert _states(house) == {"read": "waiting", "compose": "waiting"}


def test_an_image_that_comes_leaves_none_unsaid_that_could_not_be_read(house: House, line: Line) -> None:
    """The report that is made after all says so."""
    house.receive(radiograph(sop_instance_uid=_SECOND))
    line.report()
    assert "Not assessed: reading it failed." in line.reports()[0].to_json()


def test_a_rejection_that_is_undone_leaves_it_discarded(house: House, line: Line) -> None:
    """The study is what it was when nobody wanted a result."""
    note(house, "113038", [_FIRST])
    undo_rejections.undo(house.settings(), _NOTE, "ada", house.clock())
    line.read()
    assert _states(house) == {"read": "done", "compose": "cancelled"}
    assert line.study()["state"] == "discarded"


def test_an_image_that_counts_only_now_has_it_made(house: House, line: Line) -> None:
    """It came after its note, which is undone: no model had been asked about it."""
    note(house, "113038", [_SECOND])
    house.receive(radiograph(sop_instance_uid=_SECOND))
    assert _states(house)["compose"] == "cancelled"
    undo_rejections.undo(house.settings(), _NOTE, "ada", house.clock())
    assert (line.report(), line.study()["state"]) == (1, "buried")


def test_what_a_rejection_ended_comes_back_with_it_although_it_was_discarded_once(house: House, line: Line) -> None:
    """An image has come since, so the result was wanted when the rejection ended it."""
    house.receive(radiograph(sop_instance_uid=_SECOND))
    note(house, "113038", [_FIRST, _SECOND])
    assert _states(house)["compose"] == "cancelled"
    undo_rejections.undo(house.settings(), _NOTE, "ada", house.clock())
    assert _states(house)["compose"] == "waiting"
