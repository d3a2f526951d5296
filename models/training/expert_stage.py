"""The classifier stage of a training beside a champion: the champion's members as they are, and a site's expert.

It knows bundles, recipes and labelled images; what an expert is and learns from, its neighbours know.
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
from models.data.joint import SOURCE, of_source, together
from models.data.labelled import Images, LabelledImages
from models.evaluation.calibration import fit
from models.evaluation.metrics import auc
from models.inference.network import in_batches
from models.training.checkpoints import Work
from models.training.expert import Expert, Head, beside, described, member_network
from models.training.expert_fit import Describe, Shown, of_the_class, of_the_site, shown
from models.training.litert_export import LOGITS, MAP, exported
from models.training.recipe import Recipe, RecipeError
from models.training.stages import CHANCE, Classifier, Splits, Tell

EXPERT, SITE, KNOWN = "expert", "site", "known"

FEWEST = 10
"""Patients of each label from which two numbers are fitted, or a sender is judged by itself."""

WORSE = 0.05
"""Of AUC: how much less than on replayed images the champion may reach on a sender's, which then counts as known."""

MULTIPLE = 16
"""What the champion's input is a multiple of, so that the maps of all its stages fit onto each other."""

SENDER = "sender"

STEPS = 4
"""That are told of: whom the expert is for, what its images look like, the two logits, the network."""


def classifier_beside(plan: Recipe, images: Splits, seed: int, work: Work, tell: Tell) -> Classifier:
    """Fit an expert for the site's images and put it beside the champion's classifiers.

    Raises
    ------
    RecipeError
        Where there is no champion to stand beside, there is nothing that is not the site's to tell it from, or the
        expert learned nothing.
    """
    champion, steps = _champion(plan, work), partial(tell, EXPERT)
    members = [member_network(plan.classifier.network, plan.classifier.size, one) for one in work.begins]
    describe, size = partial(described, members), plan.classifier.size
    steps(0, STEPS)
    senders = strangers(images, lambda some: _said(members, some.views(size)))
    train, val = (_told_apart(images[split], _of(images[split], senders)) for split in ("train", "val"))
    learned, judged, others = of_source(train, SITE), of_source(val, SITE), of_source(train, KNOWN)
    _refuse_unlearnable(learned, others)
    steps(1, STEPS)
    site, held_out = (_shown(some, size, describe, seed) for some in (learned, judged))
    steps(2, STEPS)
    share = of_the_site(site, others.views(size), np.array(others.groups), describe, seed)
    steps(3, STEPS)
    says = of_the_class(site, learned.labels)(held_out.features[0])
    tried = {"seed": seed, "member": True, "site_val": _refuse_unlearned(judged, says)}
    own, loss = _of_all(together([learned, judged]), Shown(np.concatenate([site.features, held_out.features], axis=1)))
    expert = Expert(own.scaled(*_meaning(judged, says, champion.calibration)).rounded(), share.rounded())
    network = exported(beside(members, expert))
    steps(STEPS, STEPS)
    log = {"network": EXPERT, "seed": seed, "epoch": 1, "loss": loss}
    arrays = _members(work) | {EXPERT: expert.arrays()}
    return Classifier(arrays, network, 1, MAP, champion.classes[0].threshold, (tried,), (log,))


def _refuse_unlearnable(learned: LabelledImages, others: LabelledImages) -> None:
    if not len(others):
        raise RecipeError("an expert is told from what is replayed, and nothing is: name folders in replay")
    if len(set(learned.labels.tolist())) < 2:
        raise RecipeError("all images that an expert would answer for have one label: both are needed")


def _shown(images: LabelledImages, size: int, describe: Describe, seed: int) -> Shown:
    """Return images with their copies; none, of as many features, where there is no image."""
    seen = images.views(size) if len(images) else np.zeros((1, size, size, 1), np.float32)
    told = shown(seen, describe, np.random.default_rng((seed, 6)))
    return told if len(images) else Shown(told.features[:, :0])


def _of_all(images: LabelledImages, site: Shown) -> tuple[Head, float]:
    """Return the logit of the class by all labels, those of the validation too, and its loss on them.

    What validation says of the expert is said before, of one that has not seen it.
    """
    own = of_the_class(site, images.labels)
    wrong = np.where(images.labels == 1, -1.0, 1.0) * own(site.features[0])
    return own, float(np.logaddexp(0.0, wrong).mean())


def _members(work: Work) -> dict[str, Arrays]:
    """Return the champion's weights by the names that they have in a bundle."""
    return {f"classifier-{place}" if place > 1 else "classifier": dict(one) for place, one in enumerate(work.begins, 1)}


def calibration_of(work: Work) -> Calibration:
    """Return the champion's calibration, which the network beside it keeps."""
    return open_bundle(_path(work)).manifest.calibration


def _path(work: Work) -> Path:
    if work.champion is None:
        raise RecipeError("an expert stands beside a champion, and none is named")
    return work.champion


def _champion(plan: Recipe, work: Work) -> Manifest:
    manifest = open_bundle(_path(work)).manifest
    if plan.exclusive or plan.classifier.network != "compact_resnet" or plan.classifier.size % MULTIPLE:
        raise RecipeError(
            f"an expert stands beside a compact_resnet of one class whose input is a multiple of {MULTIPLE} pixels: "
            "train from scratch"
        )
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
    places = tuple(SITE if one else KNOWN for one in of_site)
    return replace(images, attributes={**images.attributes, SOURCE: places})


def _refuse_unlearned(val: LabelledImages, own: NDArray[np.float64]) -> float | None:
    """Return the AUC on validation images, where they have both labels."""
    worth = auc(val.labels, own) if len(set(val.labels.tolist())) > 1 else None
    if worth is not None and worth <= CHANCE:
        raise RecipeError("the expert learned nothing: its answers on the site's validation images are chance")
    return worth


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


def _said(members: Sequence[keras.Model], images: Images) -> NDArray[np.float64]:
    """Return the champion's logits, shape (images,)."""
    said = [in_batches(partial(_logits, model), images) for model in members]
    return np.asarray(np.mean(said, axis=0)[:, 0], np.float64)


def _logits(model: keras.Model, images: Images) -> NDArray[np.float64]:
    return np.asarray(model(images, training=False)[LOGITS], np.float64)
