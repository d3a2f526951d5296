"""The node as a process: what it says when it can, and when it cannot, start."""

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import Connection, create_engine, inspect, text

from models.bundle.folder import file_digests, open_bundle, write_bundle
from node.network.reception import IncomingInstance
from node.network.scu import OutgoingInstance, PeerAddress, open_association
from tests.support.databases import MakeFolder
from tests.support.house import radiograph
from tests.support.images import sample_file
from tests.support.nodes import CHECKOUT, NodeFolder, Peer, launch, serving, start
from tests.support.programs import free_port
from tests.support.raw_dataset import ct
from tests.support.raw_peer import ABORTED, DATASET, LAST_COMMAND, LAST_DATASET, RawPeer, store_request
from tests.support.waiting import wait_until
from tests.test_docs import documented_json_keys

SENDER = Peer("modality", "MODALITY", 104, may_send=True)
NOBODY_LISTENS = Peer("pacs", "PACS", 1, gets_reports=True)


@pytest.fixture
def home(tmp_path: Path, node_folder: MakeFolder) -> NodeFolder:
    """Give a folder with a configuration: one peer that sends, one that gets reports and is down."""
    folder = node_folder(tmp_path, [SENDER, NOBODY_LISTENS])
    folder.write()
    return folder


def _refused(home: NodeFolder, *arguments: str) -> subprocess.CompletedProcess[str]:
    done = home.run(*(arguments or ("serve",)))
    assert done.returncode != 0
    assert "Traceback" not in done.stderr
    return done


def _execute(home: NodeFolder, *statements: str) -> None:
    """Do to its database what no verb does."""
    with _connection(home) as connection:
        for statement in statements:
            connection.execute(text(statement))


def _tables(home: NodeFolder) -> list[str]:
    with _connection(home) as connection:
        return inspect(connection).get_table_names()


@contextlib.contextmanager
def _connection(home: NodeFolder) -> Iterator[Connection]:
    engine = create_engine(home.url)
    with engine.begin() as connection:
        yield connection
    engine.dispose()


def _store(port: int, came: IncomingInstance) -> int:
    context = (came.sop_class_uid, came.transfer_syntax_uid)
    with open_association(PeerAddress("PACSNODE", "127.0.0.1", port), "MODALITY", [context]) as association:
        outgoing = OutgoingInstance(came.sop_class_uid, came.sop_instance_uid, came.transfer_syntax_uid, came.dataset)
        return association.store(outgoing).status


def test_ready_is_one_line_on_stdout_and_sigterm_ends_it_with_success(home: NodeFolder) -> None:
    """Scripts wait for that line; logs go to stderr."""
    with serving(home) as node:
        lines = node.process.output().splitlines()
        assert lines == [f"ready ae=PACSNODE port={node.port} web=off models=starter:shadow"]
        node.wait_said("starter is in shadow")


def test_the_process_that_receives_never_loads_tensorflow(home: NodeFolder) -> None:
    """Decoding and inference are a child's business; its death is not the node's."""
    with serving(home) as node:
        assert _store(node.port, radiograph()) == 0x0000
        node.wait_said("report composed")
        assert home.listing("studies")[0]["state"] == "reported"
        mapped = Path(f"/proc/{node.process.pid}/maps").read_text(encoding="utf-8")
        assert "tensorflow" not in mapped


def test_the_log_as_json_is_one_object_a_line(tmp_path: Path, node_folder: MakeFolder) -> None:
    """Also while the model is loaded, whose libraries like to talk."""
    home = node_folder(tmp_path, [SENDER, NOBODY_LISTENS], tables={"log": 'format = "json"'})
    with serving(home) as node:
        assert _store(node.port, radiograph()) == 0x0000
        node.wait_said("report composed")
    lines = node.process.errors().splitlines()
    assert all("event" in json.loads(line) for line in lines), lines


def test_an_empty_configuration_is_exit_2_with_every_fault(home: NodeFolder) -> None:
    """For any verb that needs one."""
    home.configuration.write_text("", encoding="utf-8")
    for verb in ("serve", "check", "studies"):
        done = _refused(home, verb)
        assert done.returncode == 2
        assert "[node]: missing" in done.stderr
        assert "[[peers]]: missing" in done.stderr


def test_no_configuration_is_exit_2_and_says_where_one_is_looked_for(home: NodeFolder) -> None:
    """The three places."""
    home.configuration.unlink()
    done = _refused(home)
    assert done.returncode == 2
    assert "PACS_NODE_CONFIG" in done.stderr


def test_an_unknown_verb_is_exit_2(home: NodeFolder) -> None:
    """What is not built yet is unknown."""
    assert _refused(home, "backfill").returncode == 2


def test_a_port_in_use_is_one_clear_line(home: NodeFolder) -> None:
    """With the way out."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        text = home.configuration.read_text(encoding="utf-8").replace("port = 0", f"port = {port}", 1)
        home.configuration.write_text(text, encoding="utf-8")
        done = _refused(home)
    assert f"port {port}" in done.stderr
    assert "in use" in done.stderr


def test_a_second_node_on_the_same_data_folder_is_kept_out(home: NodeFolder) -> None:
    """And the first goes on."""
    with serving(home) as node:
        done = _refused(home)
        assert "another node" in done.stderr
        assert "data_dir" in done.stderr
        assert _store(node.port, radiograph()) == 0x0000


def test_a_store_that_cannot_be_written_is_one_clear_line(home: NodeFolder) -> None:
    """A file where the data folder should be; permissions do not stop root."""
    home.data.write_text("in the way", encoding="utf-8")
    assert "cannot be written" in _refused(home).stderr
    assert "fault store" in _refused(home, "check").stdout


def test_a_database_of_another_schema_version_names_the_command_that_helps(home: NodeFolder) -> None:
    """An older one is migrated by command, a newer one needs a newer program."""
    assert home.run("migrate").returncode == 0
    _execute(home, "UPDATE alembic_version SET version_num = 'ffff'")
    assert "newer than this program" in _refused(home).stderr
    assert "newer than this program" in _refused(home, "migrate").stderr
    _execute(home, "DELETE FROM alembic_version", "CREATE TABLE unrelated (id INTEGER)")
    done = home.run("check")
    assert "pacs-node" in done.stdout


def test_a_database_that_cannot_be_reached_is_one_clear_line(tmp_path: Path) -> None:
    """A PostgreSQL server that is down."""
    home = NodeFolder(tmp_path, [SENDER], database=f"postgresql+psycopg://nobody@127.0.0.1:{free_port()}/none")
    home.write()
    assert "database" in _refused(home).stderr


def test_a_bundle_with_a_changed_byte_is_refused_by_name(home: NodeFolder, tmp_path: Path) -> None:
    """Digests are checked before a file is opened."""
    copy = tmp_path / "bundle"
    copy.mkdir()
    for file in (CHECKOUT / "models" / "starter").iterdir():
        data = bytearray(file.read_bytes())
        if file.name == "classifier.npz":
            data[len(data) // 2] ^= 1
        (copy / file.name).write_bytes(data)
    text = home.configuration.read_text(encoding="utf-8").replace('bundle = "starter"', 'bundle = "./bundle"')
    home.configuration.write_text(text, encoding="utf-8")
    assert "classifier.npz" in _refused(home).stderr


def test_a_bundle_that_opens_and_does_not_load_keeps_its_reads_waiting(home: NodeFolder, tmp_path: Path) -> None:
    """Receiving goes on; nothing is called "not assessed" for a fault of the installation."""
    copy = tmp_path / "bundle"
    shutil.copytree(CHECKOUT / "models" / "starter", copy)
    (copy / "classifier.tflite").write_bytes(b"no network")
    manifest = open_bundle(CHECKOUT / "models" / "starter").manifest
    write_bundle(copy, replace(manifest, files=file_digests(copy)))
    text = home.configuration.read_text(encoding="utf-8").replace('bundle = "starter"', 'bundle = "./bundle"')
    home.configuration.write_text(text, encoding="utf-8")
    node = start(home)
    try:
        assert _store(node.port, radiograph()) == 0x0000
        node.wait_said("reading waits")
        assert [job["state"] for job in home.listing("queue")] == ["waiting", "waiting"]
        assert home.listing("deliveries") == []
    finally:
        assert node.process.terminate() == 0


def test_a_transfer_under_way_is_finished_and_answered_while_the_node_drains(home: NodeFolder) -> None:
    """SIGTERM half way through a dataset: nobody else is let in, the instance is stored, and the node exits with 0."""
    home.write()
    node, instance = start(home), ct("1.2.3.1")
    half = len(instance.dataset) // 2
    with RawPeer(node.port).associate() as peer:
        peer.fragment(LAST_COMMAND, store_request(b"1.2.3.1"))
        peer.fragment(DATASET, instance.dataset[:half])
        node.process.process.terminate()
        wait_until(lambda: "draining" in node.process.errors(), 20, "the drain")
        with RawPeer(node.port) as late:
            answer = late.request()
            assert answer is not None
            assert answer.codes == (2, 3, 1)
        peer.fragment(LAST_DATASET, instance.dataset[half:])
        assert peer.status() == 0x0000
        peer.release()
    assert node.process.process.wait(20) == 0
    assert [row["sop_instance_uid"] for row in home.listing("instances")] == ["1.2.3.1"]


def test_a_transfer_that_does_not_end_is_aborted_when_the_drain_is_over(
    tmp_path: Path, node_folder: MakeFolder
) -> None:
    """[node] drain_timeout_s bounds how long a stop takes; nothing of the half instance is left."""
    home = node_folder(tmp_path, [SENDER], tables={"node": "drain_timeout_s = 0.5"}, models=())
    home.write()
    node, instance = start(home), ct("1.2.3.1")
    with RawPeer(node.port).associate() as peer:
        peer.fragment(LAST_COMMAND, store_request(b"1.2.3.1"))
        peer.fragment(DATASET, instance.dataset[:1000])
        node.process.process.terminate()
        assert peer.ending() == ABORTED
        assert node.process.process.wait(20) == 0
    assert not list((home.data / "incoming").iterdir())


def test_a_second_sigterm_ends_it_at_once(tmp_path: Path, node_folder: MakeFolder) -> None:
    """Even while a peer that says nothing keeps a delivery waiting."""
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        peer = Peer("pacs", "PACS", silent.getsockname()[1], gets_reports=True)
        home = node_folder(tmp_path, [SENDER, peer])
        home.write()
        node = start(home)
        assert _store(node.port, radiograph()) == 0x0000
        node.wait_said("report composed")
        wait_until(lambda: any(row["state"] == "running" for row in home.listing("deliveries")), 90, "the sending")
        node.process.process.terminate()
        wait_until(lambda: "draining" in node.process.errors(), 20, "the drain")
        node.process.process.terminate()
        assert node.process.process.wait(10) == 1


def test_two_nodes_with_folders_of_their_own_do_not_share_a_database(tmp_path: Path, postgres_url: str) -> None:
    """The second would take over work whose files it does not have."""
    homes = [NodeFolder(tmp_path / name, [SENDER], database=postgres_url) for name in ("one", "two")]
    for home in homes:
        home.write()
    with serving(homes[0]):
        assert "another node works on this database" in _refused(homes[1]).stderr


@pytest.mark.database("sqlite", reason="a database of PostgreSQL is no file")
def test_a_file_that_is_no_database_is_one_clear_line_from_every_verb(home: NodeFolder) -> None:
    """Also from `check`, which goes on with its other lines."""
    home.data.mkdir()
    (home.data / "node.db").write_bytes(os.urandom(8192))
    for verb in ("serve", "studies", "migrate"):
        assert "is damaged or is no SQLite database" in _refused(home, verb).stderr
    shown = _refused(home, "check").stdout
    assert "fault database" in shown
    assert "peer pacs" in shown


@pytest.mark.database("any")
def test_another_programs_database_is_left_alone(tmp_path: Path, empty_url: str) -> None:
    """Twelve tables of ours beside theirs would please nobody."""
    home = NodeFolder(tmp_path, [SENDER], database=empty_url)
    home.write()
    _execute(home, "CREATE TABLE theirs (id INTEGER)")
    for verb in ("serve", "migrate"):
        assert "tables of another program (theirs)" in _refused(home, verb).stderr
    assert _tables(home) == ["theirs"]


def test_the_quiet_period_survives_a_kill(home: NodeFolder) -> None:
    """The time stands in the row: a study received before SIGKILL is reported after the restart, once."""
    home = replace(home, quiet_period_s=5)
    home.write()
    node = start(home)
    assert _store(node.port, radiograph()) == 0x0000
    node.process.kill()
    second = start(home)
    try:
        second.wait_said("report composed")
        assert home.listing("studies")[0]["state"] == "reported"
        assert len(home.listing("deliveries")) == 1
    finally:
        second.process.kill()


def test_a_peer_that_is_down_keeps_its_delivery_waiting_and_says_so(home: NodeFolder) -> None:
    """In `deliveries` and in `check`."""
    with serving(home) as node:
        assert _store(node.port, radiograph()) == 0x0000
        node.wait_said("work failed")
        wait_until(lambda: any(row["last_error"] for row in home.listing("deliveries")), 90, "a failed attempt")
        (delivery,) = home.listing("deliveries")
        assert delivery["state"] in {"waiting", "running"}
        assert "refused" in delivery["last_error"]
        assert "fault peer pacs" in home.run("check").stdout


def test_the_json_of_every_listing_has_the_documented_keys(home: NodeFolder) -> None:
    """With a job in its quiet period, and later a delivery that waits."""
    home = replace(home, quiet_period_s=8)
    with serving(home) as node:
        assert _store(node.port, radiograph()) == 0x0000
        for verb in ("queue", "studies", "instances", "models"):
            assert set(home.listing(verb)[0]) == set(documented_json_keys(verb)), verb
        node.wait_said("report composed")
        assert set(home.listing("deliveries")[0]) == set(documented_json_keys("deliveries"))
        (study,) = home.listing("studies", "1.2.3")
        assert set(study) == {*documented_json_keys("studies"), *documented_json_keys("studies UID")}


def test_the_node_works_on_postgresql_by_url_alone(tmp_path: Path, empty_postgres_url: str) -> None:
    """An empty database is migrated by command, and the main job is the same."""
    home = NodeFolder(tmp_path, [SENDER, NOBODY_LISTENS], database=empty_postgres_url)
    home.write()
    assert "run `pacs-node migrate`" in _refused(home).stderr
    assert home.run("migrate").returncode == 0
    node = start(home)
    try:
        assert _store(node.port, radiograph()) == 0x0000
        node.wait_said("report composed")
        assert home.listing("studies")[0]["state"] == "reported"
        assert len(home.listing("deliveries")) == 1
        assert not (home.data / "node.db").exists()
    finally:
        assert node.process.terminate() == 0


def test_send_stores_files_and_says_what_was_not(home: NodeFolder, tmp_path: Path) -> None:
    """Folders and zips are searched; what is not DICOM is counted."""
    folder = tmp_path / "files"
    folder.mkdir()
    for name in ("CT_small.dcm", "MR_small.dcm"):
        (folder / name).write_bytes(sample_file(name).read_bytes())
    (folder / "notes.txt").write_text("not DICOM", encoding="utf-8")
    with serving(home) as node:
        text = home.configuration.read_text(encoding="utf-8").replace('ae_title = "PACSNODE"', 'ae_title = "MODALITY"')
        other = tmp_path / "sender.toml"
        other.write_text(text, encoding="utf-8")
        command = [sys.executable, "-m", "node", "--config", str(other), "send", str(folder)]
        command += ["--to", f"PACSNODE@127.0.0.1:{node.port}"]
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=CHECKOUT, env=os.environ)
        assert done.returncode == 0, done.stderr
        assert "2 stored, 0 not stored, 1 not DICOM" in done.stdout
        assert len(home.run("instances").stdout.split()) == 2


def test_a_launch_that_fails_leaves_the_folder_to_the_next(home: NodeFolder) -> None:
    """The lock goes with the process."""
    first = launch(home)
    first.kill()
    with serving(home) as node:
        assert _store(node.port, radiograph()) == 0x0000
