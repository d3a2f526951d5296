"""How long a PostgreSQL server may take: it ends a long statement itself, and a long answer is no silence."""

from contextlib import closing

import psycopg
import pytest
from sqlalchemy import make_url, text

from node.store.connection.patience import ImpatientConnection, ServerSilent
from node.store.database import Database, DatabaseUnavailable
from tests.support.databases.postgres import PostgresServer


def _connected(url: str, answer_within_s: float) -> ImpatientConnection:
    connection = ImpatientConnection.connect(make_url(url).set(drivername="postgresql").render_as_string())
    connection.answer_within_s = answer_within_s
    return connection


def test_a_statement_that_takes_too_long_is_ended_by_the_server(postgres_url: str) -> None:
    """The server says so, and the next statement works."""
    with closing(Database.open(postgres_url, answer_within_s=1.0)) as database:
        with pytest.raises(DatabaseUnavailable, match="statement timeout"):
            database.read(lambda tx: tx.execute(text("SELECT pg_sleep(60)")))
        assert database.read(lambda tx: tx.scalar(text("SELECT 1"))) == 1


def test_an_answer_that_comes_piece_by_piece_may_take_longer(postgres_url: str) -> None:
    """The deadline is for silence, not for the whole."""
    query = "SELECT repeat('x', 20000), pg_sleep(0.2) FROM generate_series(1, 8)"
    with _connected(postgres_url, 1.2) as connection:
        assert len(connection.execute(query).fetchall()) == 8


def test_a_connection_to_a_silent_server_is_closed(postgres_server: PostgresServer, postgres_url: str) -> None:
    """Whatever it answers later answers nothing that is asked by then."""
    connection = _connected(postgres_url, 0.4)
    with postgres_server.silent(), pytest.raises(ServerSilent, match="has not answered"):
        connection.execute("SELECT 1")
    assert connection.closed
    with pytest.raises(psycopg.OperationalError):
        connection.execute("SELECT 1")
