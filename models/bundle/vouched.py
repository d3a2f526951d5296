"""Files of a folder that comes from elsewhere: plain ones alone, bounded, and compared with their digest.

Whoever can write a bundle can put anything in the place of a file: a link to another one, a pipe that never ends, a
device. It knows files and digests, and neither manifests nor what the files hold.
"""

import os
import stat
from collections.abc import Collection, Iterator
from hashlib import sha256
from pathlib import Path, PurePath

MOST_BYTES = 2 * 1024**3
"""Bytes of one file; what is larger is no ONNX file either (protobuf's limit)."""

MOST_TEXT = 64 * 1024**2
"""Bytes of a manifest or a signature."""

_PIECE = 1024**2


class BundleError(ValueError):
    """A bundle that must not be used; the message names file, key or variable."""


def refuse_changed(folder: Path, name: str, digest: str, unlisted: Collection[str] = ()) -> None:
    """Refuse a file that is not what a manifest lists; it is read in pieces and not kept.

    Parameters
    ----------
    folder
        Where the manifest lies.
    name
        The file, as the manifest calls it.
    digest
        Its SHA-256 by the manifest, hexadecimal.
    unlisted
        Names that no manifest lists.

    Raises
    ------
    BundleError
        Where the name leaves the folder, or the file is missing, no plain file, above `MOST_BYTES`, or has changed.
    """
    path, found = _place(folder, name, unlisted), sha256()
    for piece in _pieces(path, MOST_BYTES):
        found.update(piece)
    _refuse_other(path, found.hexdigest(), digest)


def vouched(folder: Path, name: str, digest: str, unlisted: Collection[str] = ()) -> bytes:
    """Return the bytes of a file that a manifest lists, once their digest has been compared.

    Parameters and errors are those of `refuse_changed`.
    """
    path = _place(folder, name, unlisted)
    content = plain_content(path, MOST_BYTES)
    _refuse_other(path, sha256(content).hexdigest(), digest)
    return content


def plain_content(path: Path, most: int = MOST_TEXT) -> bytes:
    """Return the bytes of a plain file.

    Raises
    ------
    BundleError
        Where it cannot be read, is no plain file, or holds more than `most` bytes.
    """
    return b"".join(_pieces(path, most))


def plain_digest(path: Path) -> str:
    """Return the SHA-256 of a plain file of any size up to `MOST_BYTES`, hexadecimal.

    Raises
    ------
    BundleError
        As `plain_content` does.
    """
    found = sha256()
    for piece in _pieces(path, MOST_BYTES):
        found.update(piece)
    return found.hexdigest()


def _place(folder: Path, name: str, unlisted: Collection[str]) -> Path:
    if PurePath(name).name != name or "\\" in name or "\0" in name or name in {"", ".", "..", *unlisted}:
        raise BundleError(f"the manifest of {folder} lists {name!r}, which is no plain file name")
    return folder / name


def _refuse_other(path: Path, found: str, digest: str) -> None:
    if found != digest:
        raise BundleError(f"{path} has changed: its SHA-256 is {found[:16]}..., the manifest's {digest[:16]}...")


def _pieces(path: Path, most: int) -> Iterator[bytes]:
    """Yield a plain file's bytes; looked at before it is opened, because opening a device may already do something."""
    try:
        _refuse_special(path, path.lstat())
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            _refuse_special(path, os.fstat(descriptor))  # it may have been exchanged since
            read = 0
            while piece := file.read(_PIECE):
                read += len(piece)
                if read > most:
                    raise BundleError(f"{path} holds more than {most} bytes, and no bundle's file does")
                yield piece
    except OSError as error:
        raise BundleError(f"{path} cannot be read: {error.strerror}") from error


def _refuse_special(path: Path, found: os.stat_result) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise BundleError(f"{path} is no plain file: a bundle holds no links, folders, pipes or devices")
