"""What goes beside a report: its text as a Basic Text SR, and heat maps; made for the peers that get them.

None of it may keep a report back: what cannot be made is left out, and the timeline says why.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from node.config import PeerSettings
from node.dicom.encoding.transfer_syntax import IMPLICIT_VR_LITTLE_ENDIAN
from node.dicom.instance.header import pixel_bytes
from node.domain.chosen_heat_maps import HeatMap, heat_map_identity, heat_maps
from node.domain.errors import Permanent, WorkerLost
from node.domain.instance import InstanceHeader
from node.domain.patient import Patient, patient_in
from node.domain.profile import DEFAULT
from node.domain.report import ReportContent, ReportIdentity, text_identity
from node.pipeline.analysis.conclude import patient_key
from node.pipeline.analysis.material import Material
from node.store.disk.files import InstanceFiles
from node.store.tables.choices import DeliveryKind
from node.store.working.analyses import NewRendition
from node.store.working.pictures import packed

_GONE = "the file of its image was removed for its age"


@dataclass(frozen=True, slots=True)
class Extra:
    """One object to make beside a report; it is the same for all peers of a language."""

    kind: DeliveryKind
    content: ReportContent
    identity: ReportIdentity
    sources: tuple[Path | InstanceHeader, ...]  #: of a heat map its one image; none where that is gone
    drawn: HeatMap | None = None


@dataclass(frozen=True, slots=True)
class NotMade:
    """An object that is left out, and why."""

    kind: DeliveryKind
    reason: str


WriteExtra = Callable[[Extra], bytes]
"""`write_extra`, or the same in a child process."""


@dataclass(frozen=True, slots=True)
class Beside:
    """What tells which extras a result has.

    Parameters
    ----------
    files
        Where the images are.
    content
        What the report says.
    texts_before
        By language, earlier texts of which the new one takes the place.
    material
        What the report is made from.
    """

    files: InstanceFiles
    content: ReportContent
    texts_before: Mapping[str, tuple[ReportIdentity, ...]]
    material: Material

    def extras(self, peers: Sequence[PeerSettings]) -> Iterator[Extra]:
        """Yield what these peers get beside the report."""
        for language in _languages(peers, DeliveryKind.TEXT):
            yield self._text(language)
        for language in _languages(peers, DeliveryKind.HEATMAP):
            yield from (self._heat_map(drawn, language) for drawn in heat_maps(self.content.readings))

    def _text(self, language: str) -> Extra:
        said = replace(
            self.content, profile=DEFAULT, language=language, predecessors=self.texts_before.get(language, ())
        )
        identity = text_identity(
            said.study_instance_uid, said.model, self.material.inputs, **self._whose, language=language
        )
        headers = tuple(source.header for source in self.material.sources)
        return Extra(DeliveryKind.TEXT, said, identity, (self._path(0) or headers[0], *headers[1:]))

    def _heat_map(self, drawn: HeatMap, language: str) -> Extra:
        said = replace(self.content, language=language, patient=self._patient_of(drawn))
        identity = heat_map_identity(
            said.study_instance_uid, said.model, self.material.inputs, drawn, **self._whose, language=language
        )
        uids = [source.header.sop_instance_uid for source in self.material.sources]
        path = self._path(uids.index(drawn.image.sop_instance_uid))
        return Extra(DeliveryKind.HEATMAP, said, identity, () if path is None else (path,), drawn)

    def _patient_of(self, drawn: HeatMap) -> Patient | None:
        """Return whom a heat map names, where the image's own header does not: the newest says whose study it is."""
        (header,) = (
            source.header
            for source in self.material.sources
            if source.header.sop_instance_uid == drawn.image.sop_instance_uid
        )
        newest = patient_in(self.material.header)
        return None if patient_in(header) == newest else newest

    @property
    def _whose(self) -> dict[str, str]:
        return {"patient_key": patient_key(self.material.header), "predecessor": self.material.previous}

    def _path(self, number: int) -> Path | None:
        source = self.material.sources[number]
        return None if source.removed_at else self.files.path(source.newest_path)


def made(extras: Iterator[Extra], write: WriteExtra) -> Iterator[NewRendition | NotMade]:
    """Yield each extra as it is stored, or why there is none; after a process was lost by one, no other is tried."""
    lost = ""
    for extra in extras:
        reason = lost or ("" if extra.sources else _GONE)
        if not reason:
            try:
                yield _rendition(extra, write(extra))
            except Permanent as error:
                reason = str(error)
            except WorkerLost as error:
                reason = lost = str(error)
        if reason:
            yield NotMade(extra.kind, reason)


def write_extra(extra: Extra) -> bytes:
    """Return the bytes of an extra.

    Raises
    ------
    Permanent
        None can be made: the reason says why, without patient data.
    OSError
        A file cannot be read.
    """
    # highdicom is imported by the first one: a process that only receives never pays for it
    if extra.drawn is None:
        from node.dicom.companions.plain_text import build_text  # noqa: PLC0415

        return build_text(extra.content, extra.identity, extra.sources)
    from node.dicom.companions.heat_map_object import build_heat_map  # noqa: PLC0415

    (source,) = extra.sources
    if not isinstance(source, Path):
        raise Permanent("a heat map needs the file of its image")
    return build_heat_map(extra.content, extra.drawn, extra.identity, source)


def _rendition(extra: Extra, dataset: bytes) -> NewRendition:
    return NewRendition(
        extra.identity.sop_class_uid,
        extra.identity.sop_instance_uid,
        extra.identity.series_instance_uid,
        IMPLICIT_VR_LITTLE_ENDIAN,
        dataset,
        DEFAULT.name,
        extra.content.language,
        extra.kind,
        None if extra.drawn is None else packed(dataset, _picture_at(dataset)),
    )


def _picture_at(dataset: bytes) -> int:
    """Return where Pixel Data begins, the last element of a heat map: tag and length stand in 8 bytes before it."""
    return len(dataset) - len(pixel_bytes(dataset, IMPLICIT_VR_LITTLE_ENDIAN)) - 8


def _languages(peers: Sequence[PeerSettings], kind: DeliveryKind) -> list[str]:
    return list(dict.fromkeys(peer.language for peer in peers if kind.value in peer.gets))
