"""A node that is killed in the midst of a training: what it leaves, and what goes on from it."""

import signal
import subprocess
import sys

import pytest

from node.domain.lifecycle import State
from node.pipeline.learning import learning_listing
from node.store.learning import retrainings
from tests.support.houses.house import House
from tests.support.learning.labelled_zip import write_zip
from tests.support.learning.site import NAMES, LearningSite, chest
from tests.support.nodes.process import CHECKOUT


@pytest.mark.database("postgresql")  # on SQLite test_learning.py kills the training, and goes on to its verdict
def test_a_node_killed_while_it_trains_leaves_no_bundle_and_the_training_waits_for_its_next_start(house: House) -> None:
    """Nothing is registered; the second attempt is of the same training, and its end leaves nothing half done."""
    splits = {"train": [(n, n % 2) for n in range(200, 204)], "val": [(n, n % 2) for n in range(300, 304)]}
    replay = str(write_zip(house.folder / "replayed", splits))
    site = LearningSite(house, {"replay": [replay]})
    for number, patient in enumerate((*NAMES["train"][:10], *NAMES["validation"][:2])):  # none is locked: no first look
        site.label(site.image(number, patient, chest(number, ill=number % 2 == 0)), present=number % 2 == 0)
    site.collect()
    assert "is asked for" in learning_listing.retrain_now(site.settings, "", "ada", house.clock())

    command = [sys.executable, "-m", "tests.support.learning.killed_training", str(house.folder), house.url, replay]
    done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=False)

    assert done.returncode == -signal.SIGKILL, done.stderr
    (row,) = house.database.read(retrainings.all)
    assert (row.state, row.version, row.bundle) == (State.RUNNING, "", "")
    bundles = house.folder / "bundles"
    assert [path.name for path in bundles.iterdir() if not path.name.startswith(".")] == []
    assert list(bundles.iterdir()) != []
    house.database.write(lambda tx: retrainings.rescue(tx, house.clock()))  # as a start of the node does
    house.clock.forward(3600)
    retrainer = site.retrainer()
    again = retrainer.claim()
    assert again is not None
    assert (again.id, again.attempt) == (row.id, 2)
    learning_listing.cancel(site.settings, row.id, "ada", house.clock())
    retrainer.stop()
    retrainer.handle(again)
    assert list(bundles.iterdir()) == []
    assert not site.places.run(row.id).exists()
