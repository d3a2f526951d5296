"""Who stays in the lobby when it is full: connections that have not asked for an association yet, and those that leave.

Nobody can tell an honest stranger from another one before the A-ASSOCIATE-RQ has come, and a flood from many addresses
looks like a busy hospital. What can be told apart: who is on the way out; whose address is a peer's; who takes more
than a share; and whose request is on its way. It knows no socket but to name it, and closes none.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from node.network.pdu import HEADER

#: Half-open connections and those on their way out, together. Each costs a descriptor and what it has sent so far.
MAXIMUM_GUESTS = 128
MAXIMUM_GATHERED_BYTES = 16 << 20

#: More from one address are a crowd, and make way first. A gateway asks for several associations at once, as many as
#: [receive] max_associations_per_address lets it have by itself.
_SHARE = 16

#: So many requests that are on their way keep their places against whoever only connects; the others of them do not,
#: or a flood that sends a byte a second would keep newcomers out for as long as `association_timeout_s`.
_ON_THEIR_WAY = 64

_MOST_REMEMBERED = 1024


@dataclass(eq=False, slots=True)
class Guest:
    """A connection in the lobby.

    Parameters
    ----------
    connection, address
        The connection, and the peer's socket address.
    deadline
        When it has to be gone.
    heard_at
        When it came, or when the last bytes of its request did.
    """

    connection: Any
    address: tuple[Any, ...]
    deadline: float
    heard_at: float
    wanted_bytes: int = HEADER.size
    gathered: bytearray = field(default_factory=bytearray)
    is_leaving: bool = False

    @property
    def is_on_its_way(self) -> bool:
        """Whether the header of an A-ASSOCIATE-RQ has come, so that a length is known."""
        return self.wanted_bytes > HEADER.size


class Guests:
    """Those who are there, in the order of their coming; for one thread, but for `remember`.

    Parameters
    ----------
    known
        IP addresses of peers that are expected.
    """

    def __init__(self, known: frozenset[str] = frozenset()) -> None:
        self._there: dict[Guest, None] = {}
        self._known = known
        self._let_in: dict[str, None] = {}

    def __contains__(self, guest: Guest) -> bool:
        return guest in self._there

    def __iter__(self) -> Iterator[Guest]:
        return iter(self._there)

    def add(self, guest: Guest) -> None:
        """Note that it is there."""
        self._there[guest] = None

    def remove(self, guest: Guest) -> None:
        """Note that it is gone."""
        del self._there[guest]

    def remember(self, address: str) -> None:
        """Take an address from which an association was let in for a peer's; from any thread."""
        if len(self._let_in) < _MOST_REMEMBERED:
            self._let_in[address] = None

    def one_too_many(self) -> Guest | None:
        """Return who makes way because there are too many, or None where there is room."""
        return self.least() if len(self._there) > MAXIMUM_GUESTS else None

    def one_too_heavy(self) -> Guest | None:
        """Return who makes way because too much was gathered, or None: of the address that holds most, the oldest."""
        held: Counter[str] = Counter()
        for guest in self._there:
            held[guest.address[0]] += len(guest.gathered)
        if held.total() <= MAXIMUM_GATHERED_BYTES:
            return None
        (most, _), *_ = held.most_common(1)
        return next(guest for guest in self._there if guest.address[0] == most and guest.gathered)

    def least(self) -> Guest | None:
        """Return who makes way first, or None where nobody is there.

        First who is on the way out. Then of a crowd from one address, of strangers, and of known peers, in this order:
        who only connected before whose request is on its way, and among these who was silent for longest.
        """
        heard = sorted((guest.heard_at for guest in self._there if guest.is_on_its_way), reverse=True)
        since = heard[_ON_THEIR_WAY - 1] if len(heard) >= _ON_THEIR_WAY else 0.0
        held = Counter(guest.address[0] for guest in self._there if not guest.is_leaving)

        def worth(guest: Guest) -> tuple[bool, int, bool, float]:
            keeps_place = guest.is_on_its_way and guest.heard_at >= since
            return not guest.is_leaving, self._standing(guest.address[0], held), keeps_place, guest.heard_at

        return min(self._there, key=worth, default=None)

    def _standing(self, address: str, held: Counter[str]) -> int:
        if held[address] > _SHARE:
            return 0
        return 2 if address in self._known or address in self._let_in else 1
