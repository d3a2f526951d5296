"""One trained version on disk: a folder with manifest.json and the files that it lists.

It knows the manifest's form, digests and arrays. It knows no network: the architecture is code, and `models.inference`
puts the two together. Nothing is unpickled, no Keras file is opened, and no byte is read as weights before its digest
has been compared.
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

from models.strict import FormError, build

FORMAT = 1
"""Version of the manifest's form; another one is refused."""

MANIFEST = "manifest.json"
ATTRIBUTION = "ATTRIBUTION.txt"
LOG = "training-log.csv"
WEIGHTS = ("classifier.npz", "autoencoder.npz", "admission.npz")

Arrays = dict[str, NDArray[np.float32]]
"""The variables of one network, by their stable names."""


class BundleError(ValueError):
    """A bundle that must not be used; the message names file, key or variable."""


@dataclass(frozen=True, slots=True)
class BundleClass:
    """A class that the model can find."""

    name: str
    finding: tuple[str, str, str]  #: code value, coding scheme, meaning
    site: tuple[str, str, str]  #: likewise
    threshold: float  #: probability of presence from which the finding counts as present, the operating point


@dataclass(frozen=True, slots=True)
class Preprocessing:
    """Input sizes, in pixels, of `models.preprocess.network_input` for each part."""

    classifier: int
    autoencoder: int
    admission: int


@dataclass(frozen=True, slots=True)
class AdmissionLimit:
    """The admission score up to which an image is read."""

    limit: float
    held_out_percentile: float  #: share of held-out chests, on shifted equipment, that the limit lets in, 0 to 100


@dataclass(frozen=True, slots=True)
class AnomalyNormals:
    """The autoencoder's scores of held-out normals, against which an image is placed."""

    width: int  #: channels of the autoencoder's first stage
    mean: float
    deviation: float
    quantiles: tuple[float, ...]  #: 101 scores, at the percentiles 0, 1, ... 100


@dataclass(frozen=True, slots=True)
class TrainingData:
    """What the bundle was trained on, and whose it is."""

    name: str
    licence: str
    attribution: str
    digest: str  #: SHA-256 over names, labels, groups and contents of the training and validation images
    images: dict[str, int]  #: images by split


@dataclass(frozen=True, slots=True)
class Manifest:
    """Everything that is needed to repeat a bundle, to judge it and to run it."""

    format: int
    name: str
    version: str
    device_uid: str
    created_at: str  #: ISO 8601, UTC
    classes: tuple[BundleClass, ...]
    preprocessing: Preprocessing
    admission: AdmissionLimit
    anomaly: AnomalyNormals
    data: TrainingData
    recipe: dict[str, Any]
    seed: int
    software: dict[str, str]  #: versions that trained it
    measures: dict[str, Any]  #: by split, as `models.evaluation` returns them
    weights_digest: str
    files: dict[str, str]  #: SHA-256 of every file beside the manifest, hexadecimal


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
        Where a file is missing or changed, the manifest has another form or version, or a name leaves the folder.
    """
    folder = Path(path)
    manifest = _manifest(folder)
    contents = {name: _content(folder, name, digest) for name, digest in manifest.files.items()}
    if manifest.weights_digest != weights_digest(manifest.files) or manifest.device_uid != device_uid(
        manifest.weights_digest
    ):
        raise BundleError(f"{folder / MANIFEST}: weights_digest and device_uid do not belong to these weights")
    return Bundle(folder, manifest, {Path(name).stem: _arrays(folder / name, contents[name]) for name in WEIGHTS})


def write_bundle(folder: Path, manifest: Manifest) -> None:
    """Write the manifest of a folder whose other files are already there."""
    (folder / MANIFEST).write_text(json.dumps(asdict(manifest), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def write_arrays(path: Path, arrays: Arrays) -> None:
    """Write the variables of one network as an npz that holds nothing but numbers."""
    with path.open("wb") as file:
        np.savez(file, allow_pickle=False, **{name: np.asarray(array, np.float32) for name, array in arrays.items()})


def file_digests(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of every file in a folder but the manifest, by name."""
    files = sorted(path for path in folder.iterdir() if path.is_file() and path.name != MANIFEST)
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def weights_digest(files: dict[str, str]) -> str:
    """Return the one digest that stands for all weights of a bundle, hexadecimal.

    Raises
    ------
    BundleError
        Where the files are not the three of a bundle.
    """
    missing = sorted(set(WEIGHTS) - set(files))
    if missing:
        raise BundleError(f"the manifest lists no {', '.join(missing)}")
    return hashlib.sha256("".join(f"{name} {files[name]}\n" for name in WEIGHTS).encode()).hexdigest()


def device_uid(digest: str) -> str:
    """Return the Device UID of these weights: under 2.25, from 128 bits of their digest (DICOM PS3.5 B.2)."""
    return f"2.25.{int(digest[:32], 16)}"


def _manifest(folder: Path) -> Manifest:
    path = folder / MANIFEST
    try:
        table = json.loads(path.read_bytes())
    except OSError as error:
        raise BundleError(f"{path} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise BundleError(f"{path} is not JSON: {error}") from error
    if not isinstance(table, dict) or table.get("format") != FORMAT:
        raise BundleError(f"{path} is not a manifest of format {FORMAT}")
    try:
        return build(Manifest, table, "manifest")
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
