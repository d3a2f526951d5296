"""A database, a store and a receiver on them, joined as app joins them."""

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from node.config import Settings
from node.dicom.instance.part10 import part10_of
from node.dicom.samples.wrap import Subject, wrap_as_dx
from node.domain.identifiers import new_uid
from node.domain.rule import Rule
from node.network.incoming import Announced, IncomingInstance
from node.pipeline.delivery.commitment_heard import Hearing
from node.pipeline.intake.books import Books
from node.pipeline.intake.congestion import Congestion
from node.pipeline.intake.receive import Receiver
from node.pipeline.intake.recorder import Recorder
from node.pipeline.intake.recovery import Recovery
from node.pipeline.receive_policy import ReceivePolicy
from node.pipeline.steps import Reached, unobserved
from node.store.database import Database
from node.store.disk.files import Free, InstanceFiles
from tests.support.databases.rows import rows_in

OUR_DEVICE = "2.25.4242"
PIXELS = np.arange(64 * 64, dtype=np.uint16).reshape(64, 64)
SUBJECT = Subject("ID1", "Doe^Jane", "1.2.3", "1.2.3.1", "1.2.3.1.1", patient_age="003Y")


@dataclass
class Clock:
    """A clock that tests move."""

    now: datetime = datetime(2026, 1, 2, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        """Return the time that it was set to."""
        return self.now

    def forward(self, seconds: float) -> None:
        """Let time pass."""
        self.now += timedelta(seconds=seconds)


@dataclass
class House:
    """What a receiver stands on."""

    database: Database
    files: InstanceFiles
    folder: Path
    url: str
    clock: Clock = field(default_factory=Clock)
    rules: dict[str, Rule | None] = field(default_factory=lambda: {"starter": Rule(age_years=(1, 5))})
    woken: list[str] = field(default_factory=list)
    devices: frozenset[str] = frozenset({OUR_DEVICE})  #: of this node's models
    policy: ReceivePolicy = field(default_factory=lambda: ReceivePolicy(60, 900, frozenset({"test-pacs"})))
    least: Free = field(default_factory=lambda: Free(0, 0))  #: that must stay free

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Return what another connection sees: only what is committed."""
        return rows_in(self.url, query)

    def details(self, event: str) -> list[dict[str, Any]]:
        """Return what the audit says of each occurrence of an event."""
        rows = self.rows(f"SELECT detail FROM audit WHERE event = '{event}'")  # noqa: S608 - one of our own words
        return [json.loads(detail) if isinstance(detail, str) else detail for (detail,) in rows]

    def kept(self, below: str = "instances") -> list[Path]:
        """Return all files in one of the folders of its data."""
        return sorted(path for path in (self.folder / below).rglob("*") if path.is_file())

    def settings(self, **tables: Any) -> Settings:
        """Return the configuration of a node that stands on this, with further tables."""
        node = {"ae_title": "PACSNODE", "data_dir": self.folder, "port": 0}
        return Settings.model_validate({"node": node, "database": {"url": self.url}, **tables})

    def execute(self, statement: str) -> None:
        """Change rows as no operation of the node does."""
        self.database.write(lambda tx: tx.connection().exec_driver_sql(statement))

    def receive(self, came: IncomingInstance) -> int:
        """Bring an instance to a receiver with the policy as it is now, and return the status."""
        return receive(self.receiver, came)

    @property
    def receiver(self) -> Receiver:
        """Return a receiver with the policy as it is now."""
        return self.receiver_that_tells(unobserved)

    @property
    def books(self) -> Books:
        """Return the ledger that a receiver writes to."""
        return self._books(unobserved)

    def receiver_that_tells(self, reached: Reached) -> Receiver:
        """Return a receiver that calls `reached` at each step."""
        books = self._books(reached)
        return Receiver(self.files, books, Congestion(books.ping, self.files, self.least), reached)

    def _books(self, reached: Reached) -> Books:
        hearing = Hearing(
            serves=False, callers=(), titles={}, clock=self.clock, jitter=random.Random(1), new_uid=new_uid
        )
        return Books(self.database, self.files, self.recorder, hearing, self.wake, reached)

    @property
    def recovery(self) -> Recovery:
        """Return what a start does to files and rows."""
        return Recovery(self.database, self.files, self.recorder, self.clock)

    def wake(self) -> None:
        """Note that there is work."""
        self.woken.append("work")

    @property
    def recorder(self) -> Recorder:
        """Return a recorder with the policy as it is now."""
        return Recorder(lambda _: self.rules, self.devices, self.policy, self.clock)


def receive(receiver: Receiver, came: IncomingInstance) -> int:
    """Bring an instance to a receiver as an association does, in fragments of uneven lengths; return the status."""
    reception = receiver.begin(announced(came))
    for group in _fragments(came.dataset):
        try:
            reception.write(group)
        except BaseException:
            reception.abandon()
            raise
    return reception.finish()


def announced(came: IncomingInstance) -> Announced:
    """Return what command and association say of an instance before its dataset comes."""
    return Announced(
        came.sop_class_uid,
        came.sop_instance_uid,
        came.context_sop_class_uid,
        came.transfer_syntax_uid,
        came.calling_ae_title,
        came.called_ae_title,
        came.address,
    )


def _fragments(dataset: bytes) -> Iterator[list[memoryview]]:
    """Yield the dataset in three calls: one fragment, then two, then the rest; a short one in fewer."""
    view = memoryview(dataset)
    for bounds in ((0, 100), (100, 101, 1001), (1001, len(view))):
        group = [view[start:end] for start, end in pairwise(bounds) if view[start:end]]
        if group:
            yield group


def radiograph(pixels: "np.ndarray[Any, Any]" = PIXELS, **changes: Any) -> IncomingInstance:
    """Return a chest radiograph as it comes in; keywords change the subject."""
    return incoming(wrap_as_dx(pixels, replace(SUBJECT, **changes)))


def incoming(file: bytes, sender: str = "CR1") -> IncomingInstance:
    """Return what a peer that sends this file brings to the node."""
    part10 = part10_of(file)
    return IncomingInstance(
        part10.sop_class_uid,
        part10.sop_instance_uid,
        part10.sop_class_uid,
        part10.transfer_syntax_uid,
        sender,
        "PACSNODE",
        "127.0.0.1",
        part10.dataset,
    )
