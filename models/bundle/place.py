"""Putting a folder in place at once: complete, or not at all. It knows nothing of what the folder holds."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def appearing_at_once(out: Path) -> Iterator[Path]:
    """Give a folder beside `out` to write into; it becomes `out` when the block succeeds, and vanishes when not.

    Raises
    ------
    OSError
        Where nothing can be written beside `out`, or something came to stand there.
    """
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.name}-") as temporary:
        folder = Path(temporary) / out.name
        folder.mkdir()
        yield folder
        folder.replace(out)
