"""The stand-in PACS: takes whatever is sent to it and keeps the reports as files."""

import threading
from collections.abc import Callable
from pathlib import Path

from node.dicom.instance.header import inspect
from node.dicom.instance.part10 import preamble_and_meta
from node.network.incoming import IncomingInstance, gathered
from node.network.scp import ScpSettings, StorageSCP


class StandInPacs:
    """A Storage SCP that writes each object below a folder and can be waited for.

    Parameters
    ----------
    folder
        Where the files go, one for each SOP Instance UID.
    ae_title
        Its own AE title.
    """

    def __init__(self, folder: Path, ae_title: str) -> None:
        self._folder = folder
        self._arrived = threading.Condition()
        self.reports: dict[str, list[Path]] = {}  #: files by Study Instance UID
        self._scp = StorageSCP(
            ScpSettings(ae_title, bind="127.0.0.1", port=0, accept_any_calling_ae=True),
            begin=gathered(self._store),
            on_refused=lambda _: None,
        )

    def start(self) -> int:
        """Listen, and return the port."""
        return self._scp.start()

    def stop(self) -> None:
        """Listen no more."""
        self._scp.stop()

    def wait_for(self, enough: Callable[[dict[str, list[Path]]], bool], timeout_s: float) -> bool:
        """Return whether `enough` of the reports came in time."""
        with self._arrived:
            return self._arrived.wait_for(lambda: enough(self.reports), timeout_s)

    def _store(self, incoming: IncomingInstance) -> int:
        header = inspect(incoming.dataset, incoming.transfer_syntax_uid)
        meta = preamble_and_meta(
            header.sop_class_uid, header.sop_instance_uid, incoming.transfer_syntax_uid, incoming.calling_ae_title
        )
        path = self._folder / f"{header.sop_instance_uid}.dcm"
        path.write_bytes(meta + bytes(incoming.dataset))
        with self._arrived:
            self.reports.setdefault(header.study_instance_uid, []).append(path)
            self._arrived.notify_all()
        return 0x0000
