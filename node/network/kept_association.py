"""Associations that are kept open between one thing sent, or asked, and the next; each for one thread.

An association costs a connection and two round trips, and some archives take seconds for it. What is kept is let go
by its holder, who knows when nothing more waits.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack

from node.network.peer import AssociationLost, PeerAddress, PeerUnreachable, Timeouts
from node.network.presentation import Syntaxes
from node.network.query import Search, open_search
from node.network.scu import MAXIMUM_CONTEXTS, OutgoingInstance, SendingAssociation, StoreAnswer
from node.network.upper_layer import Requestor

LONGEST_RUN = 500
"""So many instances at most on one association: some peers file what came only once it is released."""


class KeptAssociation:
    """An association on which instances are stored, opened when one is to be sent.

    Parameters
    ----------
    peer, calling_ae_title
        Who is sent to, and under which AE title.
    timeouts
        How long each step may take.
    longest_run
        How many instances one association carries at most.
    """

    def __init__(
        self,
        peer: PeerAddress,
        calling_ae_title: str,
        timeouts: Timeouts | None = None,
        longest_run: int = LONGEST_RUN,
    ) -> None:
        self._peer, self._calling_ae_title = peer, calling_ae_title
        self._timeouts, self._longest_run = timeouts or Timeouts(), longest_run
        self._requestor: Requestor | None = None
        self._association: SendingAssociation | None = None
        self._proposals: list[Syntaxes] = []
        self._stored = 0
        self.offers = 0
        """How often something may have left; whoever wants to know it of one instance sets it to 0 before."""

    @property
    def is_open(self) -> bool:
        """Whether an association stands, as far as is known."""
        return self._requestor is not None

    def open_for(
        self,
        syntaxes: Sequence[tuple[str, str]],
        others: Callable[[], Iterable[tuple[str, str]]],
        watch: Callable[[], None] | None = None,
    ) -> None:
        """See that an association stands that proposed a context for each of these pairs.

        Parameters
        ----------
        syntaxes
            Pairs of SOP Class UID and Transfer Syntax UID in which the next instance may leave.
        others
            Asked where an association is opened: what else it is to be good for.
        watch
            Called every second or so while the peer is slow; what it raises is raised here, and nothing stands then.

        Raises
        ------
        PeerUnreachable
            When no association comes about.
        """
        next_ones = [Syntaxes(*pair) for pair in syntaxes]
        if self._stored >= self._longest_run or any(pair not in self._proposals for pair in next_ones):
            self.close(watch)
        if self._requestor is None:
            wanted = dict.fromkeys((*next_ones, *(Syntaxes(*pair) for pair in others())))
            self._open(list(wanted)[:MAXIMUM_CONTEXTS], watch)

    def accepts(self, syntaxes: tuple[str, str]) -> bool | None:
        """Return whether the peer accepted this pair; None where it was not proposed, or no association stands."""
        pair = Syntaxes(*syntaxes)
        if self._requestor is None or pair not in self._proposals:
            return None
        return pair in self._requestor.accepted

    def store(self, instance: OutgoingInstance, watch: Callable[[], None] | None = None) -> StoreAnswer:
        """Send one instance on the association that `open_for` has opened, and return what the peer answered.

        Where a peer has ended an association that carried something before, and has not answered, this instance is
        sent once more on a new one: a peer may close what has been idle, and the same UID and bytes do no harm twice.

        Raises
        ------
        ContextNotAccepted
            When the peer did not accept that context; the association stands.
        PeerUnreachable
            When the peer does not answer; no association stands then.
        """
        is_reused = self._stored > 0
        try:
            return self._store(instance, watch)
        except AssociationLost:
            if not is_reused:
                raise
        self._open(self._proposals, watch)
        return self._store(instance, watch)

    def close(self, watch: Callable[[], None] | None = None) -> None:
        """Release the association, if one stands; `watch` is that of `open_for`."""
        requestor, self._requestor = self._requestor, None
        if requestor is not None:
            requestor.watch(watch)
            try:
                requestor.release()
            except BaseException:
                requestor.abort(at_once=True)
                raise

    def _abort(self, *, at_once: bool) -> None:
        requestor, self._requestor = self._requestor, None
        if requestor is not None:
            requestor.abort(at_once=at_once)

    def _open(self, proposals: list[Syntaxes], watch: Callable[[], None] | None) -> None:
        self._proposals, self._stored = proposals, 0
        self._requestor = Requestor(self._peer, self._calling_ae_title, proposals, self._timeouts, watch=watch)
        self._association = SendingAssociation(self._peer, self._requestor)

    def _store(self, instance: OutgoingInstance, watch: Callable[[], None] | None) -> StoreAnswer:
        if self._association is None or self._requestor is None:
            raise AssociationLost(f"no association with {self._peer} stands")
        self._association.context(instance)
        self.offers += 1
        try:
            answer = self._association.store(instance, watch)
        except BaseException as error:
            # what a watch has stopped is to leave no further, not even from the system's buffers
            self._abort(at_once=not isinstance(error, PeerUnreachable))
            raise
        self._stored += 1
        return answer


class KeptSearch:
    """An association on which a peer is asked what it holds, opened when it is asked first.

    Parameters
    ----------
    peer, calling_ae_title
        Who is asked, and under which AE title.
    timeouts
        How long each step may take.
    """

    def __init__(self, peer: PeerAddress, calling_ae_title: str, timeouts: Timeouts | None = None) -> None:
        self._peer, self._calling_ae_title, self._timeouts = peer, calling_ae_title, timeouts
        self._stack = ExitStack()
        self._search: Search | None = None

    def studies(self, keys: Mapping[str, str], watch: Callable[[], None] | None = None) -> list[dict[str, str]]:
        """Return the studies that match, as `node.network.query.Search.find` does and with its errors.

        `watch` is called every second or so while the peer is slow; what it raises is raised here.
        """
        is_reused = self._search is not None
        try:
            return self._studies(keys, watch)
        except AssociationLost:
            if not is_reused:
                raise
        return self._studies(keys, watch)

    def close(self) -> None:
        """Release the association, if one stands."""
        self._search = None
        self._stack.close()

    def _studies(self, keys: Mapping[str, str], watch: Callable[[], None] | None) -> list[dict[str, str]]:
        try:
            if self._search is None:
                opened = open_search(self._peer, self._calling_ae_title, self._timeouts, watch)
                self._search = self._stack.enter_context(opened)
            self._search.watch(watch)
            found = self._search.find("STUDY", keys)
        except BaseException as error:
            self._search, stack, self._stack = None, self._stack, ExitStack()
            stack.__exit__(type(error), error, error.__traceback__)  # which aborts it
            raise
        self._search.watch(None)
        return found
