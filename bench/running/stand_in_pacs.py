"""A PACS on the loopback address that takes everything it understands; what it keeps of it is for others to say."""

import threading
from collections.abc import Iterable
from typing import Self, cast

from pynetdicom import AE, evt
from pynetdicom.dimse_primitives import C_STORE
from pynetdicom.presentation import PresentationContext

_SUCCESS = 0x0000


class StandInPacs:
    """A Storage SCP; it can be down, and come back on the same port.

    Parameters
    ----------
    ae_title, port
        Its own AE title, and where it listens.
    contexts
        What it understands.
    """

    def __init__(self, ae_title: str, port: int, contexts: Iterable[PresentationContext]) -> None:
        self.ae_title, self.port = ae_title, port
        self._lock = threading.Lock()
        self._entity = AE(ae_title)
        self._entity.supported_contexts = list(contexts)

    def __enter__(self) -> Self:
        """Listen."""
        self._entity.start_server(("127.0.0.1", self.port), block=False, evt_handlers=[(evt.EVT_C_STORE, self._take)])
        return self

    def __exit__(self, *_: object) -> None:
        """Listen no more."""
        self._entity.shutdown()

    def _take(self, event: evt.Event) -> int:
        self.came(str(cast("C_STORE", event.request).AffectedSOPInstanceUID), event)
        return _SUCCESS

    def came(self, uid: str, event: evt.Event) -> None:
        """Keep what an instance leaves, before it is answered with Success."""
        raise NotImplementedError
