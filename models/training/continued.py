"""A training that goes on from another bundle: the weights of its classifiers, where the recipe's network is theirs.

It knows bundles and recipes; it builds no network.
"""

import hashlib
from collections.abc import Mapping
from itertools import count, takewhile
from pathlib import Path

from models.bundle.folder import Arrays, BundleError, open_bundle
from models.training.recipe import Recipe, RecipeError

CLASSIFIER = "classifier"


def weights_of(bundle: Path, plan: Recipe) -> tuple[Arrays, ...]:
    """Return the weights of a bundle's classifiers, in the order of its members.

    Raises
    ------
    RecipeError
        Where the bundle cannot be used, was not trained here, or knows other classes or another network.
    """
    try:
        opened = open_bundle(bundle)
    except BundleError as error:
        raise RecipeError(f"nothing can go on from the bundle {bundle}: {error}") from error
    own = opened.manifest.recipe.get(CLASSIFIER)
    network = (own["network"], own["size"]) if isinstance(own, dict) and {"network", "size"} <= own.keys() else None
    if network != (plan.classifier.network, plan.classifier.size):
        raise RecipeError(
            f"the bundle {bundle.name} holds the network {network}, and the recipe trains "
            f"{(plan.classifier.network, plan.classifier.size)}: train from scratch, or with the recipe of that bundle"
        )
    if tuple(one.name for one in opened.manifest.classes) != tuple(one.name for one in plan.classes):
        raise RecipeError(f"the bundle {bundle.name} knows other classes than the recipe: train from scratch")
    return members_in(opened.arrays)


def members_in(arrays: Mapping[str, Arrays]) -> tuple[Arrays, ...]:
    """Return the weights of the classifiers among all that a bundle holds, in their order."""
    names = (CLASSIFIER if place == 1 else f"{CLASSIFIER}-{place}" for place in count(1))
    return tuple(arrays[name] for name in takewhile(lambda name: name in arrays, names))


def array_digest(arrays: Arrays) -> str:
    """Return the SHA-256 over the names and values of weights, hexadecimal."""
    digest = hashlib.sha256()
    for name in sorted(arrays):
        digest.update(name.encode())
        digest.update(arrays[name].tobytes())
    return digest.hexdigest()
