"""What the peers that get a report hold of its study already: which reports it takes the place of, and what stands.

A report that never left is nobody's predecessor, and one that only test peers hold is none of a real peer's.
"""

from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from node.config import PeerSettings
from node.domain.report import ReportIdentity
from node.pipeline.analysis.conclude import destinations, patient_key
from node.pipeline.analysis.material import Material
from node.pipeline.analysis.renditions import Shape, shape_of
from node.store.database import Transaction
from node.store.registering import registry
from node.store.sending import extras, outgoing, pinning
from node.store.stopping import taken_back
from node.store.stopping.taken_back import Delivered
from node.store.working import analyses
from node.store.working.analyses import Analysis

Key = TypeVar("Key", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Before:
    """What peers have, and so what the new report and its texts take the place of."""

    reports: Mapping[Shape, tuple[ReportIdentity, ...]] = field(default_factory=dict)  #: of the peers of each shape
    texts: Mapping[str, tuple[ReportIdentity, ...]] = field(default_factory=dict)  #: of the peers of each language
    heat_maps: tuple[Delivered, ...] = ()  #: at whatever peer, that no note takes back


def predecessors(
    tx: Transaction, peers: Sequence[PeerSettings], study_uid: str, model: str, material: Material
) -> Before:
    """Return the newest report that each peer has which gets the one of this material, each once, the newest first.

    They are told apart by the shape in which peers get it: what an archive holds is no business of one that gets
    another object. Where a real peer gets a shape, what test peers have does not count; where none gets it, all of that
    shape are asked. One that waits counts where it stays, because the new report says the same, in the form that is
    offered first.
    """
    if material.latest is None:
        return Before()
    told = [peer for peer in peers if peer.gets]
    getting = _getting(tx, told, model, material)
    found = {peer.name: _before(tx, study_uid, model, peer.name, material) for peer in told}
    known = {name: analysis for name, analysis in found.items() if analysis is not None}
    reports = {shape: _reports(tx, _newest_first(asked, known)) for shape, asked in _asked(told, getting, shape_of)}
    of_language = _asked(told, getting, lambda peer: peer.language)
    texts = {language: _texts(tx, _newest_first(asked, known)) for language, asked in of_language}
    return Before(reports, texts, tuple(taken_back.heat_maps(tx, study_uid, model)))


def standing(tx: Transaction, peers: Iterable[PeerSettings], study_uid: str, model: str) -> list[str]:
    """Return the peers that have a report of a study by a model, or may have it, which nothing took back."""
    gets = (peer.name for peer in peers if peer.gets)
    return sorted(name for name in gets if analyses.at_peer(tx, study_uid, model, name, taken_back=False) is not None)


def _getting(tx: Transaction, peers: Sequence[PeerSettings], model: str, material: Material) -> list[str]:
    registration = registry.get(tx, model)
    mode = registration.mode if registration else "off"
    return destinations(peers, mode, material.outcome, synthetic=material.synthetic)


def _asked(
    peers: Sequence[PeerSettings], getting: Collection[str], alike: Callable[[PeerSettings], Key]
) -> Iterator[tuple[Key, list[str]]]:
    """Yield whose reports count, of the peers that are alike."""
    for key in dict.fromkeys(map(alike, peers)):
        these = [peer for peer in peers if alike(peer) == key]
        get_it = [peer for peer in these if peer.name in getting]
        real = [peer for peer in get_it if not peer.test]
        yield key, [peer.name for peer in real or get_it or these]


def _newest_first(peers: Sequence[str], known: Mapping[str, Analysis]) -> list[tuple[str, Analysis]]:
    found = [(peer, known[peer]) for peer in peers if peer in known]
    return sorted(found, key=lambda one: -one[1].id)  # stable: of one analysis in the order of the peers


def _reports(tx: Transaction, found: Iterable[tuple[str, Analysis]]) -> tuple[ReportIdentity, ...]:
    forms = (pinning.form_at(tx, analysis.id, peer) for peer, analysis in found)
    return tuple(dict.fromkeys(form for form in forms if form is not None))


def _texts(tx: Transaction, found: Iterable[tuple[str, Analysis]]) -> tuple[ReportIdentity, ...]:
    return tuple(dict.fromkeys(text for peer, analysis in found for text in extras.texts_there(tx, analysis.id, peer)))


def _before(tx: Transaction, study_uid: str, model: str, peer: str, material: Material) -> Analysis | None:
    told = outgoing.told(tx, study_uid, model, peer)
    said = material.conclusion, patient_key(material.header)
    if told is not None and (told.conclusion, told.patient_key) == said:
        return told
    return analyses.at_peer(tx, study_uid, model, peer)
