"""A site's expert beside a champion: who answers, and what is said of each place."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest
from numpy.typing import NDArray

from models.bundle.folder import open_bundle
from models.data.joint import together
from models.data.labelled import Images, LabelledImages
from models.evaluation.metrics import auc
from models.images.altered import KINDS
from models.inference.litert import LiteRT
from models.training.checkpoints import Work
from models.training.continued import members_in, weights_of
from models.training.expert import Expert, Head, beside, described, logarithms, member_network
from models.training.expert_fit import of_the_class, of_the_site, shown
from models.training.expert_stage import classifier_beside, strangers
from models.training.litert_export import exported
from models.training.recipe import ClassifierRecipe, RecipeError, read_recipe
from models.training.stages import altered_copies

LOGITS, MAP = "logits", "map"


SIZE = 32


def _members(bundle: Path) -> list[keras.Model]:
    return [member_network("compact_resnet", SIZE, open_bundle(bundle).arrays["classifier"]) for _ in range(2)]


def _head(features: int, bias: float, spread: float = 0.0) -> Head:
    return Head(np.random.default_rng(1).normal(0.0, spread, features) if spread else np.zeros(features), bias)


def test_an_image_that_is_not_the_sites_gets_the_champions_answer_and_map(tiny_bundle: Path) -> None:
    """To six digits; the site's image gets the expert's, whose map has it as its mean; it is served as it was built."""
    members = _members(tiny_bundle)
    images = np.random.default_rng(0).random((3, SIZE, SIZE, 1), np.float32)
    alone, features = members[0](images, training=False), described(members, images)
    own = _head(features.shape[1], 0.5, spread=0.02)

    others = beside(members, Expert(own.rounded(), _head(len(own.kernel), -40.0)))(images, training=False)
    sites = beside(members, Expert(own.rounded(), _head(len(own.kernel), 40.0)))(images, training=False)

    for name in (LOGITS, MAP):
        assert np.allclose(others[name], alone[name], atol=1e-5)
    assert np.allclose(np.asarray(sites[LOGITS])[:, 0], own(features), atol=5e-3)
    assert np.allclose(np.asarray(sites[MAP]).mean((1, 2)), sites[LOGITS], atol=1e-4)
    both = beside(members, Expert(own.scaled(2.0, -1.0).rounded(), _head(len(own.kernel), 0.3).rounded()))
    served = LiteRT(exported(both))(images)
    assert np.allclose(served[LOGITS], both(images, training=False)[LOGITS], atol=1e-3)


def _textured(count: int, strength: float, seed: int) -> Images:
    """Return images of noise, with stripes of some strength."""
    noise = np.random.default_rng(seed).random((count, 16, 16, 1), np.float32)
    noise[:, ::2] += strength
    return np.asarray(noise / noise.max(), np.float32)


def _seen(images: Images) -> NDArray[np.float32]:
    """Return how much rows differ, and columns do."""
    return np.stack([np.abs(np.diff(images, axis=axis)).mean((1, 2, 3)) for axis in (1, 2)], axis=1)


def test_the_expert_answers_for_the_sites_images_and_hardly_ever_for_altered_ones_of_others() -> None:
    """Though the site's are a quarter of those that it is fitted on; asked of images that it was not fitted on."""
    random = np.random.default_rng(3)
    site, others = shown(_textured(20, 2.0, 1), _seen, random), _textured(80, 0.0, 2)
    groups = np.array([f"patient {number // 2}" for number in range(80)])

    share = of_the_site(site, others, groups, _seen, seed=4)

    assert (share(logarithms(_seen(_textured(50, 2.0, 5)))) > 0).mean() > 0.9
    new = np.concatenate([_seen(altered_copies(_textured(50, 0.0, 6), kind, random)) for kind in KINDS])
    assert (share(logarithms(new)) > 0).mean() < 0.02


def test_a_class_is_learned_from_the_labels_of_the_sites_images() -> None:
    """Of a balanced training: the border lies between the kinds, however many there are of either."""
    few, many = _textured(5, 1.0, 1), _textured(45, 0.2, 2)
    site = shown(np.concatenate([few, many]), _seen, np.random.default_rng(3))

    own = of_the_class(site, np.repeat([1, 0], [5, 45]))

    assert own(_seen(_textured(20, 1.0, 4))).min() > 0 > own(_seen(_textured(20, 0.2, 5))).max()


def _studies(source: str, strength: float, seed: int) -> LabelledImages:
    """Return images of a patient each, those with the finding brighter on one side."""
    pixels, labels = _textured(48, strength, seed)[..., 0].repeat(2, 1).repeat(2, 2), np.tile([0, 1], 24)
    pixels[labels == 1, :, :16] *= 0.4
    names = tuple(f"{source}-{seed}-{number}" for number in range(len(labels)))
    columns = {"source": (source,) * len(labels), "sender": ("",) * len(labels)}
    return LabelledImages(tuple(pixels), labels, names, names, attributes=columns)


def test_a_training_beside_a_champion_leaves_it_what_is_not_the_sites(tiny_bundle: Path, tmp_path: Path) -> None:
    """And learns the class from the site's labels; from labels of one kind it learns nothing, and says so."""
    opened, site, others = open_bundle(tiny_bundle), _studies("site", 2.0, 1), _studies("old", 0.0, 2)
    plan = replace(
        read_recipe("site-64"), classifier=ClassifierRecipe(**opened.manifest.recipe["classifier"]), expert=True
    )
    work = Work(tmp_path, print, members_in(opened.arrays), tiny_bundle)
    images = {"train": together([site, others]), "val": _studies("site", 2.0, 3)}

    made = classifier_beside(plan, images, 1, work, lambda *_: None)

    new, champion = _studies("site", 2.0, 4), member_network("compact_resnet", SIZE, opened.arrays["classifier"])
    served = LiteRT(made.network)
    assert made.tried[0]["site_val"] > 0.9
    assert auc(new.labels, np.asarray(served(new.views(SIZE))[LOGITS][:, 0], np.float64)) > 0.9
    seen = _studies("old", 0.0, 5).views(SIZE)
    assert np.abs(served(seen)[LOGITS] - champion(seen, training=False)[LOGITS]).max() < 0.2

    one_kind = replace(site, labels=np.zeros_like(site.labels))
    with pytest.raises(RecipeError, match="one label"):
        classifier_beside(plan, {**images, "train": together([one_kind, others])}, 1, work, lambda *_: None)


def test_weights_of_another_network_are_no_beginning(tiny_bundle: Path) -> None:
    """A recipe of 64 pixels cannot go on from a network of 32."""
    with pytest.raises(RecipeError, match=r"holds the network \('compact_resnet', 32\)"):
        weights_of(tiny_bundle, read_recipe("site-64"))


def _from(sender: str, source: str, labels: Sequence[int]) -> LabelledImages:
    """Return images of a patient each, all alike."""
    names = tuple(f"{source}-{sender}-{number}" for number in range(len(labels)))
    columns = {"source": (source,) * len(labels), "sender": (sender,) * len(labels)}
    pixels = tuple(np.full((8, 8), 0.5, np.float32) for _ in labels)
    return LabelledImages(pixels, np.array(labels), names, names, attributes=columns)


def test_an_expert_answers_for_senders_whom_the_champion_serves_badly() -> None:
    """The known sender is not among them, one with few labels is; and all are where the champion serves all well."""
    labels = [0, 1] * 10
    known, other, few = (_from(name, "site", some) for name, some in (("A", labels), ("B", labels), ("C", [0, 1])))
    replayed = {"val": _from("unknown", "old", labels)}

    def says(images: LabelledImages) -> NDArray[np.float64]:
        right = np.where(np.array(images.attributes["sender"]) == "B", -1.0, 1.0)
        return np.asarray(right * images.labels)

    assert strangers({"train": together([known, other, few]), **replayed}, says) == {"B", "C"}
    assert strangers({"train": known, **replayed}, says) == {"A"}
    assert strangers({"train": together([known, other]), "val": known}, says) == {"A", "B"}
