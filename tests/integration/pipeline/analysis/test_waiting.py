"""How long a study waits where senders differ, and from what a quiet period is learnt."""

from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest

from node.domain.completion import Signal
from node.pipeline.analysis import completion_signals
from node.pipeline.senders import Sender
from node.store.arriving import habits
from node.store.listing import views
from node.store.tables.choices import JobKind
from tests.support.databases.claimed import claim_one
from tests.support.houses.house import House, radiograph
from tests.support.houses.line import Line


@pytest.fixture
def two_senders(house: House) -> House:
    """Return a house to which a slow sender and a fast one send."""
    house.policy = replace(house.policy, senders={"CT": Sender(300.0, query=True), "FAST": Sender(2.0)})
    return house


def _image(number: int, sender: str = "CR1", part: str = "CHEST") -> Any:
    came = radiograph(sop_instance_uid=f"1.2.3.1.{number}", body_part=part)
    return replace(came, calling_ae_title=sender)


def _compose(house: House) -> dict[str, Any]:
    jobs = house.database.read(lambda tx: views.jobs(tx, study_uid="1.2.3"))
    return next(job for job in jobs if job["kind"] == JobKind.COMPOSE)


def _due_in(house: House) -> float:
    return (datetime.fromisoformat(_compose(house)["due_at"]) - house.clock()).total_seconds()


def _gaps(house: House) -> dict[str, list[float]]:
    return house.database.read(lambda tx: habits.gaps_of(tx, ["CR1"]))


def test_a_fast_sender_cuts_no_slow_one_short(two_senders: House) -> None:
    """Whichever comes last, and in whatever commit; the slow one is asked when it would have been."""
    house = two_senders
    house.receive(_image(1, "CT"))
    asked_at = house.rows("SELECT ask_at FROM jobs WHERE kind = 'compose'")
    house.clock.forward(10)
    house.receive(_image(2, "FAST"))
    assert (_due_in(house), _compose(house)["signal"]) == (290, Signal.QUIET_PERIOD)
    assert house.rows("SELECT ask_at FROM jobs WHERE kind = 'compose'") == asked_at
    house.clock.forward(289)
    house.receive(_image(3, "FAST"))
    assert _due_in(house) == 2


def test_a_fast_sender_cuts_no_slow_one_short_while_a_compose_runs(two_senders: House) -> None:
    """What comes meanwhile has a wait of its own, which obeys the same."""
    house = two_senders
    house.receive(_image(1, "FAST"))
    Line(house).read()
    house.clock.forward(2)
    take = (JobKind.COMPOSE,), house.clock(), 60, "test"
    assert house.database.write(lambda tx: claim_one(tx, *take, max_attempts=2)) is not None
    house.receive(_image(2, "CT"))
    due = house.rows("SELECT again_due_at FROM jobs WHERE kind = 'compose'")
    house.receive(_image(3, "FAST"))
    assert house.rows("SELECT again_due_at FROM jobs WHERE kind = 'compose'") == due != [(None,)]


def test_a_slow_sender_that_has_said_that_all_is_there_is_waited_for_no_longer(two_senders: House) -> None:
    """Only its own next image takes that back."""
    house = two_senders
    house.receive(_image(1, "CT"))
    house.database.write(lambda tx: completion_signals.complete(tx, "1.2.3", Signal.FOUND_AT_PEER, house.clock()))
    house.receive(_image(2, "FAST"))
    assert _due_in(house) == 2


def test_a_habit_is_learnt_from_images_that_are_waited_for(house: House) -> None:
    """Those that no model reads come in between and keep no study open: the pause is that between the others."""
    house.policy = replace(house.policy, senders={"CR1": Sender(None)})
    house.receive(_image(1))
    for number in range(2, 6):
        house.clock.forward(10)
        house.receive(_image(number, part="HAND"))
    house.receive(_image(6))
    Line(house).report()
    assert _gaps(house) == {"CR1": [40]}


def test_a_study_that_is_closed_again_is_learnt_from_once(house: House) -> None:
    """With the pause that tore it; what was learnt of others stays, also what an older version wrote."""
    house.policy = replace(house.policy, senders={"CR1": Sender(None)})
    line = Line(house)
    house.receive(_image(1))
    line.report()
    house.execute('UPDATE sender_habits SET gaps_s = \'[7, [0, "1.2.3"], [8, "1.2.4"]]\'')
    house.receive(_image(2))
    line.report()
    assert _gaps(house) == {"CR1": [7, 8, 60]}
