"""The classifier stage of a training beside a champion: the champion's members as they are, and a site's expert.

It knows bundles, recipes and labelled images; what the network is, `models.training.expert` knows.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import keras
import numpy as np
from numpy.typing import NDArray

from models.bundle.folder import Arrays, open_bundle
from models.bundle.manifest import Calibration, Manifest
from models.data.joint import SOURCE, of_source
from models.data.labelled import Images, LabelledImages
from models.evaluation.calibration import fit
from models.evaluation.metrics import auc
from models.inference.network import in_batches
from models.networks.weights import arrays_of
from models.training.checkpoints import Work
from models.training.draws import draws_of
from models.training.expert import Shown, beside, champion_network, fitted_expert
from models.training.export import LOGITS, MAP, exported
from models.training.recipe import ClassifierRecipe, Recipe, RecipeError
from models.training.stages import CHANCE, Classifier, Rows, Splits, Tell, named

EXPERT, SITE = "expert", "site"

EXPERTS = 3
"""Their mean answers: one alone, of a few hundred images, says more of its seed. They begin anew: on locked images of
chest_nih_adult adapt one that did reached an AUC of 0.81, and three that went on from the champion's 0.78."""

BORDER = 0.05
"""Share of the site's validation images that the champion may answer, so that fewer of the others get the experts'."""

MOST_REPLAYED = 1500
"""Replayed images that an expert sees: enough to know them from the site's, and they are not what it is for."""

FEWEST = 10
"""Patients of each label from which two numbers are fitted, or a sender is judged by itself."""

WORSE = 0.05
"""Of AUC: how much less than on replayed images the champion may reach on a sender's, which then counts as known."""

SENDER = "sender"


def classifier_beside(
    plan: Recipe, expert: ClassifierRecipe, images: Splits, seed: int, work: Work, tell: Tell
) -> Classifier:
    """Fit an expert for the site's images and put it beside the champion's classifiers.

    Raises
    ------
    RecipeError
        Where there is no champion to stand beside, its input cannot be made smaller to the expert's, there is
        nothing that is not the site's to tell it from, or the expert learned nothing.
    """
    champion = _champion(plan, expert, work)
    base = champion_network(plan.classifier.network, plan.classifier.size, work.begins)
    senders = strangers(images, lambda some: _said(base, some.views(plan.classifier.size)))
    train = images["train"], plan.classifier.size
    trained = [
        _expert(_name(place), (expert, seed * EXPERTS + place), train, senders, (work, tell))
        for place in range(1, EXPERTS + 1)
    ]
    experts, log = [one for one, _ in trained], tuple(row for _, rows in trained for row in rows)
    val = of_source(_told_apart(images["val"], _of(images["val"], senders)), SITE)
    own, being = _own(experts, val, (expert.size, plan.classifier.size))
    _refuse_unlearned(val, own)
    scale, shift = _meaning(val, own, champion.calibration)
    border = max(float(np.quantile(being, BORDER)), 0.0) if len(val) else 0.0
    network = exported(beside(base, experts, shift, scale, border))
    tried = {"seed": seed, "member": True, "site_val": _worth(val, own)}
    arrays = _members(work) | {_name(place): arrays_of(one) for place, one in enumerate(experts, 1)}
    return Classifier(arrays, network, 1, MAP, champion.classes[0].threshold, (tried,), log)


def _expert(
    stage: str,
    drawn: tuple[ClassifierRecipe, int],
    train: tuple[LabelledImages, int],
    senders: frozenset[str],
    how: tuple[Work, Tell],
) -> tuple[keras.Model, Rows]:
    """Fit one of the experts, each on other replayed images; return it and its log."""
    (plan, seed), (images, size), (work, tell) = drawn, train, how
    some = _shown(images, seed)
    of_site = _of(some, senders)
    seen = smaller(some.views(size), plan.size)
    shown = Shown(seen, some.labels, of_site, draws_of(_told_apart(some, of_site)))
    model, log = fitted_expert(shown, plan, seed, work.shelf(stage), partial(tell, stage))
    return model, named(stage, seed, log)


def _own(
    experts: Sequence[keras.Model], val: LabelledImages, sizes: tuple[int, int]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the experts' mean logits of validation images: of the class, and of being the site's."""
    if not len(val):
        return np.zeros(0), np.zeros(0)
    seen = smaller(val.views(sizes[1]), sizes[0])
    said = np.mean([in_batches(partial(_logits, one), seen) for one in experts], axis=0)
    return said[:, 0], said[:, 1]


def _name(place: int) -> str:
    return EXPERT if place == 1 else f"{EXPERT}-{place}"


def _members(work: Work) -> dict[str, Arrays]:
    """Return the champion's weights by the names that they have in a bundle."""
    return {f"classifier-{place}" if place > 1 else "classifier": dict(one) for place, one in enumerate(work.begins, 1)}


def smaller(images: Images, size: int) -> Images:
    """Return images of shape (images, n * size, n * size, 1) at `size`, by the mean of n x n pixels."""
    count, rows = len(images), images.shape[1] // size
    return np.asarray(images.reshape(count, size, rows, size, rows, 1).mean((2, 4)), np.float32)


def calibration_of(work: Work) -> Calibration:
    """Return the champion's calibration, which the network beside it keeps."""
    return open_bundle(_path(work)).manifest.calibration


def _path(work: Work) -> Path:
    if work.champion is None:
        raise RecipeError("an expert stands beside a champion, and none is named")
    return work.champion


def _champion(plan: Recipe, expert: ClassifierRecipe, work: Work) -> Manifest:
    manifest = open_bundle(_path(work)).manifest
    if plan.exclusive or plan.classifier.network != "compact_resnet" or expert.network != "compact_resnet":
        raise RecipeError("an expert stands beside a compact_resnet of one class, and is one: train from scratch")
    if plan.classifier.size % expert.size:
        raise RecipeError(f"{plan.classifier.size} pixels are no multiple of the expert's {expert.size}")
    return manifest


def strangers(images: Splits, says: Callable[[LabelledImages], NDArray[np.float64]]) -> frozenset[str]:
    """Return the senders whose images the champion serves badly: there the expert is to answer.

    A sender of whom too few patients are labelled counts as one; where the champion serves every sender as well as it
    does what is replayed, all do.

    Parameters
    ----------
    images
        By split.
    says
        Gives the champion's logits.
    """
    site, val = of_source(images["train"], SITE), images["val"]
    senders, replayed = _senders(site), np.array(val.attributes[SOURCE]) != SITE
    everybody = frozenset(senders.tolist())
    if not _both(val, replayed):
        return everybody
    known, here = auc(val.labels[replayed], says(val)[replayed]), says(site)
    bad = set()
    for name in everybody:
        own = senders == name
        if not _both(site, own) or auc(site.labels[own], here[own]) < known - WORSE:
            bad.add(name)
    return frozenset(bad) or everybody


def _senders(images: LabelledImages) -> NDArray[np.str_]:
    return np.array(images.attributes.get(SENDER, ("",) * len(images)), np.str_)


def _both(images: LabelledImages, some: NDArray[np.bool_]) -> bool:
    """Return whether there are patients enough of either label among some images."""
    groups = np.array(images.groups)
    return all(len(set(groups[some & (images.labels == label)].tolist())) >= FEWEST for label in (0, 1))


def _of(images: LabelledImages, senders: frozenset[str]) -> NDArray[np.bool_]:
    """Return which images are the site's and of one of these senders."""
    pairs = zip(images.attributes[SOURCE], _senders(images), strict=True)
    return np.array([source == SITE and sender in senders for source, sender in pairs], np.bool_)


def _told_apart(images: LabelledImages, of_site: NDArray[np.bool_]) -> LabelledImages:
    """Return the images, those of which the champion knows the like as of another place than the site."""
    places = tuple(SITE if one else "known" for one in of_site)
    return replace(images, attributes={**images.attributes, SOURCE: places})


def _shown(train: LabelledImages, seed: int) -> LabelledImages:
    """Return the site's images and some of what is replayed."""
    sources = np.array(train.attributes[SOURCE])
    others = np.flatnonzero(sources != SITE)
    if not len(others):
        raise RecipeError("an expert is told from what is replayed, and nothing is: name folders in replay")
    chosen = set(np.random.default_rng((seed, 5)).permutation(others)[:MOST_REPLAYED].tolist())
    marks = tuple("yes" if one == SITE or place in chosen else "no" for place, one in enumerate(sources))
    picked = of_source(
        replace(train, attributes={**train.attributes, "of": train.attributes[SOURCE], SOURCE: marks}), "yes"
    )
    return replace(picked, attributes={**picked.attributes, SOURCE: picked.attributes["of"]})


def _refuse_unlearned(val: LabelledImages, own: NDArray[np.float64]) -> None:
    worth = _worth(val, own)
    if worth is not None and worth <= CHANCE:
        raise RecipeError("the expert learned nothing: its answers on the site's validation images are chance")


def _worth(val: LabelledImages, own: NDArray[np.float64]) -> float | None:
    return auc(val.labels, own) if len(set(val.labels.tolist())) > 1 else None


def _meaning(val: LabelledImages, own: NDArray[np.float64], champion: Calibration) -> tuple[float, float]:
    """Return scale and shift by which the expert's logits mean what the champion's do: the same probability.

    An expert of a balanced training is left as it is where few patients say otherwise.
    """
    for label in (0, 1):
        if len({group for group, one in zip(val.groups, val.labels, strict=True) if one == label}) < FEWEST:
            return 1.0, 0.0
    found = fit(own, val.labels)
    if found.slope <= 0:
        return 1.0, 0.0
    return found.slope / champion.slope, (found.intercept - champion.intercept) / champion.slope


def _said(network: keras.Model, images: Images) -> NDArray[np.float64]:
    """Return the first logit of a network, shape (images,)."""
    return in_batches(partial(_logits, network), images)[:, 0]


def _logits(network: keras.Model, some: Images) -> NDArray[np.float64]:
    said = network(some, training=False)
    return np.asarray(said[LOGITS] if isinstance(said, dict) else said, np.float64)
