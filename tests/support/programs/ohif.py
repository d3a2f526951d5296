"""OHIF in Chromium: its built bundle beside Orthanc's DICOMweb, opened on a study, and what it then shows."""

import contextlib
import json
import mimetypes
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tests.support.nodes.process import CHECKOUT
from tests.support.programs.processes import LOOPBACK, program, run_program

VIEWER = CHECKOUT / ".viewer"
"""Where tests/peers/install.sh puts OHIF's bundle and the driver of Chromium."""

_LOOK = CHECKOUT / "tests" / "peers" / "viewer" / "look.mjs"
_TIMEOUT_S = 60
_STUDY_TIMEOUT_S = 90
_CONFIGURATION = """window.config = {
  routerBasename: null, extensions: [], modes: [], showStudyList: true, maxNumberOfWebWorkers: 2,
  showCPUFallbackMessage: false, showLoadingIndicator: true, showErrorDetails: 'always',
  investigationalUseDialog: { option: 'never' }, defaultDataSourceName: 'orthanc',
  dataSources: [{
    namespace: '@ohif/extension-default.dataSourcesModule.dicomweb', sourceName: 'orthanc',
    configuration: {
      friendlyName: 'Orthanc', name: 'orthanc', wadoUriRoot: '/wado', qidoRoot: '/dicom-web', wadoRoot: '/dicom-web',
      qidoSupportsIncludeField: false, imageRendering: 'wadors', thumbnailRendering: 'wadors',
      enableStudyLazyLoad: true, supportsFuzzyMatching: false, supportsWildcard: false,
    },
  }],
};
"""


@dataclass(frozen=True, slots=True)
class Seen:
    """What the viewer showed of a study whose report was opened."""

    text: str  #: all words on the page
    errors: tuple[str, ...]  #: what the page and its console complained of
    drawn: tuple[str, ...]  #: the annotations that are drawn over the image: kind of each, such as "polyline"
    picture: Path
    times: int  #: how often it was opened until it drew the report


@dataclass(frozen=True, slots=True)
class Viewer:
    """OHIF, served on a port of the loopback address over one Orthanc."""

    port: int

    def open_reports(self, studies: Mapping[str, str], folder: Path) -> dict[str, Seen]:
        """Open studies, and the report of each as a person does, by a double click on its thumbnail.

        Parameters
        ----------
        studies
            Study Instance UIDs by name.
        folder
            Gets a screenshot of each, under its name.
        """
        folder.mkdir(parents=True, exist_ok=True)
        pictures = {name: folder / f"{name.replace(' ', '-')}.png" for name in studies}
        address = f"http://{LOOPBACK}:{self.port}/viewer?StudyInstanceUIDs="
        wanted = [word for name, uid in studies.items() for word in (address + uid, str(pictures[name]))]
        command = [program("node"), str(_LOOK), str(VIEWER), program("chromium"), *wanted]
        done = run_program(command, _STUDY_TIMEOUT_S * len(studies))
        if done.returncode != 0:
            raise RuntimeError(f"the viewer was not driven to its end: {done.stdout}")
        lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
        return {
            name: Seen(seen["text"], tuple(seen["errors"]), tuple(seen["drawn"]), pictures[name], seen["times"])
            for name, seen in zip(studies, lines, strict=True)
        }


@contextlib.contextmanager
def ohif(orthanc_port: int) -> Iterator[Viewer]:
    """Serve OHIF's bundle and forward its DICOMweb requests to Orthanc, all from one origin.

    Parameters
    ----------
    orthanc_port
        Of Orthanc's REST interface, with its DICOMweb plug-in.
    """
    if not (VIEWER / "ohif" / "index.html").is_file():
        raise FileNotFoundError(f"{VIEWER} holds no viewer: tests/peers/install.sh puts it there")
    server = _Server((LOOPBACK, 0), _Handler)
    server.orthanc = f"http://{LOOPBACK}:{orthanc_port}"
    thread = threading.Thread(target=server.serve_forever, name="ohif", daemon=True)
    thread.start()
    try:
        yield Viewer(int(server.server_address[1]))
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    orthanc = ""


class _Handler(BaseHTTPRequestHandler):
    """Gives the bundle's files, its index for unknown paths, and Orthanc's answers."""

    protocol_version = "HTTP/1.1"
    server: _Server

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if path.startswith(("/dicom-web", "/wado")):
            self._forwarded()
        elif path == "/app-config.js":
            self._answered(200, "text/javascript", _CONFIGURATION.encode())
        else:
            self._file(path)

    def _forwarded(self) -> None:
        wanted = {name: value for name, value in self.headers.items() if name.lower() == "accept"}
        request = urllib.request.Request(self.server.orthanc + self.path, headers=wanted)  # noqa: S310 - our own child
        try:
            with urllib.request.urlopen(request, timeout=_TIMEOUT_S) as answer:  # noqa: S310
                self._answered(answer.status, answer.headers.get("Content-Type", ""), answer.read())
        except urllib.error.HTTPError as refused:
            self._answered(refused.code, "text/plain", refused.read())

    def _file(self, path: str) -> None:
        root = (VIEWER / "ohif").resolve()
        file = (root / path.lstrip("/")).resolve()
        if not file.is_file() or not file.is_relative_to(root):
            file = root / "index.html"
        kind = "application/wasm" if file.suffix == ".wasm" else mimetypes.guess_type(file.name)[0]
        self._answered(200, kind or "application/octet-stream", file.read_bytes())

    def _answered(self, status: int, kind: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cross-Origin-Opener-Policy", "same-origin")
        self.send_header("Cross-Origin-Embedder-Policy", "require-corp")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_arguments: Any) -> None:
        """Say nothing."""
