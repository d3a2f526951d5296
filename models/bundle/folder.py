"""One trained version on disk: a folder with manifest.json and the files that it lists.

It knows files, their digests and arrays; what a manifest may say is `models.bundle.manifest`'s. It knows no network:
`models.inference` runs what lies in the folder. Nothing is unpickled, no Keras file is opened, and no byte is read as
weights before its digest has been compared.
"""

import hashlib
import io
import json
import zipfile
from dataclasses import asdict, dataclass
from pathlib import Path, PurePath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.bundle.half import stored
from models.bundle.manifest import Manifest, sealed, served_files
from models.bundle.parse import parsed
from models.strict import FormError

__all__ = ["Arrays", "Bundle", "BundleError", "Manifest", "open_bundle", "write_arrays", "write_bundle"]

MANIFEST = "manifest.json"
LOG = "training-log.csv"
NUMBERS = ".npz"
UNLISTED = (MANIFEST, "manifest.sig")
"""What cannot stand in its own list: the manifest, and the signature of its bytes."""

Arrays = dict[str, NDArray[np.float32]]
"""The variables of one network, by their stable names."""


class BundleError(ValueError):
    """A bundle that must not be used; the message names file, key or variable."""


@dataclass(frozen=True, slots=True)
class Bundle:
    """An opened bundle: its manifest, and the contents that its digests vouch for."""

    path: Path
    manifest: Manifest
    networks: dict[str, bytes]  #: by file: what LiteRT or ONNX Runtime runs
    arrays: dict[str, Arrays]  #: by file name without .npz: admission, and weights for retraining such as classifier


def open_bundle(path: Path | str, text: bytes | None = None) -> Bundle:
    """Return the bundle in a folder, refused unless every file is what the manifest says.

    Parameters
    ----------
    path
        The folder.
    text
        The manifest's bytes, where they have been read already because of a signature.

    Raises
    ------
    BundleError
        Where a file is missing or changed (the manifest too), the manifest has another form or version or a value out
        of range, or a name leaves the folder.
    """
    folder = Path(path)
    manifest = _manifest(folder, text)
    contents = {name: _content(folder, name, digest) for name, digest in manifest.files.items()}
    networks = {name: contents[name] for name in served_files(manifest) if not name.endswith(NUMBERS)}
    numbers = {name: content for name, content in contents.items() if name.endswith(NUMBERS)}
    return Bundle(
        folder, manifest, networks, {Path(name).stem: _arrays(folder / name, numbers[name]) for name in numbers}
    )


def write_bundle(folder: Path, manifest: Manifest) -> None:
    """Write the manifest of a folder whose other files are already there, with its digests and Device UID made anew."""
    text = json.dumps(asdict(sealed(manifest)), indent=2, ensure_ascii=False, allow_nan=False)
    (folder / MANIFEST).write_text(text + "\n", encoding="utf-8")


def write_arrays(path: Path, arrays: Arrays) -> None:
    """Write variables as an npz that holds nothing but numbers: in half the space where no bit is lost by that."""
    with path.open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, **{name: stored(array) for name, array in arrays.items()})


def file_digests(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of every file in a folder but manifest and signature, by name."""
    files = sorted(path for path in folder.iterdir() if path.is_file() and path.name not in UNLISTED)
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def _manifest(folder: Path, text: bytes | None) -> Manifest:
    path = folder / MANIFEST
    try:
        return parsed(path.read_bytes() if text is None else text)
    except OSError as error:
        raise BundleError(f"{path} cannot be read: {error.strerror}") from error
    except FormError as error:
        raise BundleError(f"{path}: {error}") from error


def _content(folder: Path, name: str, digest: str) -> bytes:
    """Return a listed file's bytes, once their digest has been compared."""
    if PurePath(name).name != name or "\\" in name or name in {"", ".", "..", *UNLISTED}:
        raise BundleError(f"{folder / MANIFEST} lists {name!r}, which is no plain file name")
    path = folder / name
    try:
        content = path.read_bytes()
    except OSError as error:
        raise BundleError(f"{path} cannot be read: {error.strerror}") from error
    if hashlib.sha256(content).hexdigest() != digest:
        raise BundleError(f"{path} has changed: its SHA-256 is not the manifest's")
    return content


def _arrays(path: Path, content: bytes) -> Arrays:
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as stored:
            return {name: _number(stored[name]) for name in stored.files}
    except (ValueError, OSError, zipfile.BadZipFile) as error:
        raise BundleError(f"{path} is no npz of plain numbers: {error}") from error


def _number(array: NDArray[Any]) -> NDArray[np.float32]:
    """Return a stored array as float32; text or a structure is no weight."""
    if array.dtype.kind not in "fiub":
        raise ValueError(f"it holds values of type {array.dtype}")
    return np.asarray(array, np.float32)
