"""What a receiving process does that writes its rows itself, to a database server."""

import socket
from contextlib import closing

from node.config import Settings
from node.pipeline.served import Served
from node.pipeline.steps import Reached
from node.receiving.bookkeeping import opened_books
from node.receiving.until_told import receive_until_told
from node.runtime.clock import utc_now
from node.runtime.line import Line
from node.store.database import Database
from node.store.disk.files import InstanceFiles


def write_until_told(line: Line, listener: socket.socket, settings: Settings, reached: Reached, served: Served) -> None:
    """Receive, with the parameters of `node.receiving.process.write`."""
    with closing(Database.open(settings.database.url, data_dir=settings.node.data_dir)) as database:
        files = InstanceFiles(settings.node.data_dir)
        books = opened_books(settings, database, files, served, utc_now, line.wake, reached)
        receive_until_told(line, listener, settings, files, books, reached)
