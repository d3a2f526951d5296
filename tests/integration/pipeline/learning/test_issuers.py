"""One Patient ID under several issuers, or with and without one: told, settled by a merge, or by the configuration."""

import shlex

import pytest

from node.domain.split import Side, side_of
from node.pipeline.learning import issuers
from node.pipeline.learning.forget import forget
from node.pipeline.learning.learning_listing import left_out
from node.pipeline.learning.merged import TORN
from node.pipeline.stopping import patients as merging
from node.store.arriving.merges import PatientName
from node.store.learning import splits, training_set
from tests.support.houses.house import House
from tests.support.learning.site import SALT, LearningSite, chest
from tests.test_docs import documented_json_keys


def _side(issuer: str, patient: str) -> Side:
    salt = bytes.fromhex(SALT)
    return side_of(salt, splits.patient_of(salt, issuer, patient))


DIVIDED = next(name for name in map(str, range(99)) if {_side("", name), _side("H", name)} == {Side.TRAIN, Side.LOCKED})


def _shown(site: LearningSite, number: int, patient: str, issuer: str) -> str:
    uid = site.image(number, patient, chest(number, ill=False))
    study = uid.removesuffix(".1.1")
    site.house.execute(
        f"UPDATE studies SET issuer_of_patient_id = '{issuer}' WHERE study_instance_uid = '{study}'"  # noqa: S608
    )
    site.label(uid, present=False)
    return uid


def _used(site: LearningSite) -> dict[str, Side]:
    rows = site.house.database.read(training_set.all)
    return {one.sop_instance_uid: one.side for one in rows if not one.left_out}


def test_a_number_with_and_without_an_issuer_on_two_sides_is_listed_until_a_merge_settles_it(house: House) -> None:
    """The line that is listed does it; nothing of that person is used from then on."""
    site = LearningSite(house)
    for number, issuer in enumerate(("", "H", "H"), 1):
        _shown(site, number, DIVIDED, issuer)
    site.collect()
    (row,) = issuers.listed(site.settings)
    assert set(row) == set(documented_json_keys("learning issuers"))
    assert (row["patient_id"], row["issuers"], row["images"]) == (DIVIDED, ["H", ""], 3)
    assert sorted(row["sides"]) == ["locked", "train"]
    (line,) = list(issuers.lines(site.settings, house.database))
    assert line.text.startswith("1 Patient IDs are used on several sides")
    assert issuers.said(site.settings) == line.text
    assert row["settle"] == [
        f"pacs-node patients merge {DIVIDED} {DIVIDED} --issuer '' --into-issuer H",
    ]
    _, _, _, patient, into, _, issuer, _, into_issuer = shlex.split(row["settle"][0])
    merging.merge(site.settings, PatientName(patient, issuer), PatientName(into, into_issuer), "ada", house.clock())
    site.collect()
    assert {one["reason"] for one in left_out(site.settings)} == {TORN}
    assert set(left_out(site.settings)[0]) == set(documented_json_keys("learning left-out"))
    assert issuers.listed(site.settings) == []


def test_a_header_without_an_issuer_counts_as_the_sites(house: House) -> None:
    """All images of the number are one patient's; another issuer's stay another's."""
    site = LearningSite(house, {"issuer": "H"})
    uids = [_shown(site, number, DIVIDED, issuer) for number, issuer in enumerate(("", "H", "ELSEWHERE"), 1)]
    site.collect()
    assert _used(site) == {
        uids[0]: _side("H", DIVIDED),
        uids[1]: _side("H", DIVIDED),
        uids[2]: _side("ELSEWHERE", DIVIDED),
    }


def test_what_was_kept_before_the_issuer_was_configured_is_regarded(house: House) -> None:
    """A patient who stood on two sides is used on neither, as after a merge."""
    before = LearningSite(house)
    uids = {_shown(before, number, DIVIDED, issuer) for number, issuer in enumerate(("", "H"), 1)}
    before.collect()
    assert set(_used(before)) == uids
    site = LearningSite(house, {"issuer": "H"})
    site.collect()
    assert _used(site) == {}


@pytest.mark.parametrize("called", [("H", ""), ("", "H")])
def test_a_patient_is_forgotten_with_and_without_the_sites_issuer(house: House, called: tuple[str, str]) -> None:
    """Whichever of both the operator types, and whichever an image bears that comes later; another's stays."""
    site = LearningSite(house, {"issuer": "H"})
    _shown(site, 1, DIVIDED, called[0])
    stays = _shown(site, 2, DIVIDED, "ELSEWHERE")
    site.collect()
    said = forget(site.settings, PatientName(DIVIDED, called[1]), "ada", house.clock()).said
    assert "1 images and 1 labels are removed" in said
    assert "of ELSEWHERE" in said
    _shown(site, 3, DIVIDED, called[1])
    site.collect()
    assert set(_used(site)) == {stays}
