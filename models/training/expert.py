"""A site's expert beside a champion: the champion stays as it is, and a small network answers for the site's images.

The expert learns two things: the class, and whether an image is of this site or of what is replayed. Its second answer
decides how much its first one counts: on images like those that the champion was made for, the champion answers, weight
for weight, so that next to nothing is forgotten; on the site's, the expert does.

References
----------
Jacobs R, Jordan M, Nowlan S, Hinton G, "Adaptive Mixtures of Local Experts", Neural Computation 3(1), 1991.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras import layers
from numpy.typing import NDArray

from models.data.labelled import Images
from models.networks.catalogue import classifier
from models.networks.weights import assign
from models.training.checkpoints import Shelf
from models.training.draws import Draws
from models.training.export import LOGITS, MAP, averaged, with_map
from models.training.fitting import Batches, Log, Tell, fit
from models.training.objectives import AUGMENTATIONS, balanced_loss
from models.training.recipe import ClassifierRecipe

SHARPNESS = 2.0
"""How decided the choice between the two is: what its logit is multiplied by, once the border was taken from it."""


def champion_network(network: str, size: int, members: Sequence[Mapping[str, NDArray[Any]]]) -> keras.Model:
    """Return the champion's classifier as it answers: the mean of its members, with their map."""
    models = []
    for arrays in members:
        model = classifier(network, size, 1)
        assign(model, dict(arrays))
        models.append(with_map(model))
    return averaged(models)


@dataclass(frozen=True, slots=True)
class Shown:
    """What an expert is fitted on."""

    images: Images  #: (images, size, size, 1), float32 in [0, 1]
    labels: NDArray[np.int64]  #: 1 where the class is present
    of_site: NDArray[np.bool_]
    draws: Draws  #: how often each is shown, and what it weighs


def fitted_expert(shown: Shown, plan: ClassifierRecipe, seed: int, shelf: Shelf, tell: Tell) -> tuple[keras.Model, Log]:
    """Return a network with two outputs: logits of the class, and of being the site's."""
    keras.utils.set_random_seed(seed)
    model, change, images = classifier(plan.network, plan.size, 2), AUGMENTATIONS[plan.augmentation], shown.images
    targets = np.stack([shown.labels, shown.of_site], axis=1).astype(np.float32)

    def example(number: int, random: np.random.Generator) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        return change(images[number, ..., 0], images, random)[..., np.newaxis], targets[number]

    drawn = targets[shown.draws.numbers]
    losses: list[Any] = [balanced_loss(drawn[:, place : place + 1], plan.label_smoothing) for place in (0, 1)]

    def loss(truth: Any, logits: Any) -> Any:
        return losses[0](truth[:, :1], logits[:, :1]) + losses[1](truth[:, 1:], logits[:, 1:])

    return model, fit(model, Batches(len(images), example, plan.batch, seed, shown.draws), loss, plan, shelf, tell)


def beside(
    champion: keras.Model, experts: Sequence[keras.Model], shift: float, scale: float = 1.0, border: float = 0.0
) -> keras.Model:
    """Return the network that answers with the champion's word or the expert's, as the expert says whose image it is.

    Parameters
    ----------
    champion
        With the outputs logits and map, of one class.
    experts
        As `fitted_expert` returns each; their mean answers. Their input is the champion's, or a whole fraction of it.
    shift, scale
        What is added to the experts' logits, once they were multiplied by the other.
    border
        The logit of being the site's from which the experts count for more than the champion.
    """
    image = keras.Input(champion.input_shape[1:], name="image")
    factor = champion.input_shape[1] // experts[0].input_shape[1]
    small = layers.AveragePooling2D(factor, name="smaller")(image) if factor > 1 else image
    said = averaged([with_map(one) for one in experts])
    base, own = champion(image), keras.Model(said.input, said.output, name="expert")(small)
    share = keras.ops.sigmoid(SHARPNESS * (own[LOGITS][:, 1:] - border))
    logits = share * (scale * own[LOGITS][:, :1] + shift) + (1.0 - share) * base[LOGITS]
    size = base[MAP].shape[1] // own[MAP].shape[1]
    place = layers.UpSampling2D(size, name="as_fine")(own[MAP][..., :1]) if size > 1 else own[MAP][..., :1]
    shares = keras.ops.reshape(share, (-1, 1, 1, 1))
    maps = shares * (scale * place + shift) + (1.0 - shares) * base[MAP]
    return keras.Model(image, {LOGITS: logits, MAP: maps}, name="beside")
