"""Putting a folder in place at once: complete, or not at all. It knows nothing of what the folder holds."""

import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_MADE_UP = re.compile(r"\.(.+)-[a-z0-9_]{8}")  # as tempfile draws names


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


def remains(parent: Path, name: str | None = None) -> Iterator[Path]:
    """Yield what is left in `parent` of folders that were to appear there when their process was killed.

    Only what has the very form that `appearing_at_once` makes: a name of its own choice, holding at most the folder.

    Parameters
    ----------
    parent
        Where they were to appear.
    name
        Of the one that is meant; left out, all are, and nobody may be writing there.

    Raises
    ------
    OSError
        Where one cannot be looked into.
    """
    for left in parent.glob(".*"):
        named = _MADE_UP.fullmatch(left.name)
        if named is None or name not in {None, named[1]}:
            continue
        if left.is_dir() and {path.name for path in left.iterdir()} <= {named[1]}:
            yield left
