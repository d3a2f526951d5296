"""From labels in rows to a challenger with its verdict."""

from node.domain.lifecycle import State
from node.pipeline.learning import request as requests
from node.pipeline.learning.request import model_to_train
from node.store import retrainings
from tests.support.house import House
from tests.support.learning_site import LearningSite


def test_labels_become_a_challenger_with_its_verdict(house: House) -> None:
    """Kept, frozen, trained in a child process, judged, and no identity anywhere in what is kept."""
    site = LearningSite(house, gate={"draws": 200})
    site.patients(90)
    model = house.database.read(lambda tx: model_to_train(tx, site.settings, ""))

    asked = requests.request(house.database, site.settings, model, "tester", "once", house.clock())
    assert asked.run is not None, asked.said
    retrainer = site.retrainer()
    run = retrainer.claim()
    assert run is not None
    retrainer.handle(run)

    (row,) = house.database.read(retrainings.all)
    assert (row.state, row.verdict) == (State.DONE, "shadow"), row.last_error
