"""A backup that is taken while what was learnt is being written: nothing of it is half there."""

from pathlib import Path

import pytest

from models.bundle.place import appearing_at_once
from node.config import Settings
from node.pipeline.keeping.backup import backup
from node.pipeline.keeping.restore import restore
from tests.support.houses.house import House


def _settings(folder: Path, url: str) -> Settings:
    return Settings.model_validate({"node": {"ae_title": "NODE", "data_dir": folder}, "database": {"url": url}})


@pytest.mark.database("sqlite")
def test_a_backup_leaves_out_what_is_still_being_written_and_can_be_restored(house: House, tmp_path: Path) -> None:
    """A bundle that is copied meanwhile, and pixels of an image: a link to either would grow after its digest."""
    here, there = _settings(house.folder, house.url), tmp_path / "restored"
    safe, kept = tmp_path / "safe", house.folder / "training/kept/train"
    kept.mkdir(parents=True)
    (kept / "0.npz").write_bytes(b"whole")
    with (
        appearing_at_once(house.folder / "shipped/starter-2") as folder,
        (folder / "classifier.tflite").open("wb") as bundle,
        (kept / ".1.npz.new").open("wb") as pixels,
    ):
        for file in (bundle, pixels):
            file.write(b"begun")
            file.flush()
        backup(here, safe, house.clock())
        for file in (bundle, pixels):
            file.write(b" and finished")
    restore(_settings(there, f"sqlite:///{there}/node.db"), safe, house.clock())
    assert not (there / "shipped").exists()
    assert [path.name for path in (there / "training").rglob("*") if path.is_file()] == ["0.npz"]
