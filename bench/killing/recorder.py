"""A PACS that remembers every object from the moment at which it has it, whatever becomes of its answer.

A receiver that takes a store back when its answer cannot be sent, as storescp does, would hide a node that offers the
same study under two identities.
"""

import threading
from pathlib import Path

from pynetdicom import AllStoragePresentationContexts, evt

from bench.running.stand_in_pacs import StandInPacs
from tests.support.objects.part10 import Part10File, part10_files
from tests.support.programs.processes import free_port


class Recorder(StandInPacs):
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
        super().__init__(ae_title, free_port(), AllStoragePresentationContexts)
        folder.mkdir(parents=True)
        self._folder, self._answer_after_s = folder, answer_after_s
        self._count, self._identities = 0, set[str]()

    def identities(self) -> int:
        """Return how many different SOP instances have arrived."""
        with self._lock:
            return len(self._identities)

    def received(self) -> list[Part10File]:
        """Return every object that has arrived, in order, once for each time."""
        return list(part10_files(self._folder))

    def came(self, uid: str, event: evt.Event) -> None:
        """Write an object to a file, and keep its sender waiting."""
        with self._lock:
            self._count += 1
            self._identities.add(uid)
            (self._folder / f"{self._count:06d}.dcm").write_bytes(event.encoded_dataset())
        threading.Event().wait(self._answer_after_s)
