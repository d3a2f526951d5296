"""Backup and restore: every row, file and report identity, of one moment, while others write."""

import errno
import json
import os
import shutil
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from sqlalchemy import text

from node.config import Settings
from node.domain.backup_manifest import FORMAT
from node.domain.errors import OperatorError
from node.pipeline.intake import quarantine_decisions
from node.pipeline.intake.missing import missing
from node.pipeline.keeping.backup import DATA, DIGESTS, MANIFEST, backup
from node.pipeline.keeping.restore import restore
from node.store.database import Database
from node.store.disk.files import InstanceFiles
from node.store.sending import outbox
from node.store.tables.base import Base
from tests.support.houses.house import PIXELS, House, radiograph
from tests.support.houses.line import Line

Elsewhere = Callable[[], Settings]


def _reported(house: House, count: int = 3) -> Line:
    line = Line(house)
    for number in range(count):
        house.receive(radiograph(study_instance_uid=f"1.2.{number}", sop_instance_uid=f"1.2.{number}.1"))
    line.report()
    return line


def _rows(url: str) -> dict[str, list[tuple[Any, ...]]]:
    """Return every row of every table, in an order of its own."""
    database = Database.open(url)
    try:
        return {
            table.name: sorted(
                database.read(
                    lambda tx, table=table: [
                        tuple(map(repr, row))
                        for row in tx.connection().execute(text(f"SELECT * FROM {table.name}"))  # noqa: S608
                    ]
                )
            )
            for table in Base.metadata.sorted_tables
        }
    finally:
        database.close()


def test_a_backup_brings_back_every_row_and_every_file(
    house: House, here: Settings, elsewhere: Elsewhere, safe: Path
) -> None:
    """Reports with their bytes and UIDs; the numbers of rows go on after the highest."""
    line = _reported(house)
    backup(here, safe, house.clock())
    before = _rows(house.url)  # with the salt that the first backup mints
    there = elsewhere()
    said = restore(there, safe, house.clock())
    assert [folder.stat().st_mode & 0o077 for folder in (safe, there.node.data_dir)] == [0, 0]
    assert said.startswith("3 files and the database")
    assert _rows(there.database.url) == before
    for path in house.files.kept():
        assert (there.node.data_dir / path).read_bytes() == (house.folder / path).read_bytes()
    database = Database.open(there.database.url)
    assert database.read(lambda tx: list(missing(tx, there.node.data_dir))) == []
    (delivery, *_) = line.house.rows("SELECT max(analysis_id), max(rendition_id) FROM deliveries")
    again = database.write(lambda tx: outbox.add(tx, delivery[0], "another", delivery[1], house.clock()))
    assert again  # its number is one that no row has
    database.close()


def test_a_number_that_was_settled_before_a_backup_is_not_given_after_it(
    house: House, here: Settings, elsewhere: Elsewhere, safe: Path
) -> None:
    """The quarantine's, which operators type: the highest that was given counts, not the highest that is there."""
    other = radiograph(np.flipud(PIXELS).copy())
    assert [house.receive(radiograph()), house.receive(other)] == [0x0000, 0x0111]
    ((noted,),) = house.rows("SELECT id FROM instance_copies")
    quarantine_decisions.discard(here, noted, "tech", house.clock())
    backup(here, safe, house.clock())
    there = elsewhere()
    restore(there, safe, house.clock())
    with closing(Database.open(there.database.url)) as database:
        folder = there.node.data_dir
        restored = House(database, InstanceFiles(folder), folder, there.database.url)
        assert restored.receive(other) == 0x0111
        ((number,),) = restored.rows("SELECT id FROM instance_copies")
    assert number > noted


def test_a_backup_brings_back_what_was_learnt_and_no_half_done_training(
    house: House, here: Settings, safe: Path, elsewhere: Elsewhere
) -> None:
    """Kept pixels, locked sets, bundles and verdicts; what a training under way has written is made again."""
    learnt = (
        "training/kept/train/1.npz",
        "training/locked/first-v1/2.npz",
        "bundles/starter-7/manifest.json",
        "gate/7/result.json",
    )
    for name in (*learnt, "training/runs/8/half.npz"):
        (house.folder / name).parent.mkdir(parents=True, exist_ok=True)
        (house.folder / name).write_text(name)
    backup(here, safe, house.clock())
    there = elsewhere()
    restore(there, safe, house.clock())
    assert [name for name in learnt if (there.node.data_dir / name).read_text() != name] == []
    assert not (there.node.data_dir / "training/runs").exists()


def test_where_files_cannot_be_linked_a_backup_asks_for_room_first(
    house: House, here: Settings, safe: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One device may have no links all the same; where there is room, files are copied."""

    def refused(*_: object) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    _reported(house)
    monkeypatch.setattr(os, "link", refused)
    with monkeypatch.context() as full:
        full.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=0))
        with pytest.raises(OperatorError, match="has 0 MB free, and the files need"):
            backup(here, safe, house.clock())
    assert backup(here, safe, house.clock()).startswith("backup of 3 files")


def test_a_damaged_backup_is_refused_with_what_is_damaged(
    house: House, here: Settings, elsewhere: Elsewhere, safe: Path
) -> None:
    """And nothing is restored."""
    _reported(house)
    backup(here, safe, house.clock())
    (first, second, *_) = sorted((safe / DATA).rglob("*.dcm"))
    content = first.read_bytes()
    first.unlink()  # it is linked with the node's own
    first.write_bytes(content[:-1] + b"\1")
    second.unlink()
    there = elsewhere()
    with pytest.raises(OperatorError, match=rf"{first.name} has other bytes, .*{second.name} is missing"):
        restore(there, safe, house.clock())
    assert not there.node.data_dir.exists()
    (safe / DIGESTS).write_text("", encoding="utf-8")
    with pytest.raises(OperatorError, match="is not the list that it was made with"):
        restore(there, safe, house.clock())
    (safe / MANIFEST).write_text("{", encoding="utf-8")
    with pytest.raises(OperatorError, match=r"manifest\.json is damaged"):
        restore(there, safe, house.clock())
    with pytest.raises(OperatorError, match=r"is no backup"):
        restore(there, house.folder, house.clock())


def _claiming(safe: Path, **changed: Any) -> Path:
    """Return a copy of a backup that says something else of itself."""
    other = Path(shutil.copytree(safe, safe.with_name(f"claiming-{len(list(safe.parent.iterdir()))}")))
    said = json.loads((other / MANIFEST).read_text(encoding="utf-8"))
    (other / MANIFEST).write_text(json.dumps(said | changed), encoding="utf-8")
    return other


def test_a_backup_goes_into_an_empty_place_of_its_kind_alone(
    house: House, here: Settings, elsewhere: Elsewhere, safe: Path
) -> None:
    """Never over a node that has something, nor by a program that is older than it."""
    _reported(house, 1)
    backup(here, safe, house.clock())
    with pytest.raises(OperatorError, match="is not empty"):
        restore(here, safe, house.clock())
    other = here.node.model_copy(update={"data_dir": safe.parent / "other"})
    with pytest.raises(OperatorError, match=r"database .*(is there already|is not empty)"):
        restore(here.model_copy(update={"node": other}), safe, house.clock())
    there = elsewhere()
    with pytest.raises(OperatorError, match=r"newer than this program's .* update pacs-node"):
        restore(there, _claiming(safe, revision="9999"), house.clock())
    with pytest.raises(OperatorError, match="backup of a newer pacs-node"):
        restore(there, _claiming(safe, format=FORMAT + 1), house.clock())
    other_kind = "postgresql" if house.url.startswith("sqlite") else "sqlite"
    with pytest.raises(OperatorError, match=f"the backup is of a {other_kind} database"):
        restore(there, _claiming(safe, kind=other_kind), house.clock())
    with pytest.raises(OperatorError, match="is there already: name a new folder"):
        backup(here, safe, house.clock())
    restore(there, safe, house.clock())


def test_a_file_that_was_lost_before_is_told_and_the_rest_is_kept(
    house: House, here: Settings, elsewhere: Elsewhere, safe: Path
) -> None:
    """A backup of a node that has lost a file is better than none."""
    _reported(house)
    lost = next(house.files.kept())
    house.files.remove(lost)
    said = backup(here, safe, house.clock())
    assert "backup of 2 files" in said
    assert "1 files that rows name are gone" in said
    assert "1 files were gone already" in restore(elsewhere(), safe, house.clock())


def test_what_a_kill_has_left_of_a_backup_is_in_nobodys_way(house: House, here: Settings, safe: Path) -> None:
    """It has no manifest, and another name; the next one begins anew."""
    _reported(house, 1)
    left = safe.parent / ".safe.part"
    (left / DATA / "instances").mkdir(parents=True)
    (left / DATA / "instances" / "half.dcm").write_bytes(b"half")
    backup(here, safe, house.clock())
    assert not left.exists()
    assert not list((safe).rglob("half.dcm"))


def test_a_restore_that_was_broken_off_can_be_done_again(
    house: House, here: Settings, elsewhere: Elsewhere, safe: Path
) -> None:
    """Its tables are there and empty, its folder was emptied."""
    _reported(house, 1)
    there = elsewhere()
    backup(here, safe, house.clock())
    restore(there, safe, house.clock())
    before = _rows(there.database.url)
    database = Database.open(there.database.url)
    if house.url.startswith("sqlite"):
        database.close()
    else:
        names = ", ".join(table.name for table in Base.metadata.sorted_tables)
        database.write(lambda tx: tx.connection().execute(text(f"TRUNCATE {names}")))
        database.close()
    shutil.rmtree(there.node.data_dir)
    restore(there, safe, house.clock())
    assert _rows(there.database.url) == before
