"""A backup that is taken while others write: it is of one moment, and nothing of it is half there."""

import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import text

from models.bundle.place import appearing_at_once
from node.config import Settings
from node.pipeline.keeping.backup import backup
from node.pipeline.keeping.restore import restore
from node.store.database import Database
from node.store.disk import paths
from tests.support.houses.house import House, radiograph


def test_a_backup_is_of_one_moment_while_instances_come_in(
    house: House, here: Settings, elsewhere: Callable[[], Settings], safe: Path
) -> None:
    """Every row of it has its file; none of what came later is half there."""
    stop, count = threading.Event(), 0

    def receive() -> None:
        nonlocal count
        while not stop.is_set() and count < 500:
            count += 1
            house.receive(radiograph(study_instance_uid=f"1.3.{count}", sop_instance_uid=f"1.3.{count}.1"))

    receiving = threading.Thread(target=receive)
    receiving.start()
    try:
        while count < 5:
            stop.wait(0.01)
        backup(here, safe, house.clock())
    finally:
        stop.set()
        receiving.join()
    there = elsewhere()
    restore(there, safe, house.clock())
    database = Database.open(there.database.url)
    named = database.read(lambda tx: [one.path for one in paths.in_order(tx)])
    stored = database.read(lambda tx: tx.connection().execute(text("SELECT count(*) FROM instances")).scalar_one())
    database.close()
    assert stored == len(named) >= 4  # the fifth may be on its way
    assert all((there.node.data_dir / path).is_file() for path in named)
    assert sorted(str(path.relative_to(there.node.data_dir)) for path in there.node.data_dir.rglob("*.dcm")) == named


@pytest.mark.database("sqlite")
def test_a_backup_leaves_out_what_is_still_being_written_and_can_be_restored(
    house: House, here: Settings, elsewhere: Callable[[], Settings], safe: Path
) -> None:
    """A bundle that is copied meanwhile, and pixels of an image: a link to either would grow after its digest."""
    kept = house.folder / "training/kept/train"
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
    place = elsewhere()
    restore(place, safe, house.clock())
    there = place.node.data_dir
    assert not (there / "shipped").exists()
    assert [path.name for path in (there / "training").rglob("*") if path.is_file()] == ["0.npz"]
