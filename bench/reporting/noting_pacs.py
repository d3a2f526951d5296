"""A PACS that notes when each report comes; it can be down, and come back on the same port."""

import threading
import time
from typing import Self, cast

from pynetdicom import AE, evt
from pynetdicom.dimse_primitives import C_STORE
from pynetdicom.sop_class import Comprehensive3DSRStorage, Verification  # type: ignore[attr-defined]


class Pacs:
    """A Storage SCP for reports on the loopback address."""

    ae_title = "PACS"

    def __init__(self, port: int) -> None:
        self.port = port
        self._lock = threading.Lock()
        self._arrivals: list[tuple[str, float]] = []
        self._entity = AE(self.ae_title)
        self._entity.supported_contexts = []
        for sop_class in (Comprehensive3DSRStorage, Verification):
            self._entity.add_supported_context(sop_class)

    def __enter__(self) -> Self:
        """Listen."""
        self._entity.start_server(("127.0.0.1", self.port), block=False, evt_handlers=[(evt.EVT_C_STORE, self._note)])
        return self

    def __exit__(self, *_: object) -> None:
        """Listen no more."""
        self._entity.shutdown()

    def arrivals(self) -> list[tuple[str, float]]:
        """Return the SOP Instance UID and the time, in seconds since 1970, of each report that came, in order."""
        with self._lock:
            return list(self._arrivals)

    def _note(self, event: evt.Event) -> int:
        now = time.time()
        with self._lock:
            self._arrivals.append((_uid(event), now))
        return 0x0000


def _uid(event: evt.Event) -> str:
    return str(cast("C_STORE", event.request).AffectedSOPInstanceUID)
