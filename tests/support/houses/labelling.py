"""Label objects sent to a house and read, as the loop would do it."""

import random
from typing import Any
from zoneinfo import ZoneInfo

from pydicom import Dataset

from node.domain.label import CurrentLabel
from node.domain.label_text import vocabulary
from node.pipeline.labels.label_policy import LabelPolicy
from node.pipeline.labels.label_reader import LabelReader
from node.store.labelling import label_inbox, labels
from node.store.listing import label_views
from tests.support.houses.house import House, incoming
from tests.support.objects.notes import file_of

POLICY = LabelPolicy(vocabulary({}, {}), {}, ZoneInfo("UTC"))


def mark(house: House, dataset: Dataset, sender: str = "PACS", policy: LabelPolicy = POLICY) -> None:
    """Let an object come in, and be read."""
    assert house.receive(incoming(file_of(dataset), sender)) == 0
    read(house, policy)


def read(house: House, policy: LabelPolicy = POLICY) -> int:
    """Do what the loop does, and return how many objects it took."""
    reader = LabelReader(house.database, house.files, policy, house.devices, house.clock, random.Random(1))
    taken = 0
    while (claimed := house.database.write(lambda tx: label_inbox.claim(tx, house.clock(), "test"))) is not None:
        taken += 1
        try:
            reader.handle(claimed)
        except Exception as error:  # noqa: BLE001 - as the work loop does
            reader.fail(claimed, error)
    return taken


def current(house: House) -> list[CurrentLabel]:
    """Return what counts."""
    return house.database.read(labels.current)


def said(house: House) -> dict[tuple[str, str], bool]:
    """Return what counts, by image and class."""
    return {(one.sop_instance_uid, one.class_name): one.present for one in current(house)}


def listed(house: House, state: str | None = None) -> list[dict[str, Any]]:
    """Return the listing."""
    return house.database.read(lambda tx: label_views.labels(tx, state=state))
