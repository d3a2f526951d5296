"""What a site signs before a model becomes active: the page, the record, and labels enough."""

from collections.abc import Callable

import pytest

from node.domain.errors import OperatorError
from node.pipeline.monitoring import validate
from node.pipeline.registry import modes
from node.store.learning import retrainings, splits
from node.store.learning.retrainings import Request
from node.store.registering import registry, validations
from node.store.tables.choices import Mode
from tests.support.houses.house import House
from tests.support.houses.monitored import AtSite


@pytest.fixture
def site(house: House) -> Callable[..., AtSite]:
    """Return what makes a site of a house."""
    return lambda **monitor: AtSite(house, **monitor)


def test_a_site_approves_what_it_saw_and_only_then_the_model_may_be_active(site: Callable[..., AtSite]) -> None:
    """The page counts by study and by group; the record keeps its digest and its figures."""
    here = site()
    here.house.database.write(lambda tx: registry.set_mode(tx, "starter", Mode.SHADOW))
    page = here.house.folder / "validation.html"
    with pytest.raises(OperatorError, match=r"nothing can be approved: no study .* is labelled"):
        validate.validate(here.settings, "starter", page, "Dr. Doe", here.now)
    flagged, quiet = here.add(8, score=0.9), here.add(12, view="AP", age="030Y")
    here.add(2, admitted=False)
    here.label([*flagged[:6], *quiet[:2]], present=True)
    here.label([*flagged[6:], *quiet[2:]], present=False)
    with pytest.raises(
        OperatorError, match=r"of pneumonia: 8 that have it and 12 that do not, and \[go_live\] min_lab"
    ):
        validate.validate(here.settings, "starter", page, "Dr. Doe", here.now)
    said = validate.validate(here.settings, "starter", page, "Dr. Doe", here.now, "a small hospital")
    assert "approved by Dr. Doe" in said
    text = page.read_text(encoding="utf-8")
    assert "75.0 % (40.9 to 92.9; 6 of 8)" in text  # sensitivity, and the interval of Wilson
    assert "83.3 % (55.2 to 95.3; 10 of 12)" in text
    assert "view AP" in text
    assert "age 18 to 64" in text
    assert "36.4" not in text
    assert "40.0 of 100 assessed" in text
    recorded = here.house.database.read(lambda tx: validations.latest(tx, "starter", here.model.version))
    assert recorded is not None
    assert recorded.figures["not_assessed"] == {"not known": 2}
    assert recorded.figures["although_few"] == "a small hospital"
    assert "Approved all the same: a small hospital" in text
    assert "shadow -> active" in modes.set_mode(here.settings, "starter", "active", here.now)


def test_the_page_counts_apart_what_was_labelled_blind_and_what_was_not_trained_on(
    site: Callable[..., AtSite],
) -> None:
    """A label that a reader gave after a result, and a patient whom the training knew, prove less."""
    here = site(go_live={"min_labelled": 2})
    ill, well = here.add(6, score=0.9), here.add(6)
    here.label(ill, present=True)
    here.label(well, present=False)
    database, version = here.house.database, here.model.version
    here.house.execute(f"UPDATE labels SET result_visible = (1 = 1) WHERE study_instance_uid = '{ill[0]}'")  # noqa: S608
    salt = database.write(lambda tx: splits.mint(tx, "5a" * 32, here.now))
    knew = {splits.patient_of(salt, "", f"P{number}"): 1 for number in range(2, 6)}
    database.write(lambda tx: retrainings.request(tx, Request("starter", "x", "ada", "tiny", "scratch", 1), here.now))
    run = database.write(lambda tx: retrainings.claim(tx, here.now, 60.0, "w"))
    assert run is not None
    database.write(lambda tx: retrainings.learns_from(tx, run, knew, "d", None))
    database.write(lambda tx: retrainings.finish(tx, run, here.now, "b", version, "promoted"))
    page = here.house.folder / "validation.html"
    assert "approved by" in validate.validate(here.settings, "starter", page, "Dr. Doe", here.now, "not asked for")
    recorded = database.read(lambda tx: validations.latest(tx, "starter", version))
    assert recorded is not None
    assert "although_few" not in recorded.figures
    ((_, blind), (_, new)) = recorded.figures["classes"][0]["kinds"].items()
    assert (blind["flagged_present"], blind["passed"]) == (5, 6)
    assert (new["flagged_present"], new["passed"]) == (2, 6)
    assert "8 of patients whom it was not trained on" in page.read_text(encoding="utf-8")
