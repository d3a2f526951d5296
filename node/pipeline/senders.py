"""How each sender is waited for, by its calling AE title: what the operator set of it, and what was learnt."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from node.config import PeerSettings, Settings
from node.domain.completion import learnt_quiet_period_s
from node.store.arriving import habits
from node.store.database import Transaction

LEARNT = "learnt"
"""What [[peers]] quiet_period_s says instead of a number."""


@dataclass(frozen=True, slots=True)
class Sender:
    """What the operator set of a peer that sends."""

    quiet_period_s: float | None = None  #: None: learnt from its own gaps
    urgent: bool = False
    query: bool = False  #: it may be asked what it holds
    one_study_per_association: bool = False


Senders = Mapping[str, Sender]
"""The senders that differ from the rest, by calling AE title."""


def senders_of(settings: Settings) -> dict[str, Sender]:
    """Return the senders by AE title; of two peers with one title, the first that may send."""
    senders: dict[str, Sender] = {}
    for peer in sorted(settings.peers, key=lambda peer: not peer.may_send):
        senders.setdefault(peer.ae_title, _sender(peer, settings.study.quiet_period_s))
    return senders


def quiet_periods_s(
    tx: Transaction, senders: Senders, default_s: float, calling_ae_titles: Collection[str]
) -> dict[str, float]:
    """Return the quiet period of each of these senders; where one is learnt, the database is asked once for all."""
    learnt = [title for title in calling_ae_titles if title in senders and senders[title].quiet_period_s is None]
    gaps = habits.gaps_of(tx, learnt) if learnt else {}
    return {title: _quiet_period_s(senders.get(title), gaps.get(title, ()), default_s) for title in calling_ae_titles}


def _sender(peer: PeerSettings, default_s: float) -> Sender:
    quiet = default_s if peer.quiet_period_s is None else peer.quiet_period_s
    return Sender(None if quiet == LEARNT else float(quiet), peer.urgent, peer.query, peer.one_study_per_association)


def _quiet_period_s(sender: Sender | None, gaps_s: Sequence[float], default_s: float) -> float:
    if sender is None:
        return default_s
    return learnt_quiet_period_s(gaps_s, default_s) if sender.quiet_period_s is None else sender.quiet_period_s
