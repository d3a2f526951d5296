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

import numpy as np
from numpy.typing import NDArray

from models.bundle.manifest import WEIGHTS, Manifest, parsed, sealed
from models.strict import FormError

__all__ = ["Arrays", "Bundle", "BundleError", "Manifest", "open_bundle", "write_arrays", "write_bundle"]

MANIFEST = "manifest.json"
LOG = "training-log.csv"

Arrays = dict[str, NDArray[np.float32]]
"""The variables of one network, by their stable names."""


class BundleError(ValueError):
    """A bundle that must not be used; the message names file, key or variable."""


@dataclass(frozen=True, slots=True)
class Bundle:
    """An opened bundle: its manifest, and the arrays that its digests vouch for."""

    path: Path
    manifest: Manifest
    arrays: dict[str, Arrays]  #: by network: classifier, autoencoder, admission


def open_bundle(path: Path | str) -> Bundle:
    """Return the bundle in a folder, refused unless every file is what the manifest says.

    Parameters
    ----------
    path
        The folder.

    Raises
    ------
    BundleError
        Where a file is missing or changed (the manifest too), the manifest has another form or version or a value out
        of range, or a name leaves the folder.
    """
    folder = Path(path)
    manifest = _manifest(folder)
    contents = {name: _content(folder, name, digest) for name, digest in manifest.files.items()}
    return Bundle(folder, manifest, {Path(name).stem: _arrays(folder / name, contents[name]) for name in WEIGHTS})


def write_bundle(folder: Path, manifest: Manifest) -> None:
    """Write the manifest of a folder whose other files are already there, with its digests and Device UID made anew."""
    text = json.dumps(asdict(sealed(manifest)), indent=2, ensure_ascii=False, allow_nan=False)
    (folder / MANIFEST).write_text(text + "\n", encoding="utf-8")


def write_arrays(path: Path, arrays: Arrays) -> None:
    """Write the variables of one network as an npz that holds nothing but numbers."""
    with path.open("wb") as file:
        np.savez(file, allow_pickle=False, **{name: np.asarray(array, np.float32) for name, array in arrays.items()})


def file_digests(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of every file in a folder but the manifest, by name."""
    files = sorted(path for path in folder.iterdir() if path.is_file() and path.name != MANIFEST)
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def _manifest(folder: Path) -> Manifest:
    path = folder / MANIFEST
    try:
        return parsed(path.read_bytes())
    except OSError as error:
        raise BundleError(f"{path} cannot be read: {error.strerror}") from error
    except FormError as error:
        raise BundleError(f"{path}: {error}") from error


def _content(folder: Path, name: str, digest: str) -> bytes:
    """Return a listed file's bytes, once their digest has been compared."""
    if PurePath(name).name != name or "\\" in name or name in {"", ".", "..", MANIFEST}:
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
            return {name: stored[name] for name in stored.files}
    except (ValueError, OSError, zipfile.BadZipFile) as error:
        raise BundleError(f"{path} is no npz of plain numbers: {error}") from error
