"""An upgrade that ships another bundle under the name of one that serves: told before and after, and taken back."""

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from node.config import Settings
from node.domain.errors import OperatorError
from node.pipeline.check_line import CheckLine
from node.pipeline.checks import replaced_checks, version_checks
from node.pipeline.learning import promotion
from node.pipeline.registry import catalogue, modes
from node.store.registering import registry, validations
from node.store.registering.registry import Registration
from node.store.registering.validations import RecordedValidation
from node.store.tables.choices import Mode
from tests.support.houses.house import House
from tests.support.learning.versions import another_version

NOW = datetime(2026, 5, 1, tzinfo=UTC)


class Site:
    """A site whose program ships one bundle."""

    def __init__(self, house: House, shipped: Path, *, required: bool = True) -> None:
        self.house, self.shipped = house, shipped
        self.settings = Settings.model_validate(
            {
                "node": {"ae_title": "PACSNODE", "data_dir": house.folder},
                "database": {"url": house.url},
                "models": [{"name": "starter"}],
                "go_live": {"require_validation": required},
            }
        )

    def start(self, days: int = 0) -> Registration:
        """Do what a start of the node does to the registry, and return its row."""
        (row,) = catalogue.seeded(self.settings, self.house.database, lambda: NOW + timedelta(days))
        return row

    def go_live(self) -> str:
        """Start, approve the version that ships, make it active and return what it is called."""
        version = self.start().version
        recorded = RecordedValidation("starter", version, "Dr. Doe", NOW, "ab" * 32, {})
        self.house.database.write(lambda tx: validations.record(tx, recorded))
        modes.set_mode(self.settings, "starter", "active", NOW)
        return version

    def upgrade(self) -> None:
        """Let the program ship another version under the same name."""
        shutil.rmtree(self.shipped / "starter")
        another_version(self.shipped / "starter", "2")

    def row(self) -> Registration:
        """Return the registry's row now."""
        found = self.house.database.read(lambda tx: registry.get(tx, "starter"))
        assert found is not None
        return found

    def told(self) -> list[CheckLine]:
        """Return what `check` says of it."""
        return list(replaced_checks.lines(self.settings, self.house.database))


@pytest.fixture
def site(house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    """Give a site whose program ships a copy of the starter."""
    shipped = tmp_path / "program"
    another_version(shipped / "starter", "1")
    original = catalogue.SHIPPED_BUNDLES
    monkeypatch.setattr("tests.support.learning.versions.bundle_path", lambda name: original / name)
    monkeypatch.setattr(catalogue, "SHIPPED_BUNDLES", shipped)
    return Site(house, shipped)


def test_a_start_says_loudly_that_another_version_serves_in_shadow_and_two_commands_take_it_back(site: Site) -> None:
    """Also `check`, before the start and until somebody has decided."""
    first = site.go_live()
    assert site.told() == []
    site.upgrade()
    (before,) = site.told()
    assert (before.verdict, f"to stay with {first}, name " in before.text) == ("fault", True)
    assert "in shadow, because it has no validation here" in before.text
    with capture_logs() as logged:
        second = site.start(1)
    (told,) = [entry for entry in logged if entry["event"] == "model serves another version"]
    assert (told["before"], told["after"], told["was"], told["mode"]) == (first, second.version, "active", "shadow")
    back = "`pacs-node models rollback starter`, then `pacs-node models mode starter active`"
    assert (told["log_level"], told["way_back"]) == ("warning", back)
    (after,) = site.told()
    assert (after.verdict, back in after.text, f"brings {first} back" in after.text) == ("fault", True, True)
    assert list(version_checks.lines(site.house.database)) == []

    assert f"{second.version} -> {first}" in promotion.rollback(site.settings, "starter", "ada", NOW)
    (halfway,) = site.told()
    assert "`pacs-node models mode starter active` lets it report" in halfway.text
    assert "shadow -> active" in modes.set_mode(site.settings, "starter", "active", NOW)
    assert site.told() == []
    with capture_logs() as logged:
        assert (site.start(2).version, site.row().mode) == (first, Mode.ACTIVE)
    assert logged == []


def test_a_version_that_is_named_by_its_copy_before_the_start_goes_on_as_it_is(site: Site) -> None:
    """What `check` says before the start is done, and nothing changes."""
    first = site.go_live()
    site.upgrade()
    place = site.told()[0].text.partition(f"to stay with {first}, name ")[2].partition(" in ")[0]
    site.settings = site.settings.model_copy(
        update={"models": (site.settings.models[0].model_copy(update={"bundle": place}),)}
    )
    modes.configure(site.settings, "starter", NOW)
    assert site.told() == []
    row = site.start(1)
    assert (row.version, row.mode) == (first, Mode.ACTIVE)


def test_where_no_copy_was_kept_it_says_what_to_put_where(site: Site) -> None:
    """As after an upgrade from a program that kept none, or where the disk was full."""
    first = site.go_live()
    shutil.rmtree(site.house.folder / "shipped")
    site.upgrade()
    assert "name a folder of its own that holds it in [[models]] bundle" in site.told()[0].text
    with capture_logs() as logged:
        site.start(1)
    said = f"put the bundle of version {first} into a folder of its own"
    assert said in next(one["way_back"] for one in logged if one["event"] == "model serves another version")
    assert said in site.told()[0].text
    (note,) = version_checks.lines(site.house.database)
    assert "cannot be gone back to: starter holds" in note.text
    with pytest.raises(OperatorError, match="by now, not"):
        promotion.rollback(site.settings, "starter", "ada", NOW)


@pytest.mark.database("any")
def test_an_operator_who_leaves_it_in_shadow_is_told_no_more(site: Site) -> None:
    """The decision is on record."""
    site.go_live()
    site.upgrade()
    site.start(1)
    assert [line.verdict for line in site.told()] == ["fault"]
    modes.set_mode(site.settings, "starter", "shadow", NOW)
    assert site.told() == []


@pytest.mark.database("any")
def test_where_no_validation_is_asked_for_the_other_version_serves_and_the_log_says_so(site: Site) -> None:
    """The site has taken that on itself; it is a note before the start, and `rollback` alone takes it back."""
    site.settings = Site(site.house, site.shipped, required=False).settings
    first = site.start().version
    modes.set_mode(site.settings, "starter", "active", NOW)
    site.upgrade()
    assert [line.verdict for line in site.told()] == ["note"]
    with capture_logs() as logged:
        second = site.start(1)
    (told,) = [entry for entry in logged if entry["event"] == "model serves another version"]
    assert (second.mode, told["was"], told["mode"]) == (Mode.ACTIVE, "active", "active")
    assert site.told() == []
    promotion.rollback(site.settings, "starter", "ada", NOW)
    assert (site.row().version, site.row().mode) == (first, Mode.ACTIVE)


@pytest.mark.database("any")
def test_a_copy_that_cannot_be_made_costs_no_start(site: Site) -> None:
    """A full disk, or something in its place: the log says so, and the node serves."""
    (site.house.folder / "shipped").touch()
    with capture_logs() as logged:
        assert site.start().mode is Mode.SHADOW
    assert [entry["event"] for entry in logged] == ["shipped bundle not kept"]


def test_what_a_killed_start_has_left_of_a_copy_goes_with_the_next_start(site: Site) -> None:
    """Whichever version it was of, and whether or not the copy is there by now; nothing else goes."""
    version, place = site.start().version, site.house.folder / "shipped"
    ours, older = f".starter-{version}-abcdefgh/starter-{version}", ".starter-0.9.0-x0_y1z2w/starter-0.9.0"
    for name in (ours, older, ".mine/one"):
        (place / name).mkdir(parents=True)
        (place / name / "manifest.json").touch()
    site.start(1)
    assert sorted(path.name for path in place.iterdir()) == [".mine", f"starter-{version}"]
