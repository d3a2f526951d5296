"""Work that ends its process, hangs or takes all memory: for child processes, which find it by its name."""

import os
import signal
from collections.abc import Sequence
from pathlib import Path

from node.domain.finding import Reading
from node.pipeline.analysis.read import Image
from node.pipeline.analysis.read_in_child import Prepared, StoredImage, not_read

GUILTY = "1.2.3.1.3"
"""The SOP Instance UID of the image that crashes its reader."""


def read(images: Sequence[Image], _bundle: Path, _key: Path | None) -> list[Reading]:
    """Read images without a model."""
    return [not_read(image.sop_instance_uid, "Read.") for image in images]


def read_or_crash(images: Sequence[Image], bundle: Path, key: Path | None) -> list[Reading]:
    """Read images, of which one crashes the process, as native code does that writes where it must not."""
    if any(image.sop_instance_uid == GUILTY for image in images):
        os.kill(os.getpid(), signal.SIGSEGV)
    return read(images, bundle, key)


def crash(_image: StoredImage, _bundle: Path, _key: Path | None) -> Prepared:
    """Crash at once."""
    os.kill(os.getpid(), signal.SIGSEGV)
    raise AssertionError


def hang(_image: StoredImage, _bundle: Path, _key: Path | None) -> Prepared:
    """Never come back."""
    while True:
        signal.pause()


def explode(image: StoredImage, _bundle: Path, _key: Path | None) -> Prepared:
    """Decode a few bytes into more memory than a child may have."""
    return Prepared(image.sop_instance_uid, tuple(bytearray(4 << 30)))  # type: ignore[arg-type]
