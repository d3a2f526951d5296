"""Painting radiographs of nobody with a generator's folder: a label and a seed in, images out.

The folder holds the generator as LiteRT runs it, the attribution of the data it learned from, its training log, and a
manifest with the digest of each. No TensorFlow, nothing unpickled, and no byte is run before its digest has been
compared. It knows no DICOM; that the images are marked as synthetic is for whoever writes them.
"""

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.bundle.folder import MANIFEST, BundleError, file_digests
from models.bundle.manifest import TrainingData, manifest_digest
from models.bundle.vouched import plain_content, vouched
from models.inference.network import Network, NetworkError
from models.inference.runtimes import load_network
from models.strict import build, within

GENERATOR = Path(__file__).parents[1] / "generator"
"""The generator that ships."""

FORMAT = 1
"""Version of the manifest's form; another one is refused."""

NETWORK, ATTRIBUTION = "generator.tflite", "ATTRIBUTION.txt"
IMAGE = "image"
"""Name of the exported network's output."""


@dataclass(frozen=True, slots=True)
class GeneratorManifest:
    """Everything that is needed to repeat a generator, to judge it and to run it."""

    format: int
    name: str
    version: str
    created_at: str  #: ISO 8601 in UTC
    labels: tuple[str, ...]  #: what can be asked for
    latent: int  #: numbers that make one image differ from the next
    spread: float  #: their standard deviation when images are made; below 1 for fewer oddities and less variety
    size: int  #: rows and columns of an image
    data: TrainingData
    recipe: dict[str, Any]
    seed: int
    software: dict[str, str]  #: versions by name
    measures: dict[str, Any]  #: as `models.evaluation.painted_measures` returns them
    files: dict[str, str]  #: SHA-256 of every other file of the folder, by name
    manifest_digest: str = ""


class Generator:
    """A loaded generator; one caller at a time.

    Parameters
    ----------
    manifest
        What its folder says of it.
    network
        The exported network, its digest compared.

    Raises
    ------
    BundleError
        Where LiteRT cannot run the network, or its inputs and output are not the manifest's.
    """

    def __init__(self, manifest: GeneratorManifest, network: bytes) -> None:
        self.manifest = manifest
        self._paint = _painter(network, manifest)

    @property
    def labels(self) -> tuple[str, ...]:
        """What can be asked for."""
        return self.manifest.labels

    def images(self, label: str, count: int, seed: int) -> NDArray[np.float32]:
        """Return images of nobody.

        The same arguments give the same images, and fewer of them give the first ones.

        Parameters
        ----------
        label
            One of `labels`.
        count
            How many, from 0.
        seed
            From 0; chooses the images.

        Returns
        -------
        numpy.ndarray
            Shape (count, size, size), float32 in [0, 1], low values dark as in MONOCHROME2.

        Raises
        ------
        ValueError
            Where the label is unknown, or count or seed is negative.
        """
        if label not in self.labels:
            raise ValueError(f"this generator knows no label {label!r}, only {', '.join(self.labels)}")
        if count < 0 or seed < 0:
            raise ValueError(f"count and seed are numbers from 0, not {count} and {seed}")
        number = self.labels.index(label)
        latent = np.random.default_rng((seed, number)).standard_normal((count, self.manifest.latent), np.float32)
        wanted = np.broadcast_to(np.eye(len(self.labels), dtype=np.float32)[number], (count, len(self.labels)))
        style = np.concatenate([latent * np.float32(self.manifest.spread), wanted], axis=1)
        images = np.empty((count, self.manifest.size, self.manifest.size), np.float32)
        for place in range(count):  # one at a time: a result must not depend on how many are asked for
            images[place] = self._paint(style[place : place + 1])[IMAGE][0, ..., 0]
        return np.asarray(np.clip(0.5 + 0.5 * images, 0.0, 1.0), np.float32)


def load_generator(path: Path | str = GENERATOR) -> Generator:
    """Return the generator in a folder.

    Parameters
    ----------
    path
        The folder; without one, the generator that ships.

    Raises
    ------
    BundleError
        Where a file is missing or changed (the manifest too), or the network is not what the manifest says.
    """
    folder = Path(path)
    manifest = read_manifest(folder)
    contents = {name: vouched(folder, name, digest, (MANIFEST,)) for name, digest in manifest.files.items()}
    return Generator(manifest, contents[NETWORK])


def read_manifest(folder: Path) -> GeneratorManifest:
    """Return what a generator's folder says of itself, its values in range and its digest compared.

    Raises
    ------
    BundleError
        Where the manifest cannot be read, has another form, or has changed.
    """
    path = folder / MANIFEST
    try:
        table = json.loads(plain_content(path))
        manifest = build(GeneratorManifest, table, "manifest")
        _check(manifest)
    except BundleError:
        raise
    except (ValueError, RecursionError) as error:  # FormError is a ValueError, and so is what json raises
        raise BundleError(f"{path}: {error}") from error
    if manifest.manifest_digest != manifest_digest(table):
        raise BundleError(f"{path} has changed: its content has another SHA-256 than manifest_digest")
    return manifest


def write_manifest(folder: Path, manifest: GeneratorManifest) -> None:
    """Write the manifest of a folder whose other files are already there, with all digests made anew."""
    listed = replace(manifest, files=file_digests(folder))
    table = json.loads(json.dumps(asdict(listed), allow_nan=False))
    table["manifest_digest"] = manifest_digest(table)
    (folder / MANIFEST).write_text(json.dumps(table, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _check(manifest: GeneratorManifest) -> None:
    within(manifest.format == FORMAT, "manifest.format", manifest.format, f"the number {FORMAT}")
    within(bool(manifest.labels), "manifest.labels", manifest.labels, "at least one label")
    within(len(set(manifest.labels)) == len(manifest.labels), "manifest.labels", manifest.labels, "each label once")
    for key in ("latent", "size"):
        within(0 < getattr(manifest, key) <= 1024, f"manifest.{key}", getattr(manifest, key), "a number from 1 to 1024")
    within(0 < manifest.spread <= 1, "manifest.spread", manifest.spread, "a number above 0, at most 1")
    for name in (NETWORK, ATTRIBUTION):
        within(name in manifest.files, "manifest.files", sorted(manifest.files), f"a digest of {name}")


def _painter(content: bytes, manifest: GeneratorManifest) -> Network:
    """Return the network, refused where it does not fit its description."""
    try:
        network = load_network(NETWORK, content)
        painted = network(np.zeros((1, manifest.latent + len(manifest.labels)), np.float32))
    except NetworkError as error:
        raise BundleError(f"{NETWORK}: {error}") from error
    found = {name: values.shape for name, values in painted.items()}
    if found != {IMAGE: (1, manifest.size, manifest.size, 1)}:
        raise BundleError(f"{NETWORK} gives {found}, where one image of {manifest.size} rows and columns is needed")
    return network
