"""A peer that does not answer is left alone for a while, and what waits for it waits in peace."""

from datetime import timedelta
from typing import Any

from structlog.testing import capture_logs

from node.config import DeliverSettings, NodeSettings, PeerSettings, Settings
from node.pipeline.delivery import delivery_standing
from node.pipeline.operator import operate
from node.store.listing import views
from node.store.sending import destinations, outgoing
from node.store.sending.destinations import Destination
from tests.support.houses.house import House, radiograph
from tests.support.houses.line import PACS, Line
from tests.support.peers.pacs import Deed, Pacs, serving

STUDIES = 3


def _reported(house: House, peer: PeerSettings) -> Line:
    settings = DeliverSettings(breaker_failures=2, breaker_pause_s=10, max_result_age_s=86400)
    line = Line(house, [peer], settings=settings)
    for number in range(STUDIES):
        uid = f"1.2.3{number or ''}"
        house.receive(radiograph(study_instance_uid=uid, sop_instance_uid=f"{uid}.1.1", series_instance_uid=f"{uid}.1"))
    line.report()
    return line


def _away() -> Pacs:
    """Return a PACS that had a port and is gone."""
    with serving(Pacs()) as pacs:
        return pacs


def _of(house: House, column: str) -> list[Any]:
    return [row[0] for row in house.rows(f"SELECT {column} FROM deliveries ORDER BY id")]  # noqa: S608 - a test's own


def _breaker(house: House) -> Destination:
    return house.database.read(lambda tx: destinations.get(tx, "pacs"))


def test_nothing_is_tried_at_a_peer_that_did_not_answer_a_few_times(house: House) -> None:
    """Two failures open the breaker; the others neither fail nor are told of in their studies."""
    pacs = _away()
    line = _reported(house, PACS.model_copy(update={"port": pacs.port}))
    line.deliver()
    assert sum(_of(house, "failures")) == 2
    assert set(_of(house, "state")) == {"waiting"}
    assert house.rows("SELECT count(*) FROM audit WHERE event = 'delivery failed'") == [(2,)]
    assert house.rows("SELECT count(*) FROM audit WHERE event = 'destination paused'") == [(1,)]
    courier = line.courier(line.peers[0])  # as after a restart
    assert (courier.claim(), courier.next_due()) == (None, _breaker(house).open_until)


def test_after_a_pause_one_delivery_is_tried_and_the_pause_doubles(house: House) -> None:
    """Up to a bound, with some jitter."""
    pacs = _away()
    line = _reported(house, PACS.model_copy(update={"port": pacs.port}))
    line.deliver()
    pauses = []
    for failures in range(3, 11):
        until = _breaker(house).open_until
        assert until is not None
        pauses.append((until - house.clock()).total_seconds())
        house.clock.now = until
        line.deliver()
        assert (_breaker(house).failures, sum(_of(house, "failures"))) == (failures, failures)
    assert all(0.8 * wanted <= pause <= 1.2 * wanted for wanted, pause in zip((10, 20, 40), pauses, strict=False))
    assert all(48 <= pause <= 72 for pause in pauses[3:])
    assert house.rows("SELECT count(*) FROM audit WHERE event = 'delivery failed'") == [(2,)]


def test_a_peer_that_is_back_gets_everything_at_once(house: House) -> None:
    """One answer closes the breaker; the timeline says what each report waited for."""
    pacs = _away()
    line = _reported(house, PACS.model_copy(update={"port": pacs.port}))
    line.deliver()
    house.clock.forward(3600)
    with serving(Pacs(port=pacs.port)) as back:
        assert line.deliver() == STUDIES
        assert back.associations == [STUDIES]
    assert _breaker(house).failures == 0
    assert _breaker(house).open_until is None
    assert house.rows("SELECT count(*) FROM audit WHERE event = 'destination back'") == [(1,)]
    sent = line.study()["timeline"][-1]["detail"]
    assert sent["waited_s"] == 3600
    assert "refused the connection" in sent["waited_for"]


def test_a_failure_that_a_wrong_clock_put_ahead_pauses_nothing(house: House) -> None:
    """The clock is set right, and the peer is tried."""
    with serving(Pacs()) as pacs:
        line = _reported(house, PACS.model_copy(update={"port": pacs.port}))
        right = house.clock()
        house.execute("UPDATE deliveries SET failures = 0")
        patience = line.delivering.patience
        for _ in range(9):
            house.database.write(
                lambda tx: destinations.failed(
                    tx, "pacs", right + timedelta(days=365), "no answer", patience, line.delivering.jitter
                )
            )
        assert line.deliver() == STUDIES


def test_a_retry_says_what_waits_behind_a_pause(house: House) -> None:
    """Nothing of it is buried, so that a retry puts nothing back; until when, and that it is of this peer."""
    line = _reported(house, PACS.model_copy(update={"port": _away().port}))
    settings = house.settings()
    assert operate.paused(settings, house.clock()) == []
    line.deliver()
    (said,) = operate.paused(settings, house.clock())
    assert said.startswith(f"deliveries to pacs: {STUDIES} wait; nothing is tried before 2026-01-02 12:")
    assert operate.retry(settings, [], [], house.clock(), everything=True) == 0


def test_what_waits_for_too_long_is_said_once_an_hour(house: House) -> None:
    """In the log, with the peer and since when, and without a patient."""
    pacs = _away()
    line = _reported(house, PACS.model_copy(update={"port": pacs.port}))
    line.settings = DeliverSettings(age_alarm_s=600)
    courier = line.courier(line.peers[0])
    with capture_logs() as logs:
        for _ in range(130):
            courier.next_due()
            house.clock.forward(60)
    said = [entry for entry in logs if entry["event"] == "reports wait for a peer"]
    assert [entry["peer"] for entry in said] == ["pacs", "pacs"]
    assert set(said[0]) == {"room", "peer", "since", "event", "log_level"}


def test_only_one_worker_tries_at_a_peer_whose_pause_is_over(house: House) -> None:
    """Others wait for what comes of it; if that worker dies, they try after another pause."""
    pacs = _away()
    line = _reported(house, PACS.model_copy(update={"port": pacs.port}))
    line.deliver()
    house.clock.forward(60)
    one, other = line.courier(line.peers[0]), line.courier(line.peers[0])
    assert one.claim() is not None
    assert other.claim() is None
    house.clock.forward(60)
    assert other.claim() is not None


def test_a_report_that_a_peer_chokes_on_does_not_keep_the_others_back(house: House) -> None:
    """It is tried again later; what waits behind it leaves meanwhile."""
    with serving(Pacs(deeds=[Deed.ABORT])) as pacs:
        line = _reported(house, PACS.model_copy(update={"port": pacs.port}))
        line.deliver()
        assert sorted(_of(house, "state")) == ["done"] * (STUDIES - 1) + ["waiting"]
        house.clock.forward(10)
        line.deliver()
        assert set(_of(house, "state")) == {"done"}


def test_what_waits_for_too_long_is_told(house: House) -> None:
    """In the listing, by the check as a fault, and until when nothing is tried."""
    pacs = _away()
    line = _reported(house, PACS.model_copy(update={"port": pacs.port}))
    line.deliver()
    since = house.database.read(lambda tx: outgoing.oldest_waiting(tx, "pacs"))
    assert since == house.clock()

    def listed(age_alarm_s: float) -> dict[str, Any]:
        return house.database.read(
            lambda tx: delivery_standing.told_of(tx, views.deliveries(tx), house.clock(), age_alarm_s)
        )[0]

    house.clock.forward(5)
    assert (listed(4)["overdue"], listed(6)["overdue"]) == (True, False)
    open_until = _breaker(house).open_until
    assert open_until is not None
    assert listed(4)["paused_until"] == open_until.isoformat()
    node, deliver = NodeSettings(ae_title="PACSNODE"), DeliverSettings(age_alarm_s=4)
    settings = Settings(node=node, peers=(PACS,), deliver=deliver)
    said = list(delivery_standing.troubles(settings, house.database, house.clock()))
    assert [(one.peer, one.is_fault) for one in said] == [("pacs", False), ("pacs", True)]
    assert "nothing is tried before" in said[0].text
    assert "age_alarm_s (4 s)" in said[1].text
