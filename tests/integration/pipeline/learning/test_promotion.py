"""Which version serves: entered, promoted, taken back, by two operators at once, and through kills."""

import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest

from node.config import Settings
from node.domain.errors import OperatorError
from node.pipeline.checks.version_checks import lines
from node.pipeline.learning.promotion import promote, rollback
from node.pipeline.learning.promotion_steps import PromotionStep
from node.pipeline.learning.sweeping import sweep_refused
from node.pipeline.learning.version_listing import VERSIONS_COLUMNS, versions
from node.pipeline.registry import challengers
from node.pipeline.registry.catalogue import catalogue_of, seeded
from node.store.learning import model_versions
from node.store.learning.model_versions import Version
from node.store.registering import registry
from node.store.tables.version_tables import VersionState
from tests.support.houses.house import House
from tests.support.learning.promoting import NOW, serving_version, settings_for
from tests.support.learning.versions import MADE, another_version, challenger
from tests.support.nodes.process import CHECKOUT
from tests.test_docs import documented_json_keys


def _state(house: House, version: str) -> VersionState:
    found = house.database.read(lambda tx: model_versions.get(tx, "starter", version))
    assert found is not None
    return found.state


def test_a_start_enters_what_serves(house: House, settings: Settings) -> None:
    """With the digests of bundle and data, its Device UID and what was measured; the next start adds nothing."""
    seeded(settings, house.database, lambda: NOW)
    (row,) = versions(settings)
    assert set(row) == set(documented_json_keys("models versions"))
    assert set(VERSIONS_COLUMNS) <= set(row)
    assert (row["state"], row["version"], row["bundle_there"]) == ("serving", serving_version(house), True)
    assert row["device_uid"].startswith("2.25.")
    assert len(row["data_digests"]["training"]) == 64
    assert row["figures"]["test"]["auc"] > 0.9


def test_a_promoted_version_serves_without_a_restart(house: House, settings: Settings, tmp_path: Path) -> None:
    """The champion is a former version, and one command brings it back, and no further."""
    first = serving_version(house)
    catalogue = catalogue_of(settings, house.database, house.database.read(registry.all))
    second = challenger(house.database, another_version(tmp_path / "2", "2"), first)
    said = promote(settings, "starter", second, "Dr. Doe", NOW)
    assert said == f"model starter: {first} -> {second}, approved by Dr. Doe; counts with the next analysis"
    assert (serving_version(house), _state(house, first)) == (second, VersionState.FORMER)
    assert catalogue.served("starter").identity.version == second
    assert f"{second} -> {first}, rolled back by Dr. Roe" in rollback(settings, "starter", "Dr. Roe", NOW)
    assert (serving_version(house), _state(house, second)) == (first, VersionState.FORMER)
    assert catalogue.served("starter").identity.version == first
    with pytest.raises(OperatorError, match="there is nothing to go back to"):
        rollback(settings, "starter", "Dr. Roe", NOW)


@pytest.mark.database("any")
def test_rollbacks_go_back_step_by_step(house: House, settings: Settings, tmp_path: Path) -> None:
    """Each to the version that served before; what was taken back is not come back to."""
    served = [serving_version(house)]
    for number in "23":
        served.append(challenger(house.database, another_version(tmp_path / number, number), served[-1]))
        promote(settings, "starter", served[-1], "Dr. Doe", NOW)
    for version in served[-2::-1]:
        rollback(settings, "starter", "Dr. Roe", NOW)
        assert serving_version(house) == version


@pytest.mark.database("any")
@pytest.mark.parametrize(
    ("outcome", "state", "words"),
    [
        ("refused", VersionState.REFUSED, "the gate's verdict is refused"),
        ("shadow", VersionState.SHADOW, "the gate's verdict is shadow"),
        ("", VersionState.SHADOW, "the gate never judged it"),
    ],
)
def test_what_the_gate_did_not_pass_is_not_promoted(
    house: House, settings: Settings, tmp_path: Path, outcome: str, state: VersionState, words: str
) -> None:
    """Whoever says so; the champion serves on."""
    first = serving_version(house)
    second = challenger(house.database, another_version(tmp_path / "2", "2"), first, outcome, state)
    with pytest.raises(OperatorError, match=words):
        promote(settings, "starter", second, "Dr. Doe", NOW)
    assert serving_version(house) == first


@pytest.mark.database("any")
def test_a_verdict_against_another_champion_does_not_count(house: House, settings: Settings, tmp_path: Path) -> None:
    """Two passed against the first; once one of them serves, nobody knows whether the other is as good."""
    first = serving_version(house)
    second, third = (challenger(house.database, another_version(tmp_path / n, n), first) for n in "23")
    promote(settings, "starter", second, "Dr. Doe", NOW)
    with pytest.raises(OperatorError, match=r"was judged against 1\..*, and 2\.0\.0\+.* serves by now"):
        promote(settings, "starter", third, "Dr. Doe", NOW)
    with pytest.raises(OperatorError, match=r"serves already \(promoted by Dr\. Doe, 2026-05-02"):
        promote(settings, "starter", second, "Dr. Roe", NOW)


@pytest.mark.database("any")
def test_names_that_are_not_known_are_refused_in_words(house: House, settings: Settings) -> None:
    """A model, a version, and nobody's approval."""
    with pytest.raises(OperatorError, match="no model 'other'; registered: starter"):
        promote(settings, "other", "1", "Dr. Doe", NOW)
    with pytest.raises(OperatorError, match="no version '1'; it has: 1"):
        promote(settings, "starter", "1", "Dr. Doe", NOW)
    with pytest.raises(OperatorError, match="--by names who approves") as refused:
        promote(settings, "starter", "1", " ", NOW)
    assert refused.value.exit_code == 2


@pytest.mark.database("any")
def test_a_bundle_that_has_changed_is_not_promoted(house: House, settings: Settings, tmp_path: Path) -> None:
    """Neither one that does not fit its manifest, nor another version in its folder, nor one that was swept."""
    first, folder = serving_version(house), another_version(tmp_path / "2", "2")
    second = challenger(house.database, folder, first)
    (folder / "classifier.npz").unlink()
    with pytest.raises(OperatorError, match="cannot be used"):
        promote(settings, "starter", second, "Dr. Doe", NOW)
    folder.rename(tmp_path / "gone")
    another_version(tmp_path / "2", "3")
    with pytest.raises(OperatorError, match=rf"holds version 3\.0\.0\+.* by now, not {second[:5]}"):
        promote(settings, "starter", second, "Dr. Doe", NOW)
    row = house.database.read(lambda tx: model_versions.get(tx, "starter", second))
    assert row is not None
    house.database.write(lambda tx: model_versions.swept(tx, row, NOW))
    with pytest.raises(OperatorError, match="was removed on 2026-05-02"):
        promote(settings, "starter", second, "Dr. Doe", NOW)
    assert serving_version(house) == first


def test_of_two_operators_at_once_one_wins_and_the_other_is_told(
    house: House, settings: Settings, tmp_path: Path
) -> None:
    """Both have looked before either has written."""
    first = serving_version(house)
    chosen = [challenger(house.database, another_version(tmp_path / n, n), first) for n in "23"]
    together = threading.Barrier(2)

    def reached(step: PromotionStep) -> None:
        if step is PromotionStep.OPENED:
            together.wait(20)

    def order(version: str) -> str:
        try:
            return promote(settings, "starter", version, f"Dr. {version[0]}", NOW, reached=reached)
        except OperatorError as error:
            return str(error)

    with ThreadPoolExecutor(2) as pool:
        said = list(pool.map(order, chosen))
    winner = serving_version(house)
    assert winner in chosen
    told = said[1 - chosen.index(winner)]
    assert f"meanwhile {winner} serves (promoted by Dr. {winner[0]}, 2026-05-02" in told
    assert "nothing was changed" in told


def test_the_database_lets_one_version_serve(house: House, settings: Settings) -> None:
    """Whatever a program does."""
    second = Version("starter", "2", VersionState.SERVING, NOW, NOW)
    with pytest.raises(Exception, match=r"(?i)unique"):
        house.database.write(lambda tx: model_versions.add(tx, second))


@pytest.mark.parametrize("step", PromotionStep)
def test_a_kill_at_any_step_leaves_the_old_version_or_the_new_one(
    house: House, settings: Settings, tmp_path: Path, step: PromotionStep
) -> None:
    """In both registries; the same order afterwards ends with the new one."""
    first = serving_version(house)
    second = challenger(house.database, another_version(tmp_path / "2", "2"), first)
    configuration = tmp_path / "config.toml"
    configuration.write_text(
        f'[node]\nae_title = "PACSNODE"\ndata_dir = "{house.folder}"\n[database]\nurl = "{house.url}"\n'
        '[go_live]\nrequire_validation = false\n[[models]]\nname = "starter"\n'
        '[[peers]]\nname = "ct"\nae_title = "CT"\nhost = "localhost"\nport = 104\nmay_send = true\n',
        encoding="utf-8",
    )
    command = [sys.executable, "-m", "tests.support.learning.killed_promotion", str(configuration), second, step]
    done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert serving_version(house) == (second if step is PromotionStep.COMMITTED else first)
    if step is not PromotionStep.COMMITTED:
        promote(settings, "starter", second, "Dr. Doe", NOW)
    assert serving_version(house) == second


@pytest.mark.database("any")
def test_check_says_what_waits_and_what_is_gone(house: House, settings: Settings, tmp_path: Path) -> None:
    """A challenger that awaits approval or reads beside, and a former version that nobody could come back to."""

    def said() -> str:
        return "\n".join(f"{line.subject}: {line.text}" for line in lines(house.database))

    first = serving_version(house)
    assert said() == ""
    second = challenger(house.database, another_version(tmp_path / "2", "2"), first)
    promote(settings, "starter", second, "Dr. Doe", NOW)
    third = challenger(house.database, another_version(tmp_path / "3", "3"), second)
    row = house.database.read(lambda tx: model_versions.get(tx, "starter", third))
    assert row is not None
    house.database.write(lambda tx: challengers.begin(tx, row))
    assert f"model starter: version {third} awaits approval: `pacs-node models promote starter {third}" in said()
    assert f"model starter-challenger: version {third} reads in shadow beside its champion" in said()
    assert "cannot be gone back to" not in said()
    house.execute("UPDATE model_versions SET bundle = '/no/bundle' WHERE state = 'former'")
    assert f"version {first} served before and cannot be gone back to" in said()
    house.execute("UPDATE models SET version = 'other' WHERE name = 'starter'")
    assert f"the registry serves other, and of its versions {second}" in said()


@pytest.mark.database("any")
def test_refused_bundles_are_swept_after_a_while(house: House, settings: Settings, tmp_path: Path) -> None:
    """Only those, only old ones, and only where trainings put theirs; the rows stay and say so."""
    first, home = serving_version(house), house.folder / "bundles"
    folders = [another_version(home / "2", "2"), another_version(home / "3", "3"), another_version(tmp_path / "4", "4")]
    outcomes = [("refused", VersionState.REFUSED), ("shadow", VersionState.SHADOW), ("refused", VersionState.REFUSED)]
    of = [challenger(house.database, folder, first, *how) for folder, how in zip(folders, outcomes, strict=True)]
    assert sweep_refused(house.database, settings, MADE + timedelta(days=29)) == []
    swept = sweep_refused(house.database, settings, MADE + timedelta(days=31))
    assert [one.version for one in swept] == [of[0]]
    assert [folder.is_dir() for folder in folders] == [False, True, True]
    rows = {row["version"]: row for row in versions(settings)}
    assert rows[of[0]]["swept_at"] == "2026-06-01T00:00:00+00:00"
    assert not rows[of[0]]["bundle_there"]
    assert sweep_refused(house.database, settings_for(house, gate={"keep_refused_days": 0}), NOW) == []
