"""Modalities that do not give up: they send each instance until it is acknowledged, whatever happens to the node."""

import threading
from collections import deque
from collections.abc import Sequence
from functools import partial
from typing import Self

from bench.sending.upper_layer import Association, Instance, store_request

_RETRY_S = 0.2


class Sender:
    """A thread and an association at a time for each modality; what was not answered with Success is sent again.

    Parameters
    ----------
    calling
        The AE titles of the modalities.
    called
        The AE title of the node.
    """

    def __init__(self, calling: Sequence[str], called: str) -> None:
        self._called = called
        self._changed = threading.Condition()
        self._pending: deque[Instance] = deque()
        self._port = 0
        self._ended = False
        self.acknowledged: dict[str, Instance] = {}
        self.attempts = 0
        self._threads = [threading.Thread(target=self._run, args=(title,), name=title) for title in calling]

    def __enter__(self) -> Self:
        """Begin to send whatever is released."""
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop, whether all is acknowledged or not."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join(60)

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

    def _run(self, calling: str) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._ended or (self._pending and self._port))
                if self._ended:
                    return
                port = self._port
            if not self._send_pending(calling, port):
                with self._changed:  # either the node is started again, or it refused for a moment
                    self._changed.wait_for(partial(self._is_elsewhere, port), _RETRY_S)

    def _is_elsewhere(self, tried: int) -> bool:
        """Return whether to try no more, or at another port."""
        return self._ended or self._port not in {0, tried}

    def _send_pending(self, calling: str, port: int) -> bool:
        """Send on one association until nothing is pending; return False when it broke."""
        instance, association = self._taken(), None
        try:
            while instance is not None:
                association = association or Association(port, calling, self._called, instance.sop_class_uid)
                self._send(association, instance)
                instance = self._taken()
            if association is not None:
                association.release()
        except (OSError, ValueError, LookupError):
            self._put_back(instance)
            if association is not None:
                association.close()
            return False
        return True

    def _taken(self) -> Instance | None:
        with self._changed:
            return self._pending.popleft() if self._pending else None

    def _put_back(self, instance: Instance | None) -> None:
        with self._changed:
            if instance is not None:
                self._pending.appendleft(instance)

    def _send(self, association: Association, instance: Instance) -> None:
        with self._changed:
            self.attempts += 1
            message_id = self.attempts
        association.store(store_request(instance, message_id, association.largest_pdu))
        with self._changed:
            self.acknowledged[instance.sop_instance_uid] = instance
            self._changed.notify_all()
