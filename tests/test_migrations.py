"""The migrations make exactly the tables that the code describes, and can be taken back."""

import ast
import shutil
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, MetaData, Table, create_engine, inspect, text

from node.domain.errors import OperatorError
from node.store import schema
from node.store.database import Database, DatabaseUnavailable
from node.store.tables import image_tables as _image_tables  # noqa: F401 - its tables join the metadata
from node.store.tables import label_tables as _label_tables  # noqa: F401 - its tables join the metadata
from node.store.tables import learning_tables as _learning_tables  # noqa: F401 - its tables join the metadata
from node.store.tables import monitoring_tables as _monitoring_tables  # noqa: F401 - its tables join the metadata
from node.store.tables import operation_tables as _operation_tables  # noqa: F401 - its tables join the metadata
from node.store.tables import result_tables as _result_tables  # noqa: F401 - its tables join the metadata
from node.store.tables import version_tables as _version_tables  # noqa: F401 - its tables join the metadata
from node.store.tables import work_tables as _work_tables  # noqa: F401 - its tables join the metadata
from node.store.tables.base import Base

ROOT = Path(__file__).resolve().parents[1]


def _described(connection: Connection) -> dict[str, object]:
    """Return everything that a database says of its tables, in an order of its own."""
    inspector = inspect(connection)
    return {
        table: {
            "columns": sorted((c["name"], str(c["type"]), c["nullable"]) for c in inspector.get_columns(table)),
            "primary key": inspector.get_pk_constraint(table),
            "unique": sorted((u["name"], u["column_names"]) for u in inspector.get_unique_constraints(table)),
            "checks": sorted((c["name"], c["sqltext"]) for c in inspector.get_check_constraints(table)),
            "references": sorted(
                (f["name"], f["constrained_columns"], f["referred_table"], f["referred_columns"])
                for f in inspector.get_foreign_keys(table)
            ),
            "indices": sorted((i["name"], i["column_names"], i["unique"]) for i in inspector.get_indexes(table)),
        }
        for table in inspector.get_table_names()
        if table != "alembic_version"
    }


def _tables(url: str) -> set[str]:
    engine = create_engine(url)
    tables = set(inspect(engine).get_table_names())
    engine.dispose()
    return tables


def test_alembic_finds_nothing_to_add(empty_url: str) -> None:
    """Whoever changes a table and forgets the migration is told here."""
    schema.upgrade(empty_url)
    engine = create_engine(empty_url)

    with engine.connect() as connection:
        differences = compare_metadata(MigrationContext.configure(connection), Base.metadata)
    engine.dispose()

    assert differences == []


def test_the_migrated_schema_is_the_described_one_to_the_letter(empty_url: str, tmp_path: Path) -> None:
    """Names, types, CHECK constraints, references and indices: more than Alembic compares."""
    engine = create_engine(empty_url)
    with engine.begin() as connection:
        Base.metadata.create_all(connection)
        described = _described(connection)
        Base.metadata.drop_all(connection)
    schema.upgrade(empty_url)

    with engine.connect() as connection:
        migrated = _described(connection)
    engine.dispose()

    assert migrated == described


def test_every_revision_can_be_taken_back_and_made_again(empty_url: str) -> None:
    """Up, down to nothing, and up: step by step over every revision."""
    revisions = [script.revision for script in _scripts().walk_revisions()][::-1]
    for revision in revisions:
        schema.upgrade(empty_url, revision)
        assert schema.current(empty_url) == revision

    for revision in [*revisions[:-1][::-1], "base"]:
        schema.downgrade(empty_url, revision)
        assert schema.current(empty_url) == (None if revision == "base" else revision)
    assert _tables(empty_url) <= {"alembic_version"}

    schema.upgrade(empty_url)
    assert schema.current(empty_url) == schema.head()


_HEADERS = {
    "1.1": {"synthetic": True},
    "1.2": {"synthetic": False},
    "1.3": {},
    "1.4": {"synthetic": False},
    "1.5": {"was_synthetic": True},
}
_COPY_OF = "1.4"


def _fill(url: str) -> None:
    """Store instances as revision 0001 keeps them, and a quarantined copy that says that it is synthetic."""
    with _closed_engine(url) as engine, engine.begin() as connection:
        tables = MetaData()
        tables.reflect(connection)
        values = {"header": {}, "turned_away": {}, "size_bytes": 1, "kind": "image", "received_at": datetime.now(UTC)}
        study = _row(tables.tables["studies"], {"first_received_at": datetime.now(UTC)})
        connection.execute(tables.tables["studies"].insert(), study)
        for uid, header in _HEADERS.items():
            row = _row(tables.tables["instances"], values | {"sop_instance_uid": uid, "header": header})
            connection.execute(tables.tables["instances"].insert(), row)
        copy = values | {"sop_instance_uid": _COPY_OF, "kind": "quarantined", "header": {"synthetic": True}, "id": 1}
        connection.execute(tables.tables["instance_copies"].insert(), _row(tables.tables["instance_copies"], copy))


def _row(table: Table, values: dict[str, object]) -> dict[str, object]:
    """Return a row of this table with these values, and text in all other columns that need any."""
    needed = {column.name: "1" for column in table.columns if not column.nullable}
    return needed | {name: value for name, value in values.items() if name in table.columns}


@contextmanager
def _closed_engine(url: str) -> Iterator[Engine]:
    """Yield an engine that lets go of the database at the end."""
    engine = create_engine(url)
    yield engine
    engine.dispose()


def _synthetic(url: str) -> set[str]:
    with _closed_engine(url) as engine, engine.connect() as connection:
        return set(connection.scalars(text("SELECT sop_instance_uid FROM instances WHERE synthetic")))


def test_what_is_known_to_be_synthetic_is_so_after_an_upgrade_and_a_downgrade(empty_url: str) -> None:
    """From the header that counts, from a copy's, and from the note of a downgrade; what says nothing is real."""
    schema.upgrade(empty_url, "0001")
    _fill(empty_url)
    schema.upgrade(empty_url)
    assert _synthetic(empty_url) == {"1.1", "1.4", "1.5"}

    with _closed_engine(empty_url) as engine, engine.begin() as connection:  # marked by a copy that was not kept
        connection.execute(text("UPDATE instances SET synthetic = true WHERE sop_instance_uid = '1.2'"))
    schema.downgrade(empty_url, "0001")
    schema.upgrade(empty_url)

    assert _synthetic(empty_url) == {"1.1", "1.2", "1.4", "1.5"}


def test_upgrading_twice_is_harmless(empty_url: str) -> None:
    """`migrate` on a database that is up to date changes nothing."""
    schema.upgrade(empty_url)
    schema.upgrade(empty_url)

    assert schema.current(empty_url) == schema.head()


def test_two_that_migrate_at_once_do_not_disturb_each_other(empty_url: str) -> None:
    """One does it, the other waits and finds it done."""
    together = threading.Barrier(2)

    def migrate() -> None:
        together.wait(10)
        schema.upgrade(empty_url)

    with ThreadPoolExecutor(2) as pool:
        for done in [pool.submit(migrate) for _ in range(2)]:
            done.result(60)

    schema.check(empty_url)


def test_a_migration_that_fails_leaves_the_database_as_it_was(empty_url: str) -> None:
    """On both databases the whole upgrade is one transaction."""
    engine = create_engine(empty_url)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE deliveries (id INTEGER)"))  # the last of the tables is in the way

    with pytest.raises(Exception, match="deliveries"):
        schema.upgrade(empty_url)

    assert inspect(engine).get_table_names() == ["deliveries"]
    engine.dispose()


def test_a_database_without_a_schema_is_told_what_to_run(empty_url: str) -> None:
    """The message names what is there, what is needed and the command."""
    with pytest.raises(OperatorError, match=rf"empty, this program needs {schema.head()}: run `pacs-node migrate`"):
        schema.check(empty_url)


def test_a_database_of_a_newer_program_is_not_touched(empty_url: str) -> None:
    """Going on could lose what this program does not know."""
    schema.upgrade(empty_url)
    engine = create_engine(empty_url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    engine.dispose()

    with pytest.raises(OperatorError, match=r"revision 9999, which is newer than this program.s .*update pacs-node"):
        schema.prepare(empty_url)


def test_an_older_revision_is_named_with_the_command(empty_url: str) -> None:
    """As an operator sees it who has updated the program and not the database."""
    schema.upgrade(empty_url, "0001")
    command = f"at revision 0001, this program needs {schema.head()}: run `pacs-node migrate`"

    with pytest.raises(OperatorError, match=command):
        schema.check(empty_url)


def test_a_first_start_on_sqlite_needs_no_command(tmp_path: Path) -> None:
    """An empty or absent file is given its schema; a PostgreSQL database is left to `migrate`."""
    url = f"sqlite:///{tmp_path}/var/node.db"

    schema.prepare(url)

    schema.check(url)
    Database.open(url).close()


def test_an_empty_postgresql_database_is_left_to_the_operator(empty_postgres_url: str) -> None:
    """It may be shared, so that a start alone does not write to it."""
    with pytest.raises(OperatorError, match="pacs-node migrate"):
        schema.prepare(empty_postgres_url)


def test_looking_at_a_missing_file_does_not_make_it(tmp_path: Path) -> None:
    """`check` changes nothing."""
    assert schema.current(f"sqlite:///{tmp_path / 'node.db'}") is None

    assert list(tmp_path.iterdir()) == []


def test_a_server_that_is_not_there_is_unavailable(tmp_path: Path) -> None:
    """Which is not the same as a wrong revision."""
    with pytest.raises(DatabaseUnavailable):
        schema.check(f"postgresql+psycopg://pacs@/node?host={tmp_path}")


def test_the_revisions_form_one_line() -> None:
    """One base, one head, no branches; the numbers follow each other."""
    scripts = _scripts()
    revisions = [script.revision for script in scripts.walk_revisions()][::-1]

    assert len(scripts.get_heads()) == len(scripts.get_bases()) == 1
    assert revisions == [f"{number:04}" for number in range(1, len(revisions) + 1)]


def test_no_revision_imports_the_node() -> None:
    """A revision means for ever what it meant when it was written."""
    for file in (ROOT / "migrations").rglob("*.py"):
        for statement in ast.walk(ast.parse(file.read_text())):
            names = [alias.name for alias in statement.names] if isinstance(statement, ast.Import) else []
            names += [statement.module or ""] if isinstance(statement, ast.ImportFrom) else []
            assert not [name for name in names if name.split(".")[0] in {"node", "models"}], file


def test_a_revision_is_named_as_its_file_begins_and_the_highest_is_the_newest() -> None:
    """A start reads the names alone: it has no use for Alembic, which takes longer to load."""
    assert schema._known_revisions() == {script.revision for script in _scripts().walk_revisions()}
    assert schema.head() == _scripts().get_current_head()


def test_the_wheel_brings_its_migrations_along(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Installed without a checkout they lie in the package, and are taken from there."""
    package = tmp_path / "node"
    shutil.copytree(ROOT / "migrations", package / "_migrations")
    monkeypatch.setattr(schema.node, "__file__", str(package / "__init__.py"))

    schema.upgrade(f"sqlite:///{tmp_path / 'node.db'}")

    assert schema._migrations() == package / "_migrations"
    assert _tables(f"sqlite:///{tmp_path / 'node.db'}") >= set(Base.metadata.tables)


def _scripts() -> ScriptDirectory:
    return ScriptDirectory(str(ROOT / "migrations"))
