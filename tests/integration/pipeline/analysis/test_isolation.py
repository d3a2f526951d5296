"""What decodes and reads may crash, hang or eat memory: it costs one attempt of one job, and the others go on."""

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from node.app.parts import Parts
from node.config import ModelSettings, NodeSettings, Settings
from node.domain.errors import WorkStopped
from node.domain.finding import Reading
from node.pipeline.analysis.read import Hands, Image, InstanceReader
from node.pipeline.analysis.read_in_child import Prepared
from node.pipeline.failure import described
from node.pipeline.registry.catalogue import Catalogue, registration_of
from node.runtime.child import Child
from node.runtime.keeping import Keeper
from node.store.listing import views
from node.store.registering import registry
from node.store.tables.choices import JobKind
from node.store.working import job_claims
from node.store.working.job_claims import ClaimedJob
from tests.support.houses import crashing
from tests.support.houses.house import House, radiograph

_ATTEMPTS = 2
_JPEG_2000 = "1.2.840.10008.1.2.4.90"


@dataclass
class Ward:
    """Reads that are claimed in batches, with one child that reads and one that decodes."""

    house: House
    catalogue: Catalogue
    child: Child
    decoder: Child
    read: Callable[..., list[Reading]] = crashing.read
    prepare: Callable[..., Prepared] = crashing.crash
    calls: list[int] = field(default_factory=list)  #: how many images each call of the child was given

    def work(self) -> None:
        """Claim and do what is due until nothing is left, whatever its backoff."""
        while jobs := self.claim():
            self.reader.handle(jobs)
            self.house.clock.forward(10)

    @property
    def reader(self) -> InstanceReader:
        """Return what the reading loop calls."""
        house, hands = self.house, Hands(self._read_images, lambda *given: self.decoder.call(self.prepare, *given))
        return InstanceReader(house.database, house.files, self.catalogue, hands, self.fail, house.clock, lambda: None)

    def claim(self) -> list[ClaimedJob]:
        """Take all that is due."""
        now = self.house.clock()
        return self.house.database.write(
            lambda tx: job_claims.claim_some(tx, [JobKind.READ], now, 60, "w", limit=32, max_attempts=_ATTEMPTS)
        )

    def fail(self, job: ClaimedJob, error: Exception) -> None:
        """Settle as failed."""
        arguments = (job, self.house.clock(), described(error))
        self.house.database.write(lambda tx: job_claims.fail(tx, *arguments, permanent=False, jitter=random.Random(1)))

    def jobs(self) -> list[tuple[str, int, str]]:
        """Return state, failures and last error of each read, in the order of the instances."""
        study = self.house.database.read(lambda tx: views.study(tx, "1.2.3", now=self.house.clock()))
        assert study is not None
        reads = sorted((job for job in study["jobs"] if job["kind"] == "read"), key=lambda job: job["sop_instance_uid"])
        return [(job["state"], job["failures"], job["last_error"]) for job in reads]

    def _read_images(self, images: Sequence[Image], *given: Any) -> list[Reading]:
        self.calls.append(len(images))
        found: list[Reading] = self.child.call(self.read, images, *given)
        return found


@pytest.fixture
def ward(house: House) -> Iterator[Ward]:
    """Five radiographs of one study that one model is to read."""
    row = registration_of(ModelSettings(name="starter"), require_validation=False)
    house.database.write(lambda tx: registry.seed(tx, row))
    for number in range(1, 6):
        pixels = np.arange(number, number + 256).reshape(16, 16).astype(np.uint16)
        assert house.receive(radiograph(pixels, sop_instance_uid=f"1.2.3.1.{number}")) == 0
    ward = Ward(house, Catalogue([row]), Child(20.0), Child(20.0, memory_mb=1024))
    yield ward
    ward.child.stop()
    ward.decoder.stop()


@pytest.fixture
def compressed(ward: Ward) -> None:
    """Have the third image count as compressed, so that a decoder is asked."""
    ward.house.execute(
        f"UPDATE instances SET transfer_syntax_uid = '{_JPEG_2000}' WHERE sop_instance_uid = '{crashing.GUILTY}'"  # noqa: S608 - two constants
    )


def _third_was_buried(ward: Ward, reason: str) -> None:
    jobs = ward.jobs()
    guilty = jobs.pop(2)
    assert jobs == [("done", 0, "")] * 4
    assert guilty[:2] == ("buried", _ATTEMPTS)
    assert reason in guilty[2]


def test_images_are_read_in_one_call_and_one_commit(ward: Ward) -> None:
    """Whatever is due, and each job keeps a row of its own."""
    before = ward.house.database.commits
    ward.reader.handle(ward.claim())
    assert ward.calls == [5]
    assert ward.house.database.commits - before == 2  # the claim, and all that was found
    assert ward.jobs() == [("done", 0, "")] * 5


@pytest.mark.database("any")
def test_a_crash_with_a_batch_in_hand_costs_an_attempt_of_the_image_that_crashed_alone(ward: Ward) -> None:
    """The members are read one by one after the death; who kills again is found, and buried in the end."""
    ward.read = crashing.read_or_crash
    ward.work()
    assert ward.calls == [5, 1, 1, 1, 1, 1, 1]
    _third_was_buried(ward, "died of signal SIGSEGV")


@pytest.mark.database("any")
@pytest.mark.usefixtures("compressed")
def test_a_decoder_that_crashes_takes_nothing_with_it(ward: Ward) -> None:
    """Compressed pixels are decoded in a process of their own: the one that has the model lives on."""
    ward.work()
    assert ward.calls == [4]
    _third_was_buried(ward, "died of signal SIGSEGV")


@pytest.mark.database("any")
@pytest.mark.usefixtures("compressed")
def test_a_decode_bomb_meets_the_limit_of_memory(ward: Ward) -> None:
    """The allocation fails in the child, and the machine's memory is left to others."""
    ward.prepare = crashing.explode
    ward.work()
    _third_was_buried(ward, "more than the 1024 MiB of memory")


@pytest.mark.database("any")
@pytest.mark.usefixtures("compressed")
def test_a_decoder_that_hangs_is_killed_at_its_deadline(ward: Ward) -> None:
    """And so often as its job may be tried."""
    ward.decoder.stop()
    ward.decoder, ward.prepare = Child(0.3), crashing.hang
    ward.work()
    _third_was_buried(ward, "longer than 0.3 s")


@pytest.mark.database("any")
def test_the_end_of_the_node_is_no_fault_of_the_work_in_hand(ward: Ward) -> None:
    """What was claimed goes back to waiting as it was, and is claimed by whoever starts next."""
    house, settings = ward.house, Settings(node=NodeSettings(ae_title="PACSNODE"))
    jitter = random.Random(1)
    parts = Parts(
        settings,
        house.database,
        house.files,
        ward.catalogue,
        house.clock,
        jitter,
        house.wake,
        lambda _: None,
        Keeper(60.0),
    )
    jobs = ward.claim()
    ward.child.stop()
    with pytest.raises(WorkStopped) as stopped:
        ward.reader.handle(jobs)
    parts.fail_jobs(jobs, stopped.value)
    assert ward.jobs() == [("waiting", 0, "")] * 5
    assert len(ward.claim()) == 5
