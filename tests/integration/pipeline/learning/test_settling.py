"""A training settled with its verdict, whatever came while it was judged."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from node.domain.errors import Permanent, WorkStopped
from node.domain.lifecycle import State
from node.pipeline.learning import challenger_judged
from node.pipeline.learning.challenger_judged import Challenge, Judged, declare
from node.pipeline.learning.forget import forget
from node.store.arriving.merges import PatientName
from node.store.learning import model_versions, retrainings, splits
from node.store.learning.retrainings import Request
from tests.support.houses.house import House
from tests.support.learning.site import LearningSite, sides_of
from tests.support.learning.versions import another_version

PATIENT = sides_of(["PAT1", "PAT2", "PAT3", "PAT4", "PAT5"])["train"][0]


@pytest.fixture
def site(house: House) -> LearningSite:
    """Return a site with a patient who is learned from."""
    site = LearningSite(house)
    site.label(site.image(1, PATIENT), present=True)
    site.collect()
    return site


@pytest.fixture
def judged(site: LearningSite, house: House, tmp_path: Path) -> Callable[[str], Judged]:
    """Give a function that settles the training in hand, which has passed, as the gate does."""
    asked, now = Request("starter", "x", "ada", "tiny", "scratch", 1), house.clock()
    house.database.write(lambda tx: retrainings.request(tx, asked, now))
    retrainer = site.retrainer()
    run = retrainer.claim()
    assert run is not None
    patients = {_pseudonym(house): 1}
    house.database.write(lambda tx: retrainings.learns_from(tx, run, patients, "ab" * 32, now))

    def settle(number: str) -> Judged:
        bundle = another_version(tmp_path / number, number)
        champion, manifest = challenger_judged._parties(house.database, Challenge("starter", bundle, number))
        declare(house.database, site.settings, "starter", number, now)
        written = challenger_judged._Written(number, now, {}, tmp_path, "promoted", champion.version, "because")
        version = challenger_judged.version_of(manifest)
        described = challenger_judged.described("starter", version, str(bundle), manifest, now)
        row = replace(
            described,
            state=challenger_judged._STATES["promoted"],
            outcome="promoted",
            judged_against=champion.version,
            run=number,
        )
        how = challenger_judged._How(approval=True, trusted=True, beside=lambda *said: retrainer._finish(run, *said))
        return house.database.write(lambda tx: challenger_judged._settle(tx, site.settings, row, written, how))

    return settle


def _pseudonym(house: House) -> str:
    return splits.patient_of(house.database.read(splits.salt_of) or b"", "", PATIENT)


def _versions(house: House) -> int:
    return len(house.database.read(model_versions.all))


def test_a_training_is_done_in_the_transaction_of_its_verdict(house: House, judged: Callable[[str], Judged]) -> None:
    """A kill leaves both or none: it is never judged against itself."""
    version = judged("2").version
    (row,) = house.database.read(retrainings.all)
    assert (row.state, row.version, row.verdict) == (State.DONE, version, "promoted")


def test_a_patient_forgotten_while_the_gate_judges_is_in_no_version(
    house: House, site: LearningSite, judged: Callable[[str], Judged]
) -> None:
    """Who forgets is told that the training ends, and nothing of its verdict is kept."""
    before = _versions(house)
    said = forget(site.settings, PatientName(PATIENT), "ada", house.clock()).said
    assert "training 1 is being ended and registers no version" in said
    with pytest.raises(WorkStopped, match="asked for while it was judged"):
        judged("2")
    assert _versions(house) == before


def test_a_patient_left_out_while_the_gate_judges_is_in_no_version(
    house: House, judged: Callable[[str], Judged]
) -> None:
    """As one who was merged with a patient of another side: the training is given up."""
    before = _versions(house)
    house.database.write(lambda tx: splits.leave_out(tx, {_pseudonym(house): "torn"}))
    with pytest.raises(Permanent, match="1 patients of whom nothing is used any more"):
        judged("2")
    (row,) = house.database.read(retrainings.all)
    assert (row.state, _versions(house)) == (State.RUNNING, before)
