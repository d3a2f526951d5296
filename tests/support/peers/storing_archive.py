"""An archive by the library: it stores what it gets, and answers C-FIND with what a test says that it holds."""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any

from pydicom import Dataset
from pydicom.filereader import read_dataset
from pynetdicom import AE, evt
from pynetdicom.sop_class import (  # type: ignore[attr-defined]
    Comprehensive3DSRStorage,
    StudyRootQueryRetrieveInformationModelFind,
)

PENDING, SUCCESS = 0xFF00, 0x0000


@dataclass
class Archive:
    """What it holds; both lists may be changed while it runs."""

    port: int
    studies: list[dict[str, str]] = field(default_factory=list)  #: values by keyword
    stored: list[Dataset] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)  #: Study Instance UIDs
    meanwhile: Callable[[], object] = lambda: None  #: done before each answer

    def find(self, event: evt.Event) -> Iterator[tuple[int, Dataset | None]]:
        """Answer with the studies under the UID that is asked for, and with the keys that are."""
        keys = event.identifier
        self.asked.append(keys.StudyInstanceUID)
        self.meanwhile()
        for study in self.studies:
            if study["StudyInstanceUID"] == keys.StudyInstanceUID:
                answer = Dataset()
                answer.QueryRetrieveLevel = "STUDY"
                for keyword in keys.dir():
                    setattr(answer, keyword, study.get(keyword, getattr(answer, keyword, "")))
                yield PENDING, answer

    def store(self, event: Any) -> int:
        """Keep what comes."""
        encoded = BytesIO(event.request.DataSet.getvalue())
        self.stored.append(read_dataset(encoded, is_implicit_VR=True, is_little_endian=True))
        return SUCCESS


@contextlib.contextmanager
def archive(*, finds: bool = True) -> Iterator[Archive]:
    """Run an archive on a free port, one that takes no queries where it is told so."""
    entity: Any = AE("PACS")
    entity.add_supported_context(Comprehensive3DSRStorage, "1.2.840.10008.1.2")
    if finds:
        entity.add_supported_context(StudyRootQueryRetrieveInformationModelFind)
    running = Archive(0)
    handlers = [(evt.EVT_C_FIND, running.find), (evt.EVT_C_STORE, running.store)]
    server = entity.start_server(("127.0.0.1", 0), block=False, evt_handlers=handlers)
    running.port = server.server_address[1]
    try:
        yield running
    finally:
        server.shutdown()
