"""What `check` says of peers: whether each answers, and how delivery to it stands."""

from collections.abc import Iterator
from datetime import datetime

from node.config import PeerSettings, Settings
from node.domain.errors import Permanent, Transient
from node.network.peer import ContextNotAccepted, PeerAddress
from node.network.scu import echo
from node.pipeline.check_line import CheckLine
from node.pipeline.delivery import delivery_standing
from node.store.database import Database

_ECHO_TIMEOUT_S = 5.0


def lines(settings: Settings) -> Iterator[CheckLine]:
    """Yield a line for each peer."""
    yield from (_peer(settings, peer) for peer in settings.peers)


def deliveries(settings: Settings, database: Database, now: datetime) -> Iterator[CheckLine]:
    """Say which peers are left alone because they do not answer, for which reports wait too long, what is held."""
    for name, fault, text in delivery_standing.troubles(settings, database, now):
        yield CheckLine(f"deliveries to {name}", "fault" if fault else "note", text)


def _peer(settings: Settings, peer: PeerSettings) -> CheckLine:
    try:
        echo(PeerAddress(peer.ae_title, peer.host, peer.port), settings.node.ae_title, timeout_s=_ECHO_TIMEOUT_S)
    except ContextNotAccepted as error:
        text = (
            f"{error}, so it cannot be asked whether it is there; it accepts associations, and reports leave on those"
        )
        return CheckLine(f"peer {peer.name}", "note", text)
    except (Transient, Permanent) as error:
        # a peer that only sends need not answer: many modalities have no acceptor
        return CheckLine(f"peer {peer.name}", "fault" if peer.gets else "note", str(error))
    return CheckLine(f"peer {peer.name}", "ok", f"{peer.ae_title} at {peer.host}:{peer.port} answered C-ECHO")
