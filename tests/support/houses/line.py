"""The steps after receiving, moved by hand: read, compose, deliver; what a model says is the test's to choose."""

import base64
import pickle
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any

from pydicom import Dataset
from pydicom.filereader import read_dataset

from node.config import DeliverSettings, ModelSettings, PeerSettings, Settings
from node.domain.finding import Admission, Anomaly, Cause, Code, Finding, HeatGrid, Reading
from node.domain.identifiers import SOPInstanceUID
from node.domain.instance import InstanceHeader
from node.network.peer import Timeouts
from node.pipeline.analysis.beside import WriteExtra, write_extra
from node.pipeline.analysis.completion_signals import Closer
from node.pipeline.analysis.compose import Composer
from node.pipeline.analysis.read import Hands, Image, InstanceReader
from node.pipeline.analysis.read_in_child import Prepared, StoredImage, not_read
from node.pipeline.analysis.renditions import Order, write_renditions
from node.pipeline.analysis.result_writer import Writer
from node.pipeline.delivery import form_choice
from node.pipeline.delivery.deliver import Courier, Delivering
from node.pipeline.failure import described, is_permanent
from node.pipeline.registry.catalogue import Catalogue, registration_of
from node.pipeline.steps import AnalysisReached, analysis_unobserved
from node.pipeline.stopping.taking_back import NoteWriter
from node.store.database import Transaction
from node.store.listing import views
from node.store.registering import registry
from node.store.registering.registry import Registration
from node.store.sending import outbox
from node.store.sending.outbox import ClaimedDelivery
from node.store.tables.choices import JobKind, Mode
from node.store.working import analyses, job_claims
from node.store.working.job_claims import ClaimedJob
from tests.support.databases.claimed import claim_one
from tests.support.houses.house import House

PNEUMONIA = Code("233604007", "SCT", "Pneumonia")
LUNG = Code("39607008", "SCT", "Lung")
PACS = PeerSettings(name="pacs", ae_title="PACS", host="127.0.0.1", port=1, gets=("report",))
_HEAT = HeatGrid(8, 8, base64.b64encode(bytes(range(64))).decode())
HASTY = Timeouts(10.0, 10.0, 0.3)
"""For a peer that is not going to answer."""
TEST_PACS = PACS.model_copy(update={"name": "test-pacs", "test": True})


def positive(uid: SOPInstanceUID, probability: float = 0.9) -> Reading:
    """Return the reading of an admitted image."""
    finding = Finding("pneumonia", PNEUMONIA, LUNG, probability, 0.5)
    return Reading(uid, Admission(admitted=True, score=0.4, limit=1.0), (finding,), Anomaly(1.5, 93.0))


def hot(uid: SOPInstanceUID) -> Reading:
    """Return the reading of an image on which something was found at a known place."""
    reading = positive(uid)
    return replace(reading, findings=tuple(replace(finding, heat=_HEAT) for finding in reading.findings))


def negative(uid: SOPInstanceUID) -> Reading:
    """Return the reading of an admitted image without finding."""
    return positive(uid, 0.1)


def refused(uid: SOPInstanceUID) -> Reading:
    """Return the reading of an image that was not admitted."""
    sentence = "The image is not like those that the model was trained on."
    return not_read(uid, sentence, Cause.OUTSIDE_LIMITS)


@cache
def _registration(mode: Mode) -> Registration:
    return registration_of(ModelSettings(name="starter", mode=mode.value), require_validation=False)


_written: dict[bytes, list[list[bytes]]] = {}


def _written_once(orders: Sequence[Order], sources: Sequence[Path | InstanceHeader]) -> list[list[bytes]]:
    """Return what `write_renditions` does; it follows from its arguments, and hundreds of tests ask for the same."""
    given = [source.read_bytes() if isinstance(source, Path) else source for source in sources]
    key = pickle.dumps((orders, given))
    if key not in _written:
        _written[key] = write_renditions(orders, sources)
    return _written[key]


@dataclass
class Line:
    """The pipeline after receiving, on a house, with one model.

    Parameters
    ----------
    house
        Where everything is kept; its receiver brings the instances.
    peers
        The configured peers.
    mode
        The model's mode.
    says
        What the model says of an image.
    """

    house: House
    peers: Sequence[PeerSettings] = (PACS,)
    mode: Mode = Mode.ACTIVE
    says: Callable[[SOPInstanceUID], Reading] = positive
    attempts: int = 2
    settings: DeliverSettings = field(default_factory=DeliverSettings)
    timeouts: Timeouts = field(default_factory=Timeouts)
    write_extra: WriteExtra = write_extra
    reached: AnalysisReached = analysis_unobserved
    catalogue: Catalogue = field(init=False)

    def __post_init__(self) -> None:
        """Register the model and open its bundle."""
        row = _registration(self.mode)
        self.house.database.write(lambda tx: registry.seed(tx, row))
        self.catalogue = Catalogue([row])

    @property
    def configuration(self) -> Settings:
        """The configuration of its node, for verbs."""
        return self.house.settings(peers=self.peers)

    def read(self) -> int:
        """Do all reads that are due and return how many succeeded."""
        house = self.house
        hands = Hands(self._read_images, lambda image, *_: Prepared(image.sop_instance_uid, ()), reached=self.reached)
        reader = InstanceReader(
            house.database, house.files, self.catalogue, hands, self._fail, house.clock, lambda: None
        )
        return self._work(JobKind.READ, lambda job: reader.handle([job]))

    def compose(self) -> int:
        """Do all composes that are due and return how many succeeded."""
        house = self.house
        policy = house.policy
        closer = Closer(policy.quiet_period_s, policy.max_wait_s, policy.senders)
        notes = NoteWriter(house.database, self.peers, house.clock)
        composer = Composer(
            house.database,
            self.catalogue,
            self.peers,
            closer,
            house.clock,
            lambda: None,
            writer=Writer(house.files, _written_once, self.write_extra, notes.of_heat_maps, self.reached),
        )
        return self._work(JobKind.COMPOSE, composer.handle)

    def report(self) -> int:
        """Let the quiet period pass and do all that is due."""
        self.house.clock.forward(61)
        self.read()
        return self.compose()

    def deliver(self) -> int:
        """Do all deliveries that are due and return how many were handled without an error."""
        return sum(self.deliver_to(peer) for peer in self.peers if peer.gets)

    def deliver_to(self, peer: PeerSettings, most: int | None = None) -> int:
        """Do the deliveries to one peer that are due, this many at most; return how many raised no error."""
        courier, handled, taken = self.courier(peer), 0, 0
        while taken != most and (delivery := courier.claim()) is not None:
            taken += 1
            try:
                courier.handle(delivery)
                handled += 1
            except Exception as error:  # noqa: BLE001 - as the work loop does
                courier.fail(delivery, error)
        courier.close()
        return handled

    def courier(self, peer: PeerSettings) -> Courier:
        """Return a courier to a peer."""
        return Courier(self.delivering, peer, "test")

    @property
    def delivering(self) -> Delivering:
        """What couriers are given."""
        test_peers = {peer.name for peer in self.peers if peer.test}
        house, jitter = self.house, random.Random(1)
        return Delivering(house.database, "PACSNODE", self.settings, test_peers, house.clock, jitter, self.timeouts)

    def deliveries(self) -> list[dict[str, Any]]:
        """Return all deliveries as the operator sees them."""
        return self.house.database.read(lambda tx: views.study(tx, "1.2.3", now=self.house.clock()))["deliveries_made"]

    def study(self) -> dict[str, Any]:
        """Return everything about the one study of these tests."""
        return self.house.database.read(lambda tx: views.study(tx, "1.2.3", now=self.house.clock()))

    def told(self, event: str) -> list[dict[str, Any]]:
        """Return what the timeline of that study says of each occurrence of an event."""
        return [entry["detail"] for entry in self.study()["timeline"] if entry["event"] == event]

    def reports(self) -> list[Dataset]:
        """Return every report that was composed, the oldest first."""
        rows = self.house.database.read(self._renditions)
        return [read_dataset(BytesIO(row), is_implicit_VR=True, is_little_endian=True) for row in rows]

    def _renditions(self, tx: Transaction) -> list[bytes]:
        numbers = [analysis["id"] for analysis in views.study(tx, "1.2.3", now=self.house.clock())["analyses"]]
        found = (analyses.first_form(tx, number) for number in numbers)
        return [rendition.dataset for rendition in found if rendition is not None]

    def _read_images(self, images: Sequence[Image], bundle: Path, _key: Path | None) -> list[Reading]:
        assert all(image.path.is_file() for image in images if isinstance(image, StoredImage))
        assert bundle.is_dir()
        return [self.says(image.sop_instance_uid) for image in images]

    def _work(self, kind: JobKind, handle: Callable[[ClaimedJob], None]) -> int:
        succeeded = 0
        while (job := self._claim(kind)) is not None:
            try:
                handle(job)
                succeeded += 1
            except Exception as error:  # noqa: BLE001 - as the work loop does
                self._fail(job, error)
        return succeeded

    def _claim(self, kind: JobKind) -> ClaimedJob | None:
        now = self.house.clock()
        return self.house.database.write(lambda tx: claim_one(tx, [kind], now, 60, "test", max_attempts=self.attempts))

    def _fail(self, job: ClaimedJob, error: Exception) -> None:
        arguments = (job, self.house.clock(), described(error))
        self.house.database.write(
            lambda tx: job_claims.fail(tx, *arguments, permanent=is_permanent(error), jitter=random.Random(1))
        )

    def claim_delivery(self) -> ClaimedDelivery | None:
        """Take the next delivery that is due, and pin its preferred form, as for a peer that accepts all."""
        names = [peer.name for peer in self.peers]

        def taken(tx: Transaction) -> ClaimedDelivery | None:
            now = self.house.clock()
            claimed = outbox.claim(tx, now, 60, "test", names)
            return None if claimed is None else form_choice.pin_while_open(tx, claimed, lambda _: True, now)

        return self.house.database.write(taken)

    def fail_delivery(self, delivery: ClaimedDelivery, error: Exception) -> None:
        """Settle a delivery as failed."""
        arguments = (delivery, self.house.clock(), described(error))
        self.house.database.write(
            lambda tx: outbox.fail(tx, *arguments, permanent=is_permanent(error), jitter=random.Random(1))
        )
