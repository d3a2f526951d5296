"""What painted radiographs are worth: how like real ones they are, how much they vary, and whether they were copied.

It knows arrays, the classifier's features and a bundle that reads images; what painted them, it does not ask. None of
these figures says that an image shows a disease: a classifier that agrees with a label was learned from the same data.

References
----------
Heusel M et al., "GANs Trained by a Two Time-Scale Update Rule Converge to a Local Nash Equilibrium", NeurIPS 2017 (the
Fréchet distance between features) · Borji A, "Pros and Cons of GAN Evaluation Measures", CVIU 179, 2019 (nearest
neighbours against memorising).
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.bundle.folder import Bundle, BundleError, open_bundle
from models.data.labelled import Images, LabelledImages
from models.images.preprocess import network_input
from models.inference.generator import Generator
from models.inference.network import in_batches
from models.inference.reader import Reader, load

Vectors = NDArray[np.floating[Any]]
"""One vector an image, shape (images, numbers)."""

Describe = Callable[[Images], NDArray[np.float32]]
"""Network input of the classifier's size to its pooled features, shape (images, features)."""

COMPARED = 64
"""Rows and columns at which pixels are compared: fine enough to tell two children apart, too coarse for noise."""

CLOSEST = 5.0
"""Percentile of the nearest distances that stands for the closest ones."""


def measure(
    generator: Generator, reader: Reader, describe: Describe, train: LabelledImages, held_out: LabelledImages, seed: int
) -> dict[str, Any]:
    """Return what a generator's images are worth, as values that JSON can hold.

    As many images of each label are painted as there are held-out ones, and from the training images as many are drawn
    for the floor: all distances then carry the same bias of a finite number.

    Parameters
    ----------
    generator
        Paints; its labels stand for the data set's, in this order.
    reader
        Reads what is painted, with its admission as it is.
    describe
        Its classifier's features.
    train, held_out
        What the generator learned from, and what it never saw.
    seed
        Chooses the painted images and those of the floor.

    Returns
    -------
    dict
        `bundle` (that read them), `images` (painted), `admitted` and `agreed` (as `read_by` returns them), `frechet`
        and `frechet_floor`, `nearest_pixels`, `nearest_features` and `variety` (as the functions of these names return
        them).
    """
    counts = {name: int((held_out.labels == number).sum()) for number, name in enumerate(generator.labels)}
    painted = {name: generator.images(name, count, seed) for name, count in counts.items()}
    size = reader.manifest.classifier.size
    flat = [np.stack([network_input(image, None, False, COMPARED) for image in some]) for some in painted.values()]
    pixels = (np.concatenate(flat), train.views(COMPARED), held_out.views(COMPARED))
    seen = [np.stack([network_input(image, None, False, size) for image in some]) for some in painted.values()]
    features = tuple(describe(images) for images in (np.concatenate(seen), train.views(size), held_out.views(size)))
    floor = drawn_alike(train.labels, held_out.labels, seed)
    return {
        "bundle": {"name": reader.manifest.name, "device_uid": reader.manifest.device_uid},
        "images": counts,
        **read_by(reader, painted),
        "frechet": frechet_distance(features[0], features[2]),
        "frechet_floor": frechet_distance(features[1][floor], features[2]),
        "nearest_pixels": nearest(*(_vectors(images) for images in pixels)),
        "nearest_features": nearest(*features),
        "variety": variety(_vectors(pixels[0]), _vectors(pixels[2])),
    }


def measured_by(bundle: Path, seed: int = 0) -> Callable[[Generator, LabelledImages, LabelledImages], dict[str, Any]]:
    """Return `measure` with a bundle's reading and features, as a training asks for it.

    Raises
    ------
    BundleError
        Where the bundle cannot be used, or holds no weights of a compact ResNet.
    """
    reader, describe = load(bundle), pooled_features(open_bundle(bundle))
    return lambda generator, train, held_out: measure(generator, reader, describe, train, held_out, seed)


def read_by(reader: Reader, painted: dict[str, NDArray[np.float32]]) -> dict[str, dict[str, float]]:
    """Return the shares of painted images that a reader lets in, and of those in which it finds what the label says.

    Parameters
    ----------
    reader
        Any; what it does not let in agrees with nothing.
    painted
        Images of shape (images, size, size) by label. A label that is no class of the reader's stands for none of them.

    Returns
    -------
    dict
        `admitted` and `agreed`: each a share by label.
    """
    shares: dict[str, dict[str, float]] = {"admitted": {}, "agreed": {}}
    thresholds = {known.name: known.threshold for known in reader.manifest.classes}
    for label, images in painted.items():
        readings = [reader.read(eight_bits(image)) for image in images]
        right = [
            reading.admitted
            and all((reading.probabilities[name] >= limit) == (name == label) for name, limit in thresholds.items())
            for reading in readings
        ]
        shares["admitted"][label] = float(np.mean([reading.admitted for reading in readings]))
        shares["agreed"][label] = float(np.mean(right))
    return shares


def eight_bits(image: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Return an image in [0, 1] as the grey values that are stored of it, 0 to 255."""
    return np.asarray(np.rint(image * 255.0), np.uint8)


def frechet_distance(first: Vectors, second: Vectors) -> float:
    """Return the Fréchet distance between two sets of features, each taken for a normal distribution.

    Input shape
        (images, features) each, at least two images; the numbers of images may differ.

    Returns
    -------
    float
        0 for equal means and covariances. Only to be compared with distances in the same features between as many
        images.
    """
    means = first.mean(0, dtype=np.float64) - second.mean(0, dtype=np.float64)
    one, other = (np.atleast_2d(np.cov(np.asarray(some, np.float64), rowvar=False)) for some in (first, second))
    # The trace of the root of a product of covariances is that of a symmetric matrix with the same eigenvalues.
    half = _root(one)
    shared = np.sqrt(np.maximum(np.linalg.eigvalsh(half @ other @ half), 0.0)).sum()
    return float(max(means @ means + np.trace(one) + np.trace(other) - 2.0 * shared, 0.0))


def nearest_distances(vectors: Vectors, reference: Vectors) -> NDArray[np.float64]:
    """Return how far each vector is from the nearest one of a reference, as root mean square difference.

    Input shape
        (images, numbers), (reference images, numbers).

    Output shape
        (images,), float64, in the unit of the vectors.
    """
    return np.asarray(_distances(vectors, reference).min(1), np.float64)


def nearest(painted: Vectors, train: Vectors, held_out: Vectors) -> dict[str, float]:
    """Return how near painted and held-out images come to training images: copies would be far nearer than children.

    Returns
    -------
    dict
        `painted` and `held_out`: median distances to the nearest training image; `painted_closest` and
        `held_out_closest`: the 5th percentiles of them; `nearer_than_any`: share of the painted images that are nearer
        to a training image than any held-out one is.
    """
    ours, theirs = nearest_distances(painted, train), nearest_distances(held_out, train)
    return {
        "painted": float(np.median(ours)),
        "held_out": float(np.median(theirs)),
        "painted_closest": float(np.percentile(ours, CLOSEST)),
        "held_out_closest": float(np.percentile(theirs, CLOSEST)),
        "nearer_than_any": float((ours < theirs.min()).mean()),
    }


def variety(painted: Vectors, held_out: Vectors) -> dict[str, float]:
    """Return how far apart two images of one kind are on average: a generator that repeats itself has little of it.

    Returns
    -------
    dict
        `painted` and `held_out`: mean root mean square difference of all pairs.
    """
    return {"painted": _mean_of_pairs(painted), "held_out": _mean_of_pairs(held_out)}


def drawn_alike(labels: NDArray[np.int64], like: NDArray[np.int64], seed: int) -> NDArray[np.int64]:
    """Return the numbers of as many images of each label as another set has, drawn without putting back.

    Raises
    ------
    ValueError
        Where there are fewer of a label.
    """
    random = np.random.default_rng(seed)
    return np.concatenate(
        [
            random.choice(np.flatnonzero(labels == label), int((like == label).sum()), replace=False)
            for label in np.unique(like)
        ]
    )


def pooled_features(bundle: Bundle) -> Describe:
    """Return what the compact ResNet of a bundle knows of an image before its last layer.

    Raises
    ------
    BundleError
        Where the bundle does not hold the weights of a compact ResNet.
    """
    import keras  # noqa: PLC0415 TensorFlow only where features are needed

    from models.networks.compact_resnet import compact_resnet  # noqa: PLC0415 the same
    from models.networks.weights import assign  # noqa: PLC0415 the same

    if "classifier" not in bundle.arrays:
        raise BundleError(f"{bundle.path} holds no classifier.npz: there are no features to compare by")
    model = compact_resnet(bundle.manifest.classifier.size, len(bundle.manifest.classes))
    assign(model, bundle.arrays["classifier"])
    pooled = keras.Model(model.input, model.get_layer("pool").output)
    return lambda images: in_batches(lambda some: pooled(some, training=False), images)


def _vectors(images: Images) -> NDArray[np.float32]:
    return images.reshape(len(images), -1)


def _mean_of_pairs(vectors: Vectors) -> float:
    distances = _distances(vectors, vectors)
    return float(distances[~np.eye(len(vectors), dtype=bool)].mean())


def _distances(vectors: Vectors, reference: Vectors) -> NDArray[np.float64]:
    """Return all root mean square differences, shape (images, reference images)."""
    one, other = np.asarray(vectors, np.float64), np.asarray(reference, np.float64)
    squares = (one**2).sum(1)[:, np.newaxis] + (other**2).sum(1) - 2.0 * one @ other.T
    return np.asarray(np.sqrt(np.maximum(squares, 0.0) / one.shape[1]))


def _root(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the symmetric root of a covariance."""
    values, directions = np.linalg.eigh(matrix)
    return np.asarray((directions * np.sqrt(np.maximum(values, 0.0))) @ directions.T)
