"""The loop that fits any of the networks: seeded batches, a rising and falling rate, averaged weights, a log.

It knows Keras and how batches are made; it does not know what an image shows.
"""

from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from models.networks.weights import round_to_half
from models.training.recipe import Schedule

Target = Any
"""What a batch is compared with: one array, or a dictionary of arrays by output."""

MakeExample = Callable[[int, np.random.Generator], tuple[NDArray[np.float32], Target]]
"""Makes one training pair from the number of an image and a generator of its own."""


Log = tuple[dict[str, float], ...]
"""Losses by name, one row an epoch."""

Tell = Callable[[int, int], None]
"""Called with epochs done and all epochs."""


class Batches(keras.utils.PyDataset):  # type: ignore[misc] # Keras carries no types
    """Shuffled batches whose content depends on seed, epoch and place only, never on the threads that make them."""

    def __init__(self, images: int, make: MakeExample, batch: int, seed: int) -> None:
        super().__init__(workers=1, use_multiprocessing=False, max_queue_size=8)
        self._images, self._make, self._batch, self._seed = images, make, batch, seed
        self._epoch = 0
        self._order = self._shuffled()

    def __len__(self) -> int:
        return max(self._images // self._batch, 1)

    def __getitem__(self, index: int) -> tuple[NDArray[np.float32], Target]:
        """Return one batch: images of shape (batch, size, size, 1) and their targets."""
        random = np.random.default_rng((self._seed, self._epoch, index))
        chosen = self._order[index * self._batch : (index + 1) * self._batch]
        inputs, targets = zip(*(self._make(int(number), random) for number in chosen), strict=True)
        return np.stack(inputs), _stacked(targets)

    def on_epoch_end(self) -> None:
        """Shuffle anew."""
        self._epoch += 1
        self._order = self._shuffled()

    def _shuffled(self) -> NDArray[np.int64]:
        return np.random.default_rng((self._seed, self._epoch)).permutation(self._images)


def fit(model: keras.Model, batches: Batches, loss: Any, schedule: Schedule, tell: Tell) -> Log:
    """Fit a model in place, leave the averaged weights in it as 16 bits hold them, and return its losses by epoch.

    Parameters
    ----------
    model
        Any model of this package.
    batches
        Its training pairs.
    loss
        A Keras loss, or a dictionary of them by output.
    schedule
        Epochs, rate, decay and averaging.
    tell
        Called with epochs done and all epochs.
    """
    optimizer = keras.optimizers.AdamW(
        _rate(schedule, schedule.epochs * len(batches)),
        weight_decay=schedule.weight_decay,
        use_ema=True,
        ema_momentum=schedule.averaging,
    )
    model.compile(optimizer=optimizer, loss=loss, jit_compile=False)
    report = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, _: tell(epoch + 1, schedule.epochs))
    history = model.fit(batches, epochs=schedule.epochs, shuffle=False, verbose=0, callbacks=[report])
    round_to_half(model)
    return tuple(
        {name: float(values[epoch]) for name, values in history.history.items()} for epoch in range(schedule.epochs)
    )


def _rate(schedule: Schedule, steps: int) -> keras.optimizers.schedules.LearningRateSchedule:
    warm_up = max(steps // 10, 1)
    return keras.optimizers.schedules.CosineDecay(
        schedule.rate / 25, max(steps - warm_up, 1), alpha=0.0, warmup_target=schedule.rate, warmup_steps=warm_up
    )


def _stacked(targets: Sequence[Target]) -> Target:
    if isinstance(targets[0], dict):
        return {name: np.stack([target[name] for target in targets]) for name in targets[0]}
    return np.stack(targets)
