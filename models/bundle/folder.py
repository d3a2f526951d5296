"""One trained version on disk: a folder with manifest.json and the files that it lists.

It knows the folder; what a manifest may say is `models.bundle.manifest`'s, what a file may be `models.bundle.vouched`'s
and what an npz may hold `models.bundle.numbers`'. It knows no network: `models.inference` runs what lies in the folder.
Nothing is unpickled, no Keras file is opened, and no byte is read as weights before its digest has been compared.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

from models.bundle.manifest import Manifest, sealed, served_files
from models.bundle.numbers import Arrays, LazyArrays, write_arrays
from models.bundle.parse import parsed
from models.bundle.vouched import BundleError, plain_content, plain_digest, refuse_changed, vouched
from models.strict import FormError

__all__ = [
    "Arrays",
    "Bundle",
    "BundleError",
    "Manifest",
    "intact_manifest",
    "open_bundle",
    "read_manifest",
    "write_arrays",
    "write_bundle",
]

MANIFEST = "manifest.json"
LOG = "training-log.csv"
SPENT = "training.json"
NUMBERS = ".npz"
UNLISTED = (MANIFEST, "manifest.sig")
"""What cannot stand in its own list: the manifest, and the signature of its bytes."""


@dataclass(frozen=True, slots=True)
class Bundle:
    """An opened bundle: its manifest, and the contents that its digests vouch for."""

    path: Path
    manifest: Manifest
    networks: dict[str, bytes]  #: by file: what LiteRT or ONNX Runtime runs
    arrays: Mapping[str, Arrays]
    """By file name without .npz: admission, and weights for retraining such as classifier; read when asked for."""


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
    manifest = intact_manifest(folder, text)
    content = {name: partial(vouched, folder, name, digest, UNLISTED) for name, digest in manifest.files.items()}
    networks = {name: content[name]() for name in served_files(manifest) if not name.endswith(NUMBERS)}
    numbers = {name: read for name, read in content.items() if name.endswith(NUMBERS)}
    return Bundle(folder, manifest, networks, LazyArrays(folder, numbers))


def intact_manifest(path: Path | str, text: bytes | None = None) -> Manifest:
    """Return the manifest of a bundle whose every file is what it says; nothing is expanded, loaded or kept.

    Parameters and errors are those of `open_bundle`.
    """
    folder = Path(path)
    manifest = read_manifest(folder, text)
    for name, digest in manifest.files.items():
        refuse_changed(folder, name, digest, UNLISTED)
    return manifest


def read_manifest(folder: Path, text: bytes | None = None) -> Manifest:
    """Return what a bundle says of itself, its own digest compared and that of no other file.

    Raises
    ------
    BundleError
        Where the manifest cannot be read, has changed, or has another form or version or a value out of range.
    """
    try:
        return parsed(plain_content(folder / MANIFEST) if text is None else text)
    except FormError as error:
        raise BundleError(f"{folder / MANIFEST}: {error}") from error


def write_bundle(folder: Path, manifest: Manifest) -> None:
    """Write the manifest of a folder whose other files are already there, with its digests and Device UID made anew."""
    text = json.dumps(asdict(sealed(manifest)), indent=2, ensure_ascii=False, allow_nan=False)
    (folder / MANIFEST).write_text(text + "\n", encoding="utf-8")


def file_digests(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of every file in a folder but manifest and signature, by name."""
    files = sorted(path for path in folder.iterdir() if path.is_file() and path.name not in UNLISTED)
    return {path.name: plain_digest(path) for path in files}
