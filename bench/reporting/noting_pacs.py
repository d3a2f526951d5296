"""A PACS that notes when each report comes."""

import time

from pynetdicom import build_context, evt
from pynetdicom.sop_class import Comprehensive3DSRStorage, Verification  # type: ignore[attr-defined]

from bench.running.stand_in_pacs import StandInPacs

AE_TITLE = "PACS"


class Pacs(StandInPacs):
    """A Storage SCP for reports."""

    def __init__(self, port: int) -> None:
        super().__init__(AE_TITLE, port, map(build_context, (Comprehensive3DSRStorage, Verification)))
        self._arrivals: list[tuple[str, float]] = []

    def arrivals(self) -> list[tuple[str, float]]:
        """Return the SOP Instance UID and the time, in seconds since 1970, of each report that came, in order."""
        with self._lock:
            return list(self._arrivals)

    def came(self, uid: str, event: evt.Event) -> None:  # noqa: ARG002 - the UID is enough
        """Note an arrival."""
        now = time.time()
        with self._lock:
            self._arrivals.append((uid, now))
