"""The label loop through the node as a process: studies and labels by C-STORE, the rest by its command line."""

import contextlib
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from pydicom import Dataset

from node.dicom.samples.wrap import Subject, wrap_as_dx
from node.store.database import Database
from node.store.learning import splits
from tests.support.databases.kinds import MakeFolder
from tests.support.databases.rows import rows_in
from tests.support.learning.labelled_zip import write_zip
from tests.support.learning.site import SALT, TINY, chest, sides_of
from tests.support.models.recipes import write_recipe
from tests.support.nodes.process import AE_TITLE, Node, NodeFolder, Peer, serving_as_written
from tests.support.objects import labels
from tests.support.objects.notes import file_of
from tests.support.waiting import wait_until

PATIENTS = 30
FORMS: tuple[Callable[[bool, str, str], Dataset], ...] = (
    lambda ill, image, uid: labels.weasis("pneumonia" if ill else "no pneumonia", [image], uid),
    lambda ill, image, uid: labels.standard("113000", "肺炎" if ill else "未见肺炎", [image], uid),
    lambda ill, image, uid: labels.ohif("Pneumonia" if ill else "No pneumonia", [image], uid),
    lambda ill, image, uid: labels.coded(labels.PRESENT if ill else labels.ABSENT, images=[image], uid=uid),
)


def test_what_readers_mark_becomes_a_challenger_with_a_verdict_and_nothing_serves_by_itself(
    tmp_path: Path, node_folder: MakeFolder
) -> None:
    """Key Objects and reports of four viewers are labels; a training is asked for, judged, and waits in shadow."""
    write_recipe(tmp_path / "tiny.toml", TINY)
    write_zip(
        tmp_path / "old", {"train": [(n, n % 2) for n in range(200, 248)], "val": [(n, n % 2) for n in range(300, 314)]}
    )
    tables = {"retrain": 'recipe = "./tiny.toml"\nreplay = ["old"]', "gate": "draws = 200"}
    home = node_folder(tmp_path, [Peer("reader", "READER", 104, may_send=True)], tables=tables)
    _mint(home)
    with serving_as_written(home) as node:
        _send(node, _studies(tmp_path / "studies"))
        _send(node, _labels(tmp_path / "labels"))
        wait_until(lambda: _labelled(home) == PATIENTS, 60, "labels")
        rows = home.listing("labels", "--limit", "0")
        assert {row["source_kind"] for row in rows} == {"key_object", "report"}
        assert sum(row["present"] for row in rows) == PATIENTS // 2

        assert home.run("retrain", "--now").returncode == 0
        node.wait_said("training done")
        (run,) = home.listing("retrain")
        assert (run["state"], run["verdict"]) == ("done", "shadow"), run["reason"]
        refused = home.run("models", "promote", "starter", run["version"], "--by", "Ada")
        assert refused.returncode == 1
        assert "the gate's verdict is shadow" in " ".join(refused.stderr.split())


def _mint(home: NodeFolder) -> None:
    """Write the folder and let sides be those of the tests, each with patients of both kinds.

    It is done before the node starts: the first start mints a salt where there is none.
    """
    sides = sides_of([f"PAT{number}" for number in range(1, PATIENTS + 1)])
    assert all(len({int(patient[3:]) % 2 for patient in some}) == 2 for some in sides.values())
    home.write()
    assert home.run("migrate").returncode == 0
    with contextlib.closing(Database.open(home.url)) as database:
        assert database.write(lambda tx: splits.mint(tx, SALT, datetime.now(UTC))) == bytes.fromhex(SALT)


def _labelled(home: NodeFolder) -> int:
    """Return how many labels there are; the verb would take the processors from the node, again and again."""
    return int(rows_in(home.url, "SELECT count(*) FROM labels")[0][0])


def _send(node: Node, folder: Path) -> None:
    done = node.home.run("send", str(folder), "--to", f"{AE_TITLE}@127.0.0.1:{node.port}", "--from", "READER")
    assert f"{PATIENTS} stored" in done.stdout, done.stdout + done.stderr


def _studies(folder: Path) -> Path:
    folder.mkdir()
    for number in range(1, PATIENTS + 1):
        study = f"1.2.826.7.{number}"
        subject = Subject(f"PAT{number}", f"Name^{number}", study, f"{study}.1", f"{study}.1.1", patient_age="003Y")
        (folder / f"{number}.dcm").write_bytes(wrap_as_dx(chest(number, ill=number % 2 == 0), subject))
    return folder


def _labels(folder: Path) -> Path:
    folder.mkdir()
    for number in range(1, PATIENTS + 1):
        study = f"1.2.826.7.{number}"
        said = FORMS[number // 2 % len(FORMS)](number % 2 == 0, f"{study}.1.1", f"1.2.826.8.{number}")
        said.StudyInstanceUID, said.PatientID, said.PatientName = study, f"PAT{number}", f"Name^{number}"
        (evidence,) = said.CurrentRequestedProcedureEvidenceSequence
        evidence.StudyInstanceUID = study
        evidence.ReferencedSeriesSequence[0].SeriesInstanceUID = f"{study}.1"
        (folder / f"{number}.dcm").write_bytes(file_of(said))
    return folder
