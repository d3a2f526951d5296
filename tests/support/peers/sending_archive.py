"""An archive of the library's, on this machine: it is asked by C-FIND, and sends by C-MOVE (DICOM PS3.4 C.6.2)."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian
from pynetdicom import AE, build_context, evt

from tests.support.programs.processes import LOOPBACK

STUDY_ROOT_FIND = "1.2.840.10008.5.1.4.1.2.2.1"
STUDY_ROOT_MOVE = "1.2.840.10008.5.1.4.1.2.2.2"
CT = "1.2.840.10008.5.1.4.1.1.2"


def small_image(study: str, number: int = 1, **values: Any) -> Dataset:
    """Return a CT image of 4 x 4 pixels in a study of this UID."""
    image = Dataset()
    image.file_meta = FileMetaDataset()
    image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    image.file_meta.MediaStorageSOPClassUID = CT
    image.file_meta.MediaStorageSOPInstanceUID = image.SOPInstanceUID = f"{study}.1.{number}"
    image.SOPClassUID, image.StudyInstanceUID, image.SeriesInstanceUID = CT, study, f"{study}.1"
    image.PatientID, image.PatientName, image.Modality, image.StudyDate = "7", "Doe^John", "CT", "20260105"
    image.Rows = image.Columns = 4
    image.BitsAllocated = image.BitsStored = 16
    image.HighBit, image.PixelRepresentation, image.SamplesPerPixel = 15, 0, 1
    image.PhotometricInterpretation, image.PixelData = "MONOCHROME2", bytes(32)
    for keyword, value in values.items():
        setattr(image, keyword, value)
    return image


@dataclass
class Archive:
    """What an archive holds, where it sends, and what it was asked."""

    ae_title: str
    port: int
    images: list[Dataset]
    destinations: dict[str, int] = field(default_factory=dict)  #: AE title -> port of this machine
    tells_modalities: bool = True
    most_answers: int = 1000  #: more are cut off, and the answer says so
    asked: list[Dataset] = field(default_factory=list)  #: identifiers of the queries
    moved: list[str] = field(default_factory=list)  #: Study Instance UIDs that it was asked to send
    refuses: dict[str, int] = field(default_factory=dict)  #: Study Instance UID -> the status of its C-MOVE
    withholds: set[str] = field(default_factory=set)  #: SOP Instance UIDs of which sending fails
    gate: threading.Event = field(default_factory=threading.Event)  #: it sends nothing while this is clear

    def __post_init__(self) -> None:
        self.gate.set()

    def find(self, event: Any) -> Iterator[tuple[int, Dataset | None]]:
        """Answer a C-FIND."""
        self.asked.append(event.identifier)
        matching = list(self._matching(event.identifier))
        for answer in matching[: self.most_answers]:
            yield 0xFF00, answer
        if len(matching) > self.most_answers:
            yield 0xA700, None

    def _matching(self, query: Dataset) -> Iterator[Dataset]:
        level = "SeriesInstanceUID" if query.QueryRetrieveLevel == "SERIES" else "StudyInstanceUID"
        for uid in dict.fromkeys(image[level].value for image in self.images):
            found = [image for image in self.images if image[level].value == uid]
            if all(_matches(element, found) for element in query):
                yield self._answer(query, found)

    def _answer(self, query: Dataset, found: Sequence[Dataset]) -> Dataset:
        answer = Dataset()
        told = {"NumberOfStudyRelatedInstances": len(found)}
        if self.tells_modalities:
            told["ModalitiesInStudy"] = sorted({image.Modality for image in found})
        for element in query:
            setattr(answer, element.keyword, told.get(element.keyword, found[0].get(element.keyword, "")))
        answer.QueryRetrieveLevel = query.QueryRetrieveLevel
        return answer

    def move(self, event: Any) -> Iterator[Any]:
        """Answer a C-MOVE."""
        uid = str(event.identifier.StudyInstanceUID)
        self.moved.append(uid)
        port = self.destinations.get(str(event.move_destination).strip())
        if port is None:
            yield None, None  # the library answers 0xA801
            return
        held = [image for image in self.images if image.StudyInstanceUID == uid]
        classes = {(str(image.SOPClassUID), str(image.file_meta.TransferSyntaxUID)) for image in held}
        contexts = [build_context(sop_class, syntax) for sop_class, syntax in sorted(classes)]
        yield LOOPBACK, port, {"contexts": contexts, "ae_title": event.move_destination}
        yield len(held)
        if uid in self.refuses:
            yield self.refuses[uid], None
            return
        for image in held:
            while not self.gate.wait(0.02):
                if event.is_cancelled:
                    yield 0xFE00, None
                    return
            # a dataset of a class that nobody agreed on: its sub-operation fails
            yield 0xFF00, _unsendable(image) if image.SOPInstanceUID in self.withholds else image


def _unsendable(image: Dataset) -> Dataset:
    broken = deepcopy(image)
    broken.SOPClassUID = "1.2.840.10008.5.1.4.1.1.77.1.6"
    return broken


def _matches(element: Any, found: Sequence[Dataset]) -> bool:
    value = "" if element.value is None else str(element.value)
    if not value or element.keyword in {"QueryRetrieveLevel", "ModalitiesInStudy"}:
        return True
    held = {str(image.get(element.keyword, "")) for image in found}
    first, is_range, last = value.partition("-")
    return any((first or "0") <= one <= (last or "9") for one in held) if is_range else value in held


@contextmanager
def archive(images: Sequence[Dataset], ae_title: str = "ARCHIVE", port: int = 0) -> Iterator[Archive]:
    """Run an archive that holds these images."""
    entity = AE(ae_title)
    for sop_class in (STUDY_ROOT_FIND, STUDY_ROOT_MOVE):
        entity.add_supported_context(sop_class)
    holding = Archive(ae_title, 0, list(images))
    handlers: list[Any] = [(evt.EVT_C_FIND, holding.find), (evt.EVT_C_MOVE, holding.move)]
    server = entity.start_server((LOOPBACK, port), block=False, evt_handlers=handlers)
    holding.port = server.server_address[1]
    try:
        yield holding
    finally:
        holding.gate.set()
        server.shutdown()
