"""What a receiving process does: it receives beside others, from its start until it is told to end, or left behind."""

import socket
from contextlib import closing

from node import telemetry
from node.config import Settings
from node.network.shared_slots import SharedSlots
from node.pipeline.served import Served
from node.receiving import Receiving
from node.runtime.clock import utc_now
from node.runtime.line import Line
from node.store.database import Database
from node.store.files import InstanceFiles
from node.store.folder_lock import receiving

_LEFT_BEHIND_S = 5.0  # a node that starts again waits for this process to be gone
_SLOTS = "associations.lock"

_log = telemetry.logger("receiving")


def receive_until_told(line: Line, listener: socket.socket, settings: Settings, served: Served) -> None:
    """Receive in this process; the parameters are those of `node.receivers.process.receive`.

    Raises
    ------
    OperatorError
        Where the data folder cannot be written.
    """
    data_dir = settings.node.data_dir
    with receiving(data_dir), closing(Database.open(settings.database.url)) as database:
        if line.is_cut():  # the next node may have looked for receiving processes before this one could be seen
            return
        files = InstanceFiles(data_dir)
        received = Receiving(settings, database, files, served, utc_now, line.wake)
        received.start(listener, _slots(settings))
        line.ready()
        if line.told_to_drain():
            received.drain(settings.node.drain_timeout_s)
        else:
            _log.warning("the first process is gone; draining")
            received.drain(min(_LEFT_BEHIND_S, settings.node.drain_timeout_s))


def _slots(settings: Settings) -> SharedSlots:
    limits = settings.receive
    file = settings.node.data_dir / _SLOTS
    return SharedSlots(file, limits.max_associations, limits.max_associations_per_address)
