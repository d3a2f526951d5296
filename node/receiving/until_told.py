"""What a receiving process does: it receives beside others, from its start until it is told to end, or left behind."""

import socket
import threading
from collections.abc import Callable

from node import telemetry
from node.config import Settings
from node.domain.errors import OperatorError
from node.network.shared_slots import SharedSlots
from node.pipeline.intake.ledger import Ledger
from node.pipeline.steps import Reached, unobserved
from node.receiving.one_process import Receiving
from node.receiving.turns import BesideOthers, SharedListener
from node.runtime.line import Line
from node.store.disk.files import InstanceFiles
from node.store.disk.folder_lock import receiving

_LEFT_BEHIND_S = 5.0  # a node that starts again waits for this process to be gone
_SLOTS = "associations.lock"
_ACCEPTS_WITHIN_S = 3.0  # so that it is found out which of its threads stands still before it is asked again

_log = telemetry.logger("receiving")


def receive_until_told(
    line: Line,
    listener: socket.socket,
    settings: Settings,
    files: InstanceFiles,
    ledger: Ledger,
    reached: Reached = unobserved,
    tidy: Callable[[], None] = lambda: None,
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
    tidy
        Called every few seconds.

    Raises
    ------
    OperatorError
        Where the data folder cannot be written, or nobody can be accepted any more.
    """
    with receiving(settings.node.data_dir):
        if line.is_cut():  # the next node may have looked for receiving processes before this one could be seen
            return
        deaf = threading.Event()

        def lost() -> None:
            deaf.set()
            line.hang_up()

        def is_well() -> bool:
            tidy()
            return received.accepts(_ACCEPTS_WITHIN_S)

        received = Receiving(settings, files, ledger, lost, reached)
        received.start(SharedListener(listener, BesideOthers()), shared_slots(settings))
        line.ready()
        if line.told_to_drain(is_well):
            received.drain(settings.node.drain_timeout_s)
            return
        if not deaf.is_set():
            _log.warning("first process gone", then="this one drains")
        received.drain(min(_LEFT_BEHIND_S, settings.node.drain_timeout_s))
        if deaf.is_set():
            raise OperatorError("it could not accept connections any more; it is started again")


def shared_slots(settings: Settings) -> SharedSlots:
    """Return this process's view of the slots that all receiving processes of a node share."""
    limits = settings.receive
    file = settings.node.data_dir / _SLOTS
    return SharedSlots(file, limits.max_associations, limits.max_associations_per_address)
