"""What the peers that get a report hold of its study already: which reports it takes the place of, and what stands.

A report that never left is nobody's predecessor, and one that only test peers hold is none of a real peer's.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from node.config import PeerSettings
from node.domain.report import ReportIdentity
from node.pipeline.analysis.conclude import destinations, patient_key
from node.pipeline.analysis.material import Material
from node.store.database import Transaction
from node.store.registering import registry
from node.store.sending import extras, outgoing, pinning
from node.store.stopping import taken_back
from node.store.stopping.taken_back import Delivered
from node.store.working import analyses
from node.store.working.analyses import Analysis


@dataclass(frozen=True, slots=True)
class Before:
    """What peers have, and so what the new report and its texts take the place of."""

    reports: tuple[ReportIdentity, ...] = ()
    texts: tuple[ReportIdentity, ...] = ()
    heat_maps: tuple[Delivered, ...] = ()  #: at whatever peer, that no note takes back


def predecessors(
    tx: Transaction, peers: Sequence[PeerSettings], study_uid: str, model: str, material: Material
) -> Before:
    """Return the newest report that each peer has which gets the one of this material, each once, the newest first.

    Where a real peer gets it, what test peers have does not count. Where none gets it, all are asked that get reports.
    One that waits counts where it stays, because the new report says the same, in the form that is offered first.
    """
    if material.latest is None:
        return Before()
    asked = _audience(tx, peers, model, material)
    found = [(_before(tx, study_uid, model, peer, material), peer) for peer in asked]
    known = [(analysis, peer) for analysis, peer in found if analysis is not None]
    known.sort(key=lambda one: -one[0].id)  # stable: of one analysis in the order of the peers
    forms = (pinning.form_at(tx, analysis.id, peer) for analysis, peer in known)
    texts = (text for analysis, peer in known for text in extras.texts_there(tx, analysis.id, peer))
    reports = tuple(dict.fromkeys(form for form in forms if form is not None))
    return Before(reports, tuple(dict.fromkeys(texts)), tuple(taken_back.heat_maps(tx, study_uid, model)))


def standing(tx: Transaction, peers: Iterable[PeerSettings], study_uid: str, model: str) -> list[str]:
    """Return the peers that have a report of a study by a model, or may have it, which nothing took back."""
    gets = (peer.name for peer in peers if peer.gets)
    return sorted(name for name in gets if analyses.at_peer(tx, study_uid, model, name, taken_back=False) is not None)


def _audience(tx: Transaction, peers: Sequence[PeerSettings], model: str, material: Material) -> list[str]:
    registration = registry.get(tx, model)
    mode = registration.mode if registration else "off"
    getting = destinations(peers, mode, material.outcome, synthetic=material.synthetic)
    tests = {peer.name for peer in peers if peer.test}
    real = [name for name in getting if name not in tests]
    return real or getting or [peer.name for peer in peers if peer.gets]


def _before(tx: Transaction, study_uid: str, model: str, peer: str, material: Material) -> Analysis | None:
    told = outgoing.told(tx, study_uid, model, peer)
    said = material.conclusion, patient_key(material.header)
    if told is not None and (told.conclusion, told.patient_key) == said:
        return told
    return analyses.at_peer(tx, study_uid, model, peer)
