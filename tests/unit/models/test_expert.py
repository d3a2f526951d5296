"""A site's expert beside a champion: who answers, and what is said of each place."""

from pathlib import Path

import keras
import numpy as np
import pytest

from models.bundle.folder import open_bundle
from models.inference.litert import LiteRT
from models.networks.catalogue import classifier
from models.training.continued import weights_of
from models.training.expert import beside, champion_network
from models.training.expert_stage import smaller
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

    others = beside(champion, _expert(-40.0), shift=3.0)(images, training=False)
    own = beside(champion, _expert(40.0), shift=3.0)(images, training=False)

    for name in (LOGITS, MAP):
        assert np.allclose(others[name], alone[name], atol=1e-5)
    expert = _expert(40.0)(smaller(images, 16), training=False)
    assert np.allclose(own[LOGITS], np.asarray(expert)[:, :1] + 3.0, atol=1e-4)
    assert np.allclose(np.asarray(own[MAP]).mean((1, 2)), own[LOGITS], atol=1e-4)
    both = beside(champion, _expert(0.3), shift=3.0)
    served = LiteRT(exported(both))(images)
    assert np.allclose(served[LOGITS], both(images, training=False)[LOGITS], atol=2e-2)


def test_weights_of_another_network_are_no_beginning(tiny_bundle: Path) -> None:
    """A recipe of 64 pixels cannot go on from a network of 32."""
    with pytest.raises(RecipeError, match=r"holds the network \('compact_resnet', 32\)"):
        weights_of(tiny_bundle, read_recipe("site-64"))
