"""The renditions that the configured peers may need of one result: which they are, and their bytes.

A peer is offered a report in the SOP classes of its profile, in its language. What differs in the SOP class alone is
made once and takes the UIDs of each.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from node.config import PeerSettings
from node.dicom.encoding.transfer_syntax import IMPLICIT_VR_LITTLE_ENDIAN
from node.domain.instance import InstanceHeader
from node.domain.profile import DEFAULT, PROFILES, Profile
from node.domain.report import ReportContent, ReportIdentity
from node.domain.words import ENGLISH
from node.store.tables.choices import DeliveryKind
from node.store.working.analyses import NewRendition


@dataclass(frozen=True, slots=True)
class Shape:
    """How a report is made for some of the peers."""

    profile: Profile
    language: str


@dataclass(frozen=True, slots=True)
class Order:
    """Something to make: one content under one or several identities, the preferred first."""

    kind: DeliveryKind
    content: ReportContent
    identities: tuple[ReportIdentity, ...]


Write = Callable[[Sequence[Order], Sequence[Path | InstanceHeader]], list[list[bytes]]]
"""`write_renditions`, or the same in a child process."""

Identify = Callable[[str, Shape], ReportIdentity]
"""Returns the UIDs of a rendition of this SOP class and shape."""


def shape_of(peer: PeerSettings) -> Shape:
    """Return how reports are made for a peer."""
    return Shape(PROFILES[peer.profile], peer.language)


def shapes(peers: Iterable[PeerSettings]) -> list[Shape]:
    """Return how a report is made for those of these peers that get reports, each once.

    Where none does it is made once, in one form: `studies` shows what would have been said.
    """
    wanted = dict.fromkeys(shape_of(peer) for peer in peers if "report" in peer.gets)
    return list(wanted) or [Shape(replace(DEFAULT, sop_classes=DEFAULT.sop_classes[:1]), ENGLISH)]


def orders(
    content: ReportContent,
    wanted: Iterable[Shape],
    identify: Identify,
    predecessors: Mapping[Shape, tuple[ReportIdentity, ...]],
) -> list[Order]:
    """Return what is to be made of a result in these shapes, each naming the predecessors of its own."""
    return [
        Order(
            DeliveryKind.REPORT,
            replace(
                content,
                profile=shape.profile,
                language=shape.language,
                predecessors=predecessors.get(shape, ()),
            ),
            tuple(identify(sop_class, shape) for sop_class in shape.profile.sop_classes),
        )
        for shape in wanted
    ]


def write_renditions(ordered: Sequence[Order], sources: Sequence[Path | InstanceHeader]) -> list[list[bytes]]:
    """Return the bytes of each order, in the order of its identities.

    Raises
    ------
    Permanent
        No valid report can be made of this.
    """
    # highdicom is imported by the first one: a process that only receives never pays for it
    from node.dicom.report.encoded_forms import build_forms  # noqa: PLC0415

    return [build_forms(order.content, order.identities, sources) for order in ordered]


def renditions(ordered: Iterable[Order], written: Iterable[Sequence[bytes]]) -> Iterator[NewRendition]:
    """Yield what was written as it is stored, in the order of the orders."""
    for order, encoded in zip(ordered, written, strict=True):
        for identity, dataset in zip(order.identities, encoded, strict=True):
            yield NewRendition(
                identity.sop_class_uid,
                identity.sop_instance_uid,
                identity.series_instance_uid,
                IMPLICIT_VR_LITTLE_ENDIAN,
                dataset,
                order.content.profile.name,
                order.content.language,
                order.kind,
            )
