"""What an operator types, and what it answers."""

import zipfile
from pathlib import Path

import pytest

from tests.support.databases.kinds import MakeFolder
from tests.support.nodes.process import MODALITY, NodeFolder
from tests.support.objects.images import sample_file
from tests.test_docs import documented_json_keys

PEERS = [MODALITY]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, lasting_node_folder: MakeFolder) -> NodeFolder:
    """Give a migrated database without a running node."""
    folder = lasting_node_folder(tmp_path_factory.mktemp("operator"), PEERS)
    folder.write()
    assert folder.run("migrate").returncode == 0
    return folder


def test_migrating_twice_is_harmless(home: NodeFolder) -> None:
    """And says so."""
    assert "already" in home.run("migrate").stdout


def test_an_unknown_study_is_named_with_the_way_out(home: NodeFolder) -> None:
    """Exit 1."""
    done = home.run("studies", "1.2.3")
    assert done.returncode == 1
    assert "1.2.3" in done.stderr
    assert "pacs-node studies" in done.stderr


def test_completing_wants_to_be_told_which_study(home: NodeFolder) -> None:
    """Exit 2 without one, exit 1 for one that is not held."""
    assert home.run("studies", "--complete").returncode == 2
    done = home.run("studies", "1.2.3", "--complete")
    assert done.returncode == 1
    assert "no study 1.2.3 is held" in done.stderr


def test_retry_wants_to_be_told_what(home: NodeFolder) -> None:
    """Exit 2; with --all it counts."""
    assert home.run("retry").returncode == 2
    assert "0 put back" in home.run("retry", "--all").stdout


def test_a_mode_that_is_none_and_a_model_that_is_none_are_refused(home: NodeFolder) -> None:
    """With what there is."""
    assert home.run("models", "mode", "starter", "loud").returncode == 2
    assert "registered: none" in home.run("models", "mode", "other", "off").stderr


def test_a_model_without_recorded_validation_does_not_become_active(tmp_path: Path, node_folder: MakeFolder) -> None:
    """The gate of [go_live], and what would open it."""
    home = node_folder(tmp_path, PEERS)
    home.write()
    assert home.run("migrate").returncode == 0
    assert home.run("models", "configure", "starter").returncode == 0
    done = home.run("models", "mode", "starter", "active")
    assert done.returncode == 1
    assert "no recorded local validation" in done.stderr
    assert "test = true" in done.stderr


def test_sending_to_nobody_says_which_peers_there_are(home: NodeFolder) -> None:
    """Exit 2."""
    done = home.run("send", str(sample_file("CT_small.dcm")), "--to", "nobody")
    assert done.returncode == 2
    assert "modality" in done.stderr


def test_sending_to_a_peer_that_is_down_says_why_for_each_file(home: NodeFolder, tmp_path: Path) -> None:
    """Also for those inside a zip."""
    archive = tmp_path / "studies.zip"
    with zipfile.ZipFile(archive, "w") as written:
        written.write(sample_file("CT_small.dcm"), "a/CT_small.dcm")
    done = home.run("send", str(archive), "--to", "PACS@127.0.0.1:1")
    assert done.returncode == 1
    assert "CT_small.dcm" in done.stdout
    assert "refused the connection" in done.stdout


def test_check_prints_a_line_for_each_thing(home: NodeFolder) -> None:
    """Config, database, store, disk, peers, bundle, clock."""
    done = home.run("check")
    for subject in ("config", "database", "store", "disk", "peer modality", "model starter", "clock"):
        assert f" {subject}: " in done.stdout, subject
    assert done.returncode == 0


def test_models_is_empty_until_the_first_start(home: NodeFolder) -> None:
    """The configuration seeds the registry when the node starts."""
    assert home.listing("models") == []
    assert "state" in documented_json_keys("studies")
