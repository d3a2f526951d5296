"""A backup of a node that receives, reads and reports; restored, the node goes on and tells nobody anything new."""

import threading
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np

from node.dicom.samples.wrap import Subject, wrap_as_dx
from node.domain.lifecycle import State
from node.network.incoming import IncomingInstance, gathered
from node.network.scp import ScpSettings, StorageSCP
from node.pipeline.intake.missing import missing
from node.runtime.clock import utc_now
from node.store.database import Database
from node.store.listing import views
from tests.support.databases.kinds import MakeFolder
from tests.support.nodes.process import MODALITY, NodeFolder, Peer, serving
from tests.support.waiting import wait_until

_STUDIES = 8


def _write_studies(folder: Path) -> Path:
    folder.mkdir()
    random = np.random.default_rng(1)
    for number in range(_STUDIES):
        study = f"1.2.826.0.1.{number + 1}"
        subject = Subject(f"P{number}", "Doe^Jane", study, f"{study}.1", f"{study}.1.1", patient_age="003Y")
        pixels = random.integers(0, 4096, (256, 256)).astype(np.uint16)
        (folder / f"{number}.dcm").write_bytes(wrap_as_dx(pixels, subject))
    return folder


def _deliveries(home: NodeFolder) -> list[dict[str, Any]]:
    with closing(Database.open(home.url)) as database:
        return database.read(lambda tx: views.deliveries(tx, tuple(State)))


def _wait_settled(home: NodeFolder) -> None:
    """Wait until nothing is open, without a command each time."""
    with closing(Database.open(home.url)) as database:
        open_work = (State.WAITING, State.RUNNING)
        wait_until(
            lambda: not database.read(lambda tx: [*views.jobs(tx, open_work), *views.deliveries(tx, open_work)]),
            60,
            "the end of all open work",
        )


def test_a_backup_of_a_busy_node_goes_on_where_it_was_and_sends_nothing_new(
    tmp_path: Path, node_folder: MakeFolder
) -> None:
    """Every row has its file; every report that arrives is one that the first node has made, or makes the same."""
    got: list[IncomingInstance] = []
    lock = threading.Lock()

    def keep(came: IncomingInstance) -> int:
        with lock:
            got.append(came)
        return 0x0000

    pacs = StorageSCP(ScpSettings("PACS", "127.0.0.1", 0, accept_any_calling_ae=True), gathered(keep), lambda _: None)
    port = pacs.start()
    peers = [MODALITY, Peer("pacs", "PACS", port, gets_reports=True)]
    first = node_folder(tmp_path / "first", peers, quiet_period_s=0.2)
    second = node_folder(tmp_path / "second", peers, quiet_period_s=0.2)
    files, safe = _write_studies(tmp_path / "files"), tmp_path / "safe"
    try:
        with serving(first) as node:
            target = ("--to", f"PACSNODE@127.0.0.1:{node.port}", "--from", "MODALITY")
            sending = threading.Thread(target=first.run, args=("send", str(files), *target))
            sending.start()
            wait_until(lambda: len(got) >= 3, 60, "the first reports")
            assert first.run("backup", str(safe)).returncode == 0
            sending.join()
            _wait_settled(first)
        by_then = {came.sop_instance_uid for came in got}
        second.write()
        restored = second.run("restore", str(safe))
        assert restored.returncode == 0, restored.stderr
        sent_before = {row["sop_instance_uid"] for row in _deliveries(second) if row["state"] == "done"}
        with serving(second):
            _wait_settled(second)
        with closing(Database.open(second.url)) as database:
            lost = database.read(lambda tx: list(missing(tx, second.data)))
            studies = database.read(lambda tx: views.studies(tx, None, now=utc_now()))
    finally:
        pacs.stop()
    times = Counter(came.sop_instance_uid for came in got)
    assert set(times) == by_then  # no report that the first node did not make
    assert all(times[uid] == 1 for uid in sent_before)
    assert len(by_then) == _STUDIES
    assert lost == []
    assert len(studies) >= len(sent_before) >= 1
    assert {study["state"] for study in studies} == {"reported"}
