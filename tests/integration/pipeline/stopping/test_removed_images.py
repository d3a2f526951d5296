"""Images that were removed for their age (113039): not wrong, not read any more, and read once they come again."""

import pytest

from tests.support.houses.house import House, radiograph
from tests.support.houses.line import Line, negative, positive
from tests.support.houses.rejecting import TAKING, count_as_sent, kinds, note

FIRST, SECOND = "1.2.3.1.1", "1.2.3.1.2"


def test_what_was_removed_for_its_age_takes_nothing_back(house: House) -> None:
    """The result was right when it was delivered, and still is."""
    line = Line(house, [TAKING])
    house.receive(radiograph())
    line.report()
    count_as_sent(house, line)
    note(house, "113039", [FIRST])
    line.report()
    assert kinds(line) == [("report", "done")]


def test_a_finding_in_an_image_that_was_removed_for_its_age_still_counts(house: House) -> None:
    """A late image of the study must not turn its result into a negative one."""
    line = Line(house, says=lambda uid: positive(uid) if uid == FIRST else negative(uid))
    house.receive(radiograph())
    line.report()
    note(house, "113039", [FIRST])
    house.clock.forward(1)
    house.receive(radiograph(sop_instance_uid=SECOND))
    assert line.report() == 1
    assert line.study()["outcomes"] == {"starter": "positive"}


def test_an_image_that_comes_after_a_note_of_its_removal_was_restored(house: House) -> None:
    """It is read like any other."""
    line = Line(house)
    note(house, "113039", [FIRST])
    house.clock.forward(1)
    house.receive(radiograph())
    assert line.report() == 1


@pytest.mark.parametrize("reported", [True, False])
def test_a_removed_image_that_is_sent_again_is_read(house: House, *, reported: bool) -> None:
    """The same bytes under the same UID; a report that was stopped by the note waits again."""
    line = Line(house)
    house.receive(radiograph())
    assert not reported or line.report() == 1
    note(house, "113039", [FIRST])
    house.clock.forward(1)
    house.receive(radiograph())
    assert line.report() == 1
    assert kinds(line) == [("report", "waiting")]
