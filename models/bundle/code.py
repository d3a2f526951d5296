"""Which code trained a bundle: one digest over the sources of the learned part. It runs none of them."""

import hashlib
from pathlib import Path

SOURCES = Path(__file__).resolve().parents[1]


def code_digest(folder: Path = SOURCES) -> str:
    """Return the SHA-256 over the names and contents of a package's Python files, hexadecimal.

    Parameters
    ----------
    folder
        The package; by default the learned part as it runs now.
    """
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*.py")):
        digest.update(
            f"{path.relative_to(folder).as_posix()} {hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode()
        )
    return digest.hexdigest()
