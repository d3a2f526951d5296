"""Orthanc as the PACS: it sends studies, receives reports, and is asked about both through its REST interface."""

import contextlib
import json
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.programs.dcmtk import NO_DELAY
from tests.support.programs.processes import LOOPBACK, Program, free_port, listens, program
from tests.support.waiting import wait_until

_TIMEOUT_S = 60

DICOMWEB: dict[str, Any] = {
    "Plugins": ["/usr/share/orthanc/plugins/libOrthancDicomWeb.so"],
    "DicomWeb": {
        "Enable": True,
        "Root": "/dicom-web/",
        "EnableWado": True,
        "WadoRoot": "/wado",
        "StudiesMetadata": "Full",
        "SeriesMetadata": "Full",
    },
}
"""Settings with which Orthanc serves a web viewer."""


@dataclass(frozen=True, slots=True)
class Orthanc:
    """A running Orthanc with an empty archive."""

    ae_title: str
    port: int
    http_port: int
    folder: Path
    process: Program

    def get(self, path: str) -> Any:
        """Return what a GET answers, decoded from JSON."""
        return json.loads(self.get_bytes(path))

    def get_bytes(self, path: str) -> bytes:
        """Return what a GET answers."""
        return self._ask("GET", path, None)

    def post(self, path: str, body: Any) -> Any:
        """Return what a POST of `body` as JSON answers, decoded from JSON."""
        return json.loads(self._ask("POST", path, json.dumps(body).encode()) or b"null")

    def put(self, path: str, body: Any) -> None:
        """PUT `body` as JSON."""
        self._ask("PUT", path, json.dumps(body).encode())

    def delete(self, path: str) -> None:
        """DELETE what is there."""
        self._ask("DELETE", path, None)

    def knows(self, name: str, ae_title: str, port: int) -> None:
        """Make a DICOM node of the loopback address known under a name, or change where it is."""
        self.put(f"/modalities/{name}", {"AET": ae_title, "Host": LOOPBACK, "Port": port})

    def find(self, **query: str) -> list[str]:
        """Return Orthanc's identifiers of the instances whose elements match, such as ``Modality="SR"``."""
        return list(self.post("/tools/find", {"Level": "Instance", "Query": query}))

    def keeps(self, path: Path) -> str:
        """Upload a file, as if a modality had sent it, and return Orthanc's identifier of the instance."""
        return str(json.loads(self._ask("POST", "/instances", path.read_bytes()))["ID"])

    def sends(self, name: str, instances: list[str]) -> dict[str, Any]:
        """Send instances to a known node by C-STORE, wait, and return Orthanc's account of it."""
        return dict(self.post(f"/modalities/{name}/store", {"Resources": instances, "Synchronous": True}))

    def _ask(self, method: str, path: str, body: bytes | None) -> bytes:
        request = urllib.request.Request(f"http://{LOOPBACK}:{self.http_port}{path}", data=body, method=method)
        with urllib.request.urlopen(request, timeout=_TIMEOUT_S) as answer:  # noqa: S310 - our own child, over loopback
            return bytes(answer.read())


@contextlib.contextmanager
def orthanc(folder: Path, ae_title: str = "ORTHANC", port: int = 0, **settings: Any) -> Iterator[Orthanc]:
    """Run Orthanc on free ports of the loopback address with an archive in `folder`.

    Parameters
    ----------
    port
        The DICOM port; 0 takes a free one.
    settings
        Entries of Orthanc's configuration, on top of those that keep it small and local.
    """
    folder.mkdir(parents=True, exist_ok=True)
    port, http_port = port or free_port(), free_port()
    configuration = folder / "orthanc.json"
    configuration.write_text(json.dumps(_configuration(folder, ae_title, port, http_port) | settings, indent=1))
    process = Program([program("Orthanc"), str(configuration)], folder / "orthanc", NO_DELAY)
    pacs = Orthanc(ae_title, port, http_port, folder / "archive", process)
    try:
        process.wait_ready(http_port)
        wait_until(lambda: listens(port), 30, "Orthanc's DICOM port")
        yield pacs
    finally:
        process.kill()


def _configuration(folder: Path, ae_title: str, port: int, http_port: int) -> dict[str, Any]:
    return {
        "Name": ae_title,
        "StorageDirectory": str(folder / "archive"),
        "IndexDirectory": str(folder / "archive"),
        "DicomAet": ae_title,
        "DicomPort": port,
        "HttpPort": http_port,
        "HttpBindAddresses": [LOOPBACK],
        "RemoteAccessAllowed": False,
        "AuthenticationEnabled": False,
        "DicomAlwaysAllowStore": True,
        "DicomCheckCalledAet": False,
        "DicomModalities": {},
        "DefaultEncoding": "Utf8",
        "Plugins": [],
        "StableAge": 1,
    }
