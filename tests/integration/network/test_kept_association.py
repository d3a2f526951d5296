"""Associations that are kept open between one instance and the next."""

import socket
from collections.abc import Iterator
from functools import partial

import pytest

from node.network.kept_association import KeptAssociation, KeptSearch
from node.network.peer import AssociationLost, PeerAddress, PeerUnreachable, Timeouts
from node.network.scu import OutgoingInstance
from tests.support.peers.pacs import Deed, Pacs, serving

SR, KEY_OBJECT, IMPLICIT = "1.2.840.10008.5.1.4.1.1.88.34", "1.2.840.10008.5.1.4.1.1.88.59", "1.2.840.10008.1.2"


@pytest.fixture
def pacs() -> Iterator[Pacs]:
    """Run a PACS that a test tells how to misbehave."""
    with serving(Pacs()) as running:
        yield running


def _kept(pacs: Pacs, longest_run: int = 500, answer_s: float = 10.0) -> KeptAssociation:
    timeouts = Timeouts(10.0, 10.0, answer_s)
    return KeptAssociation(PeerAddress("PACS", "127.0.0.1", pacs.port), "PACSNODE", timeouts, longest_run)


def _send(kept: KeptAssociation, number: int, sop_class: str = SR, others: tuple[str, ...] = ()) -> int:
    kept.open_for([(sop_class, IMPLICIT)], lambda: [(other, IMPLICIT) for other in others])
    return kept.store(OutgoingInstance(sop_class, f"1.2.{number}", IMPLICIT, b"\0" * 8)).status


def test_an_association_carries_so_many_at_most(pacs: Pacs) -> None:
    """Then the next one is opened."""
    kept = _kept(pacs, longest_run=2)
    assert [_send(kept, number) for number in range(5)] == [0] * 5
    kept.close()
    assert (pacs.associations, pacs.endings) == ([2, 2, 1], ["released"] * 3)
    assert not kept.is_open


def test_what_waits_is_proposed_too(pacs: Pacs) -> None:
    """So that an object of another SOP class leaves on the same association."""
    kept = _kept(pacs)
    _send(kept, 1, SR, (KEY_OBJECT,))
    _send(kept, 2, KEY_OBJECT)
    kept.close()
    assert pacs.associations == [2]


def test_what_was_not_proposed_opens_another(pacs: Pacs) -> None:
    """The one before is released in order."""
    kept = _kept(pacs)
    _send(kept, 1, SR)
    _send(kept, 2, KEY_OBJECT)
    kept.close()
    assert (pacs.associations, pacs.endings) == ([1, 1], ["released"] * 2)


def test_an_association_that_was_lost_while_idle_is_opened_anew_once(pacs: Pacs) -> None:
    """Twice in a row is a failure; so is the first instance on a new one."""
    pacs.deeds = [Deed.LEAVE_AFTERWARDS, Deed.LEAVE_AFTERWARDS, Deed.DROP]
    kept = _kept(pacs)
    assert [_send(kept, 1), _send(kept, 2)] == [0, 0]
    with pytest.raises(AssociationLost):
        _send(kept, 3)
    assert not kept.is_open
    assert _send(kept, 4) == 0
    kept.close()


def test_a_peer_that_falls_silent_is_not_asked_twice(pacs: Pacs) -> None:
    """It may be busy with what it has; a second one of the same would not help."""
    pacs.deeds = [Deed.ANSWER, Deed.SILENCE]
    kept = _kept(pacs, answer_s=1.0)
    _send(kept, 1)
    with pytest.raises(PeerUnreachable, match="did not answer"):
        _send(kept, 2)
    assert (pacs.came, kept.is_open) == (["1.2.1", "1.2.2"], False)


@pytest.mark.timeout(20)
def test_who_watches_ends_the_sending_too(pacs: Pacs) -> None:
    """To a peer that takes nothing; it is not waited for to take the abort, either."""
    pacs.deaf = True
    kept = KeptAssociation(PeerAddress("PACS", "127.0.0.1", pacs.port), "PACSNODE", Timeouts(10.0, 10.0, 60.0))

    def watch() -> None:
        raise LookupError

    kept.open_for([(SR, IMPLICIT)], lambda: ())
    with pytest.raises(LookupError):
        kept.store(OutgoingInstance(SR, "1.2.1", IMPLICIT, bytes(30_000_000)), watch)
    pacs.go_on.set()
    assert (kept.is_open, pacs.held) == (False, {})


@pytest.mark.parametrize("asks", [False, True])
def test_who_watches_ends_the_waiting_for_an_association(*, asks: bool) -> None:
    """The peer takes the connection and then nothing, as a process that was stopped does."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address, timeouts = PeerAddress("PACS", "127.0.0.1", silent.getsockname()[1]), Timeouts(10.0, 60.0, 60.0)

        def watch() -> None:
            raise LookupError

        kept, search = KeptAssociation(address, "PACSNODE", timeouts), KeptSearch(address, "PACSNODE", timeouts)
        ask = partial(search.studies, {"StudyInstanceUID": "1.2.3"}, watch)
        reach = ask if asks else partial(kept.open_for, [(SR, IMPLICIT)], lambda: (), watch)
        with pytest.raises(LookupError):
            reach()
        assert (kept.is_open, kept.offers) == (False, 0)


def test_who_watches_ends_the_waiting(pacs: Pacs) -> None:
    """What the watch raises is raised, and the association is aborted."""
    pacs.deeds = [Deed.SILENCE]
    kept = KeptAssociation(PeerAddress("PACS", "127.0.0.1", pacs.port), "PACSNODE", Timeouts(10.0, 10.0, 60.0))

    def watch() -> None:
        raise LookupError

    kept.open_for([(SR, IMPLICIT)], lambda: ())
    with pytest.raises(LookupError):
        kept.store(OutgoingInstance(SR, "1.2.1", IMPLICIT, b""), watch)
    assert not kept.is_open
