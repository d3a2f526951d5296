"""Locked sets for tests: images that a random generator drew, labelled by what the starter says of them.

Its AUC there is 1 by making, so that a challenger which answers otherwise is worse.
"""

import hashlib
from datetime import datetime
from functools import lru_cache
from pathlib import Path

import numpy as np

from models.bundle.folder import read_manifest
from models.data.examples import Example, packed
from models.data.labelled import LabelledImages
from models.inference.reader import load
from node.pipeline.learning.frozen import SPLIT, Facts
from node.pipeline.learning.locked import SITE, Labelled, freeze, site_set
from node.pipeline.learning.places import Places
from node.pipeline.registry.catalogue import bundle_path
from node.store.database import Database


def drawn(count: int) -> list[np.ndarray]:
    """Return smooth images of 64 x 64, uint8; always the same ones."""
    random = np.random.default_rng(5)
    fields = [random.normal(size=(64, 64)).cumsum(0).cumsum(1) for _ in range(count)]
    return [(255 * (field - field.min()) / np.ptp(field)).astype(np.uint8) for field in fields]


@lru_cache
def labels_of(count: int) -> np.ndarray:
    """Return 1 for the half of so many drawn images that the starter finds likelier to show its class."""
    images = drawn(count)
    seen = LabelledImages(tuple(images), np.zeros(count, np.int64), ("",) * count, ("",) * count)
    reader = load(bundle_path("starter"))
    found = reader.logits(seen.views(reader.manifest.classifier.size))[:, 0]
    return (found >= np.median(found)).astype(np.int64)


def freeze_drawn(
    database: Database, data_dir: Path, count: int, now: datetime, name: str = site_set("starter")
) -> None:
    """Freeze a set of so many images, each of a patient of its own."""
    images = drawn(count)
    contents = {f"image{number}": packed(image, None, inverted=False) for number, image in enumerate(images)}
    rows = zip(contents, labels_of(count), strict=True)
    examples = [
        Example(one, int(label), f"patient{one}", SPLIT, hashlib.sha256(contents[one]).hexdigest(), {"blind": "yes"})
        for one, label in rows
    ]
    labelled = [Labelled(example, example.group, "") for example in examples]
    names = read_manifest(bundle_path("starter")).label_names
    freeze(database, Places(data_dir), Facts(name, 0, SITE, names), labelled, contents, "a test's", now)
