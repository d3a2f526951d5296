"""A node that cannot start: one clear line of what is wrong, and what helps."""

import contextlib
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection, create_engine, inspect, text

from tests.support.houses.house import radiograph
from tests.support.nodes.process import CHECKOUT, MODALITY, NodeFolder, serving
from tests.support.nodes.refusing import refused, stored
from tests.support.programs.processes import free_port


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


def test_an_empty_configuration_is_exit_2_with_every_fault(home: NodeFolder) -> None:
    """For any verb that needs one."""
    home.configuration.write_text("", encoding="utf-8")
    for verb in ("serve", "check", "studies"):
        done = refused(home, verb)
        assert done.returncode == 2
        assert "[node]: missing" in done.stderr
        assert "[[peers]]: missing" in done.stderr


def test_no_configuration_is_exit_2_and_says_where_one_is_looked_for(home: NodeFolder) -> None:
    """The three places."""
    home.configuration.unlink()
    done = refused(home)
    assert done.returncode == 2
    assert "PACS_NODE_CONFIG" in done.stderr


def test_an_unknown_verb_is_exit_2(home: NodeFolder) -> None:
    """What is not built yet is unknown."""
    assert refused(home, "backfill").returncode == 2


def test_a_port_in_use_is_one_clear_line(home: NodeFolder) -> None:
    """With the way out."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        text = home.configuration.read_text(encoding="utf-8").replace("port = 0", f"port = {port}", 1)
        home.configuration.write_text(text, encoding="utf-8")
        done = refused(home)
    assert f"port {port}" in done.stderr
    assert "in use" in done.stderr


def test_a_second_node_on_the_same_data_folder_is_kept_out(home: NodeFolder) -> None:
    """And the first goes on."""
    with serving(home) as node:
        done = refused(home)
        assert "another node" in done.stderr
        assert "data_dir" in done.stderr
        assert stored(node.port, radiograph()) == 0x0000


def test_a_store_that_cannot_be_written_is_one_clear_line(home: NodeFolder) -> None:
    """A file where the data folder should be; permissions do not stop root."""
    home.data.write_text("in the way", encoding="utf-8")
    assert "cannot be written" in refused(home).stderr
    assert "fault store" in refused(home, "check").stdout


def test_a_database_of_another_schema_version_names_the_command_that_helps(home: NodeFolder) -> None:
    """An older one is migrated by command, a newer one needs a newer program."""
    assert home.run("migrate").returncode == 0
    _execute(home, "UPDATE alembic_version SET version_num = 'ffff'")
    assert "newer than this program" in refused(home).stderr
    assert "newer than this program" in refused(home, "migrate").stderr
    _execute(home, "DELETE FROM alembic_version", "CREATE TABLE unrelated (id INTEGER)")
    done = home.run("check")
    assert "pacs-node" in done.stdout


def test_a_database_that_cannot_be_reached_is_one_clear_line(tmp_path: Path) -> None:
    """A PostgreSQL server that is down."""
    home = NodeFolder(tmp_path, [MODALITY], database=f"postgresql+psycopg://nobody@127.0.0.1:{free_port()}/none")
    home.write()
    assert "database" in refused(home).stderr


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
    assert "classifier.npz" in refused(home).stderr


def test_two_nodes_with_folders_of_their_own_do_not_share_a_database(tmp_path: Path, postgres_url: str) -> None:
    """The second would take over work whose files it does not have."""
    homes = [NodeFolder(tmp_path / name, [MODALITY], database=postgres_url) for name in ("one", "two")]
    for home in homes:
        home.write()
    with serving(homes[0]):
        assert "another node works on this database" in refused(homes[1]).stderr


@pytest.mark.database("sqlite", reason="a database of PostgreSQL is no file")
def test_a_file_that_is_no_database_is_one_clear_line_from_every_verb(home: NodeFolder) -> None:
    """Also from `check`, which goes on with its other lines."""
    home.data.mkdir()
    (home.data / "node.db").write_bytes(os.urandom(8192))
    for verb in ("serve", "studies", "migrate"):
        assert "is damaged or is no SQLite database" in refused(home, verb).stderr
    shown = refused(home, "check").stdout
    assert "fault database" in shown
    assert "peer pacs" in shown


@pytest.mark.database("any")
def test_another_programs_database_is_left_alone(tmp_path: Path, empty_url: str) -> None:
    """Twelve tables of ours beside theirs would please nobody."""
    home = NodeFolder(tmp_path, [MODALITY], database=empty_url)
    home.write()
    _execute(home, "CREATE TABLE theirs (id INTEGER)")
    for verb in ("serve", "migrate"):
        assert "tables of another program (theirs)" in refused(home, verb).stderr
    assert _tables(home) == ["theirs"]
