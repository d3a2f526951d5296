"""A modality that does not give up: it sends each instance until it is acknowledged, whatever happens to the node."""

import threading
from collections import deque
from collections.abc import Sequence
from typing import Self

from _upper_layer import Association, Instance, store_request

_RETRY_S = 0.2


class Sender:
    """One thread with one association at a time; what was not answered with Success is sent again.

    Parameters
    ----------
    calling, called
        The AE titles.
    """

    def __init__(self, calling: str, called: str) -> None:
        self._calling, self._called = calling, called
        self._changed = threading.Condition()
        self._pending: deque[Instance] = deque()
        self._port = 0
        self._ended = False
        self.acknowledged: dict[str, Instance] = {}
        self.attempts = 0
        self._thread = threading.Thread(target=self._run, name="sender")

    def __enter__(self) -> Self:
        """Begin to send whatever is released."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop, whether all is acknowledged or not."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()
        self._thread.join(60)

    def release(self, instances: Sequence[Instance]) -> None:
        """Add instances to those that are to be sent."""
        with self._changed:
            self._pending.extend(instances)
            self._changed.notify_all()

    def node_is_at(self, port: int) -> None:
        """Say where the node listens now, or 0 while it is down."""
        with self._changed:
            self._port = port
            self._changed.notify_all()

    def wait_acknowledged(self, count: int, timeout_s: float) -> bool:
        """Return whether so many instances were acknowledged in time."""
        with self._changed:
            return self._changed.wait_for(lambda: len(self.acknowledged) >= count, timeout_s)

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._ended or (self._pending and self._port))
                if self._ended:
                    return
                port = self._port
            if not self._send_pending(port):
                with self._changed:  # either the node is started again, or it refused for a moment
                    self._changed.wait_for(lambda tried=port: self._ended or self._port not in (0, tried), _RETRY_S)

    def _send_pending(self, port: int) -> bool:
        """Send on one association until nothing is pending; return False when it broke."""
        association = None
        try:
            association = Association(port, self._calling, self._called, self._pending[0].sop_class_uid)
            while self._pending:
                self._send_first(association)
            association.release()
        except (OSError, ValueError, LookupError):
            if association is not None:
                association.close()
            return False
        return True

    def _send_first(self, association: Association) -> None:
        instance = self._pending[0]
        self.attempts += 1
        association.store(store_request(instance, self.attempts % 0xFFFF, association.largest_pdu))
        with self._changed:
            self._pending.popleft()
            self.acknowledged[instance.sop_instance_uid] = instance
            self._changed.notify_all()
