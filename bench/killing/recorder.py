"""A PACS that remembers every object from the moment at which it has it, whatever becomes of its answer.

A receiver that takes a store back when its answer cannot be sent, as storescp does, would hide a node that offers the
same study under two identities.
"""

import threading
from pathlib import Path
from typing import Self, cast

from pynetdicom import AE, AllStoragePresentationContexts, evt
from pynetdicom.dimse_primitives import C_STORE

from tests.support.objects.part10 import Part10File, part10_files
from tests.support.programs.processes import free_port


class Recorder:
    """A Storage SCP on a free port of the loopback address; each arrival becomes a file of its own.

    Parameters
    ----------
    folder
        Made when missing.
    ae_title
        Its own AE title.
    answer_after_s
        How long it keeps the sender waiting, in seconds, between having an object and saying so.
    """

    def __init__(self, folder: Path, ae_title: str, answer_after_s: float) -> None:
        folder.mkdir(parents=True)
        self.ae_title, self.port = ae_title, free_port()
        self._folder, self._answer_after_s = folder, answer_after_s
        self._lock = threading.Lock()
        self._count, self._identities = 0, set[str]()
        self._entity = AE(ae_title)
        self._entity.supported_contexts = AllStoragePresentationContexts

    def __enter__(self) -> Self:
        """Listen."""
        self._entity.start_server(("127.0.0.1", self.port), block=False, evt_handlers=[(evt.EVT_C_STORE, self._record)])
        return self

    def __exit__(self, *_: object) -> None:
        """Listen no more."""
        self._entity.shutdown()

    def identities(self) -> int:
        """Return how many different SOP instances have arrived."""
        with self._lock:
            return len(self._identities)

    def received(self) -> list[Part10File]:
        """Return every object that has arrived, in order, once for each time."""
        return list(part10_files(self._folder))

    def _record(self, event: evt.Event) -> int:
        with self._lock:
            self._count += 1
            self._identities.add(_uid(event))
            (self._folder / f"{self._count:06d}.dcm").write_bytes(event.encoded_dataset())
        threading.Event().wait(self._answer_after_s)
        return 0x0000


def _uid(event: evt.Event) -> str:
    return str(cast("C_STORE", event.request).AffectedSOPInstanceUID)
