"""What a receiving process does: it receives beside others, from its start until it is told to end, or left behind."""

import socket

from node import telemetry
from node.config import Settings
from node.network.shared_slots import SharedSlots
from node.pipeline.ledger import Ledger
from node.pipeline.steps import Reached, unobserved
from node.receiving import Receiving
from node.runtime.line import Line
from node.store.files import InstanceFiles
from node.store.folder_lock import receiving

_LEFT_BEHIND_S = 5.0  # a node that starts again waits for this process to be gone
_SLOTS = "associations.lock"

_log = telemetry.logger("receiving")


def receive_until_told(
    line: Line,
    listener: socket.socket,
    settings: Settings,
    files: InstanceFiles,
    ledger: Ledger,
    reached: Reached = unobserved,
) -> None:
    """Receive in this process, on a listening socket that others share.

    Parameters
    ----------
    line
        To the process that started this one.
    listener
        It listens already.
    settings
        As the first process has them.
    files, ledger
        Where bytes and rows are kept.
    reached
        Called at each step of an instance; for tests that end the process there.

    Raises
    ------
    OperatorError
        Where the data folder cannot be written.
    """
    with receiving(settings.node.data_dir):
        if line.is_cut():  # the next node may have looked for receiving processes before this one could be seen
            return
        received = Receiving(settings, files, ledger, reached)
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
