"""A site's expert beside a champion: who answers, and what is said of each place."""

from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np
import pytest
from numpy.typing import NDArray

from models.bundle.folder import open_bundle
from models.data.joint import together
from models.data.labelled import LabelledImages
from models.inference.litert import LiteRT
from models.networks.catalogue import classifier
from models.training.continued import weights_of
from models.training.expert import beside, champion_network
from models.training.expert_stage import strangers
from models.training.export import exported
from models.training.recipe import RecipeError, read_recipe

LOGITS, MAP = "logits", "map"


def _expert(domain: float) -> keras.Model:
    """Return an untrained expert that says of every image how much it is the site's."""
    keras.utils.set_random_seed(1)
    model = classifier("compact_resnet", 16, 2)
    kernel, _ = model.layers[-1].get_weights()
    kernel[:, 1] = 0.0
    model.layers[-1].set_weights([kernel, np.array([0.5, domain], np.float32)])
    return model


def test_an_image_that_is_not_the_sites_gets_the_champions_answer_and_map(tiny_bundle: Path) -> None:
    """To six digits; the site's image gets the expert's, shifted; and it is served as it was built."""
    champion = champion_network("compact_resnet", 32, [open_bundle(tiny_bundle).arrays["classifier"]])
    images = np.random.default_rng(0).random((3, 32, 32, 1), np.float32)
    alone = champion(images, training=False)

    others = beside(champion, [_expert(-40.0)], shift=3.0)(images, training=False)
    own = beside(champion, [_expert(40.0)], shift=3.0)(images, training=False)

    for name in (LOGITS, MAP):
        assert np.allclose(others[name], alone[name], atol=1e-5)
    expert = _expert(40.0)(images.reshape(3, 16, 2, 16, 2, 1).mean((2, 4)), training=False)
    assert np.allclose(own[LOGITS], np.asarray(expert)[:, :1] + 3.0, atol=1e-4)
    assert np.allclose(np.asarray(own[MAP]).mean((1, 2)), own[LOGITS], atol=1e-4)
    both = beside(champion, [_expert(0.3), _expert(0.4)], shift=3.0, scale=0.5, border=0.2)
    served = LiteRT(exported(both))(images)
    assert np.allclose(served[LOGITS], both(images, training=False)[LOGITS], atol=2e-2)


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
