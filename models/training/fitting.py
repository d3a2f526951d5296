"""The loop that fits any of the networks: seeded batches, a rising and falling rate, averaged weights, a log.

It knows Keras and how batches are made; it does not know what an image shows. After every epoch it keeps all that the
next ones follow from, so that a fit which was cut off ends with the very weights that it would have had.
"""

from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from models.networks.weights import round_to_half
from models.training.checkpoints import Kept, Shelf
from models.training.draws import Draws
from models.training.recipe import RecipeError, Schedule

Target = Any
"""What a batch is compared with: one array, or a dictionary of arrays by output."""

MakeExample = Callable[[int, np.random.Generator], tuple[NDArray[np.float32], Target]]
"""Makes one training pair from the number of an image and a generator of its own."""


LEFT_OF_THE_START = 0.01
"""Most that the first weights may count in the averaged ones at the end."""

Log = tuple[dict[str, float], ...]
"""Losses by name, one row an epoch."""

Tell = Callable[[int, int], None]
"""Called with steps done and all steps; at the end of an epoch, once that is kept."""


class Batches(keras.utils.PyDataset):  # type: ignore[misc] # Keras carries no types
    """Shuffled batches whose content depends on seed, epoch and place only, never on the threads that make them.

    Parameters
    ----------
    images
        How many there are; each is shown once an epoch where `draws` says nothing else.
    make
        Makes one pair.
    batch, seed
        Pairs in a batch; of the order.
    draws
        How often each is shown, and what it weighs.
    """

    def __init__(self, images: int, make: MakeExample, batch: int, seed: int, draws: Draws | None = None) -> None:
        super().__init__(workers=1, use_multiprocessing=False, max_queue_size=8)
        self._shown = np.arange(images) if draws is None else draws.numbers
        self._weights = None if draws is None or np.all(draws.weights == 1.0) else draws.weights
        self._make, self._batch, self._seed = make, batch, seed
        self.begin(0)

    def __len__(self) -> int:
        return max(len(self._shown) // self._batch, 1)

    def __getitem__(self, index: int) -> tuple[Any, ...]:
        """Return one batch: images of shape (batch, size, size, channels), their targets, and weights if any differ."""
        random = np.random.default_rng((self._seed, self._epoch, index))
        chosen = self._order[index * self._batch : (index + 1) * self._batch]
        inputs, targets = zip(*(self._make(int(number), random) for number in chosen), strict=True)
        pairs = np.stack(inputs), _stacked(targets)
        return pairs if self._weights is None else (*pairs, self._weights[chosen])

    def on_epoch_end(self) -> None:
        """Shuffle anew."""
        self.begin(self._epoch + 1)

    def begin(self, epoch: int) -> None:
        """Go to the beginning of an epoch, the first being 0."""
        self._epoch = epoch
        self._order = self._shown[np.random.default_rng((self._seed, epoch)).permutation(len(self._shown))]


class Keeper(keras.callbacks.Callback):  # type: ignore[misc] # Keras carries no types
    """Keeps the end of every epoch, and tells of every step.

    Parameters
    ----------
    shelf
        Where what is needed to go on is kept.
    log
        Losses of the epochs done so far; grows.
    steps, all_steps
        Of one epoch, and of all.
    tell
        Called with steps done and all steps.
    """

    def __init__(self, shelf: Shelf, log: list[dict[str, float]], steps: int, all_steps: int, tell: Tell) -> None:
        super().__init__()
        self._shelf, self._log, self._steps, self._all_steps, self._tell = shelf, log, steps, all_steps, tell

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:  # noqa: ARG002 Keras' signature
        """Tell of the step, unless the epoch ends with it."""
        if batch + 1 < self._steps:
            self._tell(len(self._log) * self._steps + batch + 1, self._all_steps)

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:  # noqa: ARG002 Keras' signature
        """Keep the epoch, then tell of it."""
        self._log.append({name: float(value) for name, value in (logs or {}).items()})
        self._shelf.save(Kept(_state(self.model), {"log": self._log}))
        self._tell(len(self._log) * self._steps, self._all_steps)


def fit(model: keras.Model, batches: Batches, loss: Any, schedule: Schedule, shelf: Shelf, tell: Tell) -> Log:
    """Fit a model in place, leave the averaged weights in it as 16 bits hold them, and return its losses by epoch.

    Parameters
    ----------
    model
        Any model of this package, new and seeded.
    batches
        Its training pairs.
    loss
        A Keras loss, or a dictionary of them by output.
    schedule
        Epochs, rate, decay and averaging.
    shelf
        Where each epoch's end is kept; what is found there is gone on with.
    tell
        Called with steps done and all steps.

    Raises
    ------
    RecipeError
        Where the weights left all bounds.
    """
    steps = schedule.epochs * len(batches)
    optimizer = keras.optimizers.AdamW(
        _rate(schedule, steps),
        weight_decay=schedule.weight_decay,
        use_ema=True,
        ema_momentum=_averaging(schedule, steps),
    )
    optimizer.build(model.trainable_variables)
    model.compile(optimizer=optimizer, loss=loss, jit_compile=False)
    log = _resumed(model, shelf)
    tell(len(log) * len(batches), steps)
    if len(log) < schedule.epochs:
        batches.begin(len(log))
        keeper = Keeper(shelf, log, len(batches), steps, tell)
        model.fit(batches, initial_epoch=len(log), epochs=schedule.epochs, shuffle=False, verbose=0, callbacks=[keeper])
    optimizer.finalize_variable_values(model.trainable_variables)  # the averages take the weights' place
    try:
        round_to_half(model)
    except ValueError as error:
        raise RecipeError(f"{error}: lower the rate") from error
    return tuple(log)


def _averaging(schedule: Schedule, steps: int) -> float:
    """Return the share of the old average that each step keeps: less than asked for, where the steps are so few.

    Otherwise the average of a short training would still be the untrained network, whatever the losses say.
    """
    return float(min(schedule.averaging, LEFT_OF_THE_START ** (1.0 / steps)))


def _state(model: keras.Model) -> dict[str, NDArray[Any]]:
    """Return all variables that the next epoch follows from: weights, seeds of dropout, moments, averages, steps."""
    variables = [*model.variables, *model.optimizer.variables]
    return {f"{number:04d}": np.asarray(variable) for number, variable in enumerate(variables)}


def _resumed(model: keras.Model, shelf: Shelf) -> list[dict[str, float]]:
    """Put back what a fit that was cut off had kept, and return its log, which says how many epochs were done."""
    kept = shelf.load()
    if kept is None:
        return []
    for variable, value in zip([*model.variables, *model.optimizer.variables], kept.arrays.values(), strict=True):
        variable.assign(value)
    return list(kept.facts["log"])


def _rate(schedule: Schedule, steps: int) -> keras.optimizers.schedules.LearningRateSchedule:
    warm_up = max(steps // 10, 1)
    return keras.optimizers.schedules.CosineDecay(
        schedule.rate / 25, max(steps - warm_up, 1), alpha=0.0, warmup_target=schedule.rate, warmup_steps=warm_up
    )


def _stacked(targets: Sequence[Target]) -> Target:
    if isinstance(targets[0], dict):
        return {name: np.stack([target[name] for target in targets]) for name in targets[0]}
    return np.stack(targets)
