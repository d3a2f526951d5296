"""The node as a process: what it says when it can, and when it cannot, start."""

import json
import os
import shutil
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from models.bundle.folder import file_digests, open_bundle, write_bundle
from node.store.database import Database
from node.store.disk.folder_lock import holder
from node.store.learning import splits
from tests.support.databases.kinds import MakeFolder
from tests.support.houses.house import radiograph
from tests.support.nodes.process import CHECKOUT, MODALITY, NodeFolder, launch, serving, start
from tests.support.nodes.refusing import NOBODY_LISTENS, refused, stored
from tests.support.objects.images import sample_file
from tests.support.objects.raw_dataset import ct
from tests.support.peers.raw_peer import ABORTED, DATASET, LAST_COMMAND, LAST_DATASET, RawPeer, store_request
from tests.support.waiting import wait_until
from tests.test_docs import documented_json_keys


def test_ready_is_one_line_on_stdout_and_sigterm_ends_it_with_success(home: NodeFolder) -> None:
    """Scripts wait for that line; logs go to stderr. Its lock tells `check` that it runs, and where.

    The salt of pseudonyms is there from the first start on, before any backup.
    """
    with serving(home) as node:
        lines = node.process.output().splitlines()
        assert lines == [f"ready ae=PACSNODE port={node.port} web=off models=starter:shadow"]
        node.wait_said("starter is in shadow")
        told = holder(home.data)
        assert told is not None
        assert (told.process, told.facts["port"]) == (node.process.pid, node.port)
        with closing(Database.open(home.url)) as database:
            assert database.read(splits.salt_of) is not None
    assert holder(home.data) is None


def test_the_process_that_receives_never_loads_tensorflow(home: NodeFolder) -> None:
    """Decoding and inference are a child's business; its death is not the node's."""
    with serving(home) as node:
        assert stored(node.port, radiograph()) == 0x0000
        node.wait_said("report composed")
        assert home.listing("studies")[0]["state"] == "reported"
        mapped = Path(f"/proc/{node.process.pid}/maps").read_text(encoding="utf-8")
        assert "tensorflow" not in mapped


def test_the_log_as_json_is_one_object_a_line(tmp_path: Path, node_folder: MakeFolder) -> None:
    """Also while the model is loaded, whose libraries like to talk."""
    home = node_folder(tmp_path, [MODALITY, NOBODY_LISTENS], tables={"log": 'format = "json"'})
    with serving(home) as node:
        assert stored(node.port, radiograph()) == 0x0000
        node.wait_said("report composed")
    lines = node.process.errors().splitlines()
    assert all("event" in json.loads(line) for line in lines), lines


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
        assert stored(node.port, radiograph()) == 0x0000
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
    home = node_folder(tmp_path, [MODALITY], tables={"node": "drain_timeout_s = 0.5"}, models=())
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
    """Even while an instance is under way, which the first one lets end."""
    home = node_folder(tmp_path, [MODALITY], models=())
    home.write()
    node, instance = start(home), ct("1.2.3.1")
    with RawPeer(node.port).associate() as peer:
        peer.fragment(LAST_COMMAND, store_request(b"1.2.3.1"))
        peer.fragment(DATASET, instance.dataset[:1000])
        node.process.process.terminate()
        node.wait_said("draining")
        node.process.process.terminate()
        assert node.process.process.wait(20) == 1


def test_the_quiet_period_survives_a_kill(home: NodeFolder) -> None:
    """The time stands in the row: a study received before SIGKILL is reported after the restart, once."""
    home = replace(home, quiet_period_s=5)
    home.write()
    node = start(home)
    assert stored(node.port, radiograph()) == 0x0000
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
        assert stored(node.port, radiograph()) == 0x0000
        node.wait_said("work failed")
        wait_until(lambda: any(row["last_error"] for row in home.listing("deliveries")), 90, "a failed attempt")
        (delivery,) = home.listing("deliveries")
        assert delivery["state"] in {"waiting", "running"}
        assert "refused" in delivery["last_error"]
        assert "fault peer pacs" in home.run("check").stdout


def test_the_json_of_every_listing_has_the_documented_keys(home: NodeFolder) -> None:
    """With a job in its quiet period, which an operator ends, and later a delivery that waits."""
    home = replace(home, quiet_period_s=600)
    with serving(home) as node:
        assert stored(node.port, radiograph()) == 0x0000
        for verb in ("queue", "studies", "instances", "models"):
            assert set(home.listing(verb)[0]) == set(documented_json_keys(verb)), verb
        assert home.run("studies", "1.2.3", "--complete").returncode == 0
        node.wait_said("report composed")
        assert set(home.listing("deliveries")[0]) == set(documented_json_keys("deliveries"))
        (study,) = home.listing("studies", "1.2.3")
        assert set(study) == {*documented_json_keys("studies"), *documented_json_keys("studies UID")}


def test_the_node_works_on_postgresql_by_url_alone(tmp_path: Path, empty_postgres_url: str) -> None:
    """An empty database is migrated by command, and the main job is the same."""
    home = NodeFolder(tmp_path, [MODALITY, NOBODY_LISTENS], database=empty_postgres_url)
    home.write()
    assert "run `pacs-node migrate`" in refused(home).stderr
    assert home.run("migrate").returncode == 0
    node = start(home)
    try:
        assert stored(node.port, radiograph()) == 0x0000
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
        assert stored(node.port, radiograph()) == 0x0000
