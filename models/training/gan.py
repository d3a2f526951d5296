"""From a recipe and a data set to a generator's folder: the alternating training, top to bottom.

It joins images, the two adversaries and the folder that `models.inference.generator` reads. Trained on the train split
and measured on val; the test split is not opened. A training that was killed goes on from its last checkpoint, which
holds weights, optimisers' state and log; every random choice follows from seed, epoch and step, so the result is the
one that the kill prevented.
"""

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.bundle.code import code_digest
from models.bundle.manifest import TrainingData
from models.bundle.place import appearing_at_once
from models.data.labelled import DataSet, LabelledImages
from models.data.trainable import refuse_untrainable
from models.inference import generator as folders
from models.training import checkpoints
from models.training.gan_recipe import GanRecipe, GanSchedule, read_gan_recipe
from models.training.threads import limit_threads, load_quietly
from models.training.training_log import write_curves, write_log
from models.training.training_progress import Tell
from models.training.whole_training import in_silence, make_room, utc_now, work_of

Measure = Callable[[folders.Generator, LabelledImages, LabelledImages], dict[str, Any]]
"""Measures a generator beside the images that it learned from, and held-out ones."""

Log = list[dict[str, Any]]
"""The mean loss of each network by epoch."""

NETWORKS = ("discriminator", "generator")
LOG, CURVES = "training-log.csv", "training-curves.png"
SOFTWARE = ("ai-edge-litert", "keras", "numpy", "tensorflow")


def train_gan(  # noqa: PLR0913 all that a training follows from
    recipe: Path | str,
    data: DataSet,
    out: Path,
    seed: int,
    progress: Tell,
    *,
    measure: Measure | None = None,
    work: Path | None = None,
    say: checkpoints.Say = in_silence,
    clock: Callable[[], datetime] = utc_now,
) -> Path:
    """Train a generator, and return its folder.

    Parameters
    ----------
    recipe
        A recipe's file, or the name of one that ships.
    data
        Labelled images; its splits train and val are used.
    out
        Where the folder is to be; must not exist yet. It appears complete or not at all. In a hidden folder beside it
        stands the last checkpoint while the training lasts.
    seed
        From 0; the same seed, data, recipe and software give the same generator.
    progress
        Called with stage, done and total.
    measure
        What the manifest is to say of the result; without it, nothing.
    work
        The hidden folder, where it is not to be the one beside `out`.
    say
        Told whether an earlier run is gone on with.
    clock
        Gives the time for the manifest, aware.

    Raises
    ------
    RecipeError
        Where the recipe cannot be read.
    DataError
        Where images are unreadable, or a label has none or too few patients.
    OSError
        Where `out` exists (FileExistsError), nothing can be written beside it, or another training is at work there.
    """
    plan = read_gan_recipe(recipe)
    make_room(out)
    images = {split: data.images(split) for split in ("train", "val")}
    refuse_untrainable(images, plan.gan.labels)
    digest = data.digest(("train", "val"))
    with checkpoints.opened(work or work_of(out), _digest(plan, digest, seed), say) as kept:
        network, log = _fitted(plan, images["train"], seed, kept.shelf("gan"), progress)
        counts = {split: len(some) for split, some in images.items()}
        manifest = _manifest(plan, TrainingData(**asdict(plan.data), digest=digest, images=counts), seed, clock())
        with appearing_at_once(out) as folder:
            _write(folder, manifest, network, log)
            if measure is not None:
                progress("measures", 0, 1)
                figures = measure(folders.load_generator(folder), images["train"], images["val"])
                folders.write_manifest(folder, replace(manifest, measures=figures))
                progress("measures", 1, 1)
    return out


def balanced_order(labels: NDArray[np.int64], batch: int, random: np.random.Generator) -> NDArray[np.int64]:
    """Return which images make up the batches of one epoch: every label as often in each, nothing twice until all were.

    Output shape
        (batches, batch), int64.
    """
    known = np.unique(labels)
    each, batches = batch // len(known), max(len(labels) // batch, 1)
    parts = [_drawn(np.flatnonzero(labels == label), batches * each, random) for label in known]
    return np.concatenate([part.reshape(batches, each) for part in parts], axis=1)


def _fitted(
    plan: GanRecipe, images: LabelledImages, seed: int, shelf: checkpoints.Shelf, tell: Tell
) -> tuple[bytes, Log]:
    """Let the adversaries take turns to the end, and return the exported generator and the losses by epoch."""
    load_quietly()
    from models.training.adversaries import Adversaries, exported_generator  # noqa: PLC0415 TensorFlow only from here

    limit_threads(plan.recipe.threads)
    schedule, adversaries, log = plan.gan, Adversaries(plan.gan, seed), Log()
    if (kept := shelf.load()) is not None:
        adversaries.restore(kept.arrays)
        log = kept.facts["log"]
    pixels = 2.0 * images.views(schedule.size) - 1.0
    done = len(log) // len(NETWORKS)
    tell("gan", done, schedule.epochs)
    for epoch in range(done, schedule.epochs):
        losses = _epoch(adversaries, schedule, pixels, images.labels, (seed, epoch))
        log += [
            {"network": network, "seed": seed, "epoch": epoch + 1, "loss": float(loss)}
            for network, loss in zip(NETWORKS, losses, strict=True)
        ]
        if (epoch + 1) % schedule.checkpoint_every == 0:
            shelf.save(checkpoints.Kept(adversaries.numbers(), {"log": log}))
        tell("gan", epoch + 1, schedule.epochs)
    return exported_generator(adversaries.averaged), log


def _epoch(
    adversaries: Any,
    schedule: GanSchedule,
    pixels: NDArray[np.float32],
    labels: NDArray[np.int64],
    place: tuple[int, int],
) -> NDArray[np.float64]:
    """Take one epoch's turns and return the mean losses; `place` is seed and epoch, from which all chance follows."""
    random, losses = np.random.default_rng(place), []
    order = balanced_order(labels, schedule.batch, random)
    wanted = np.eye(len(schedule.labels), dtype=np.float32)[labels]
    for number, chosen in enumerate(order):
        latent = random.standard_normal((2, len(chosen), schedule.latent), np.float32)
        losses.append(adversaries.turn(place[1] * len(order) + number, pixels[chosen], wanted[chosen], latent))
    return np.asarray(np.mean(losses, axis=0))


def _drawn(numbers: NDArray[np.int64], count: int, random: np.random.Generator) -> NDArray[np.int64]:
    """Return `count` of the numbers in random order, nothing again before all were."""
    rounds = -(-count // len(numbers))
    return np.concatenate([random.permutation(numbers) for _ in range(rounds)])[:count]


def _digest(plan: GanRecipe, data: str, seed: int) -> str:
    """Return what stands for everything that the result follows from, hexadecimal."""
    told = json.dumps([asdict(plan), data, seed, code_digest(), {name: version(name) for name in SOFTWARE}])
    return hashlib.sha256(told.encode()).hexdigest()


def _manifest(plan: GanRecipe, data: TrainingData, seed: int, now: datetime) -> folders.GeneratorManifest:
    return folders.GeneratorManifest(
        format=folders.FORMAT,
        name=plan.recipe.name,
        version=plan.recipe.version,
        created_at=now.astimezone(UTC).isoformat(timespec="seconds"),
        labels=plan.gan.labels,
        latent=plan.gan.latent,
        spread=plan.gan.spread,
        size=plan.gan.size,
        data=data,
        recipe=asdict(plan),
        seed=seed,
        software={name: version(name) for name in SOFTWARE},
        measures={},
        files={},
    )


def _write(folder: Path, manifest: folders.GeneratorManifest, network: bytes, log: Log) -> None:
    (folder / folders.NETWORK).write_bytes(network)
    (folder / folders.ATTRIBUTION).write_text(_attribution(manifest), encoding="utf-8")
    write_log(folder / LOG, log)
    write_curves(folder / CURVES, log)
    folders.write_manifest(folder, manifest)


def _attribution(manifest: folders.GeneratorManifest) -> str:
    data = manifest.data
    return (
        f"The generator in this folder ({manifest.name} {manifest.version}) was trained on the data {data.name}.\n\n"
        f"Licence of the data: {data.licence}\nAttribution: {data.attribution}\n\n"
        "The generator is under the project's own licence, Apache-2.0; this attribution travels with it and with its\n"
        "images. They show no patient and no disease: not for diagnosis, and no ground for claims about a model.\n"
    )
