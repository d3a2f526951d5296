"""What the operator set for receiving."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from node.pipeline.senders import Sender


@dataclass(frozen=True, slots=True)
class ReceivePolicy:
    """When a study is composed, and which peers may hold what is about nobody."""

    quiet_period_s: float
    max_wait_s: float
    test_peers: frozenset[str] = frozenset()  #: their names: reports about synthetic studies may stand there
    senders: Mapping[str, Sender] = field(default_factory=dict)  #: by calling AE title
    release_grace_s: float = 5  #: after the release of an association
    ai_manufacturers: frozenset[str] = frozenset()  #: in lower case: what they derive is a result and no image
