"""From a recipe and a data set to a bundle: the whole training, top to bottom.

It joins the parts of this package: images in; classifier, autoencoders and admission fitted, then what is only there to
compare with; an operating point chosen on validation data; measures taken from the stored weights; everything put in
place at once.
A test split, where the data have one, is measured for the manifest, and nothing is chosen by it. After a kill the same
training goes on from the last epoch that it finished, and ends with the same bundle.
"""

import hashlib
import json
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import asdict, replace
from datetime import UTC, datetime
from errno import EEXIST
from pathlib import Path
from typing import TYPE_CHECKING, Any

from models.bundle.code import code_digest
from models.bundle.folder import Arrays
from models.bundle.manifest import Calibration
from models.bundle.place import appearing_at_once, remains
from models.data.labelled import DataSet, LabelledImages
from models.data.trainable import refuse_untrainable
from models.training import checkpoints
from models.training.bundle_writing import Origin, Parts, manifest_of, software, write
from models.training.continued import array_digest, weights_of
from models.training.recipe import Recipe, Schedule, read_recipe
from models.training.seeds import classifier_stage, further_seeds_of, members_of
from models.training.threads import load_quietly
from models.training.training_progress import Meter, Seconds, Spent, Tell, Whole, running

if TYPE_CHECKING:
    from models.training import stages

NEEDED, MEASURED = ("train", "val"), ("test",)
"""Splits that a training needs, and that are measured where they are there."""

Rows = tuple[dict[str, Any], ...]
"""Of a log: one for each epoch of each network."""

TIMES = "spent.json"
"""Where a training keeps how long its stages have taken so far."""

COMPARED = ("baseline", "plain_autoencoder")
"""Stages that leave nothing in the bundle but figures."""

SLOWER = {"autoencoder": 3.0, "one_class": 3.0}
"""How much longer a pixel takes in some stages than in the others, for the time left."""


def utc_now() -> datetime:
    """Return the time of the machine's clock."""
    return datetime.now(UTC)


def in_silence(_sentence: str) -> None:
    """Say it to nobody."""


def train(  # noqa: PLR0913 all that a training follows from
    recipe: Path | str | Recipe,
    data: DataSet,
    out: Path,
    seed: int,
    progress: Tell,
    *,
    start: Path | None = None,
    work: Path | None = None,
    say: checkpoints.Say = in_silence,
    clock: Callable[[], datetime] = utc_now,
    meter: Meter = running,
) -> Path:
    """Train everything that a recipe names, and return the folder of the finished bundle.

    Parameters
    ----------
    recipe
        A recipe, its file, or the name of one that ships.
    data
        Labelled images with the splits train and val, and where it is to be measured, test.
    out
        Where the bundle is to be; must not exist yet. It appears complete or not at all.
    seed
        The same seed, data, recipe and software give the same bundle.
    progress
        Called with stage, done and total: of each stage, and of the whole.
    start
        A bundle from whose classifiers this one's begin, in place of random weights; each seed's from the member of
        the same place, the further ones from the first.
    work
        Where a training that is cut off leaves what it has done; a hidden folder beside `out` where none is named.
    say
        Told whether such work is gone on with.
    clock
        Gives the time for the manifest, aware.
    meter
        Gives the time that stages are measured by, for the bundle's training.json.

    Raises
    ------
    RecipeError
        Where the recipe cannot be read, or nothing can be learned with it.
    DataError
        Where images are unreadable, a split lacks a class or patients, or groups stand across splits; rows are named.
    OSError
        Where `out` exists (FileExistsError), nothing can be written beside it, or another training is at work there.
    """
    plan, code = recipe if isinstance(recipe, Recipe) else read_recipe(recipe), code_digest()
    make_room(out)
    begins = weights_of(start, plan) if start else ()
    images = _images(data, plan, progress)
    belongs_to = _digest(plan, data.digest(images), seed, code, begins)
    load_quietly()  # only once data and recipe have been found good
    with checkpoints.opened(work or work_of(out), belongs_to, say) as kept:
        spent = Spent(kept.folder / TIMES, meter, Whole(_costs(plan, images, seed), progress))
        parts = _fitted(plan, images, seed, replace(kept, begins=begins, champion=start), spent)
        counts = {split: len(some) for split, some in images.items()}
        origin = Origin(data.digest(("train", "val")), counts, seed, code)
        with appearing_at_once(out) as folder:
            write(folder, manifest_of(plan, parts, origin, clock()), parts, images, progress)
    return out


def work_of(out: Path) -> Path:
    """Return the hidden folder beside a bundle that is to be, in which its training keeps what it has done."""
    return out.with_name(f".{out.name}-training")


def make_room(out: Path) -> None:
    """See that `out` can be written, before the work; make its parents, and sweep what killed trainings left.

    Raises
    ------
    OSError
        Where `out` exists (FileExistsError), or nothing can be written beside it.
    """
    if out.exists():
        raise FileExistsError(EEXIST, "exists already: name a folder that does not, or remove it", str(out))
    out.parent.mkdir(parents=True, exist_ok=True)
    sweep(out)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.name}-"):
        pass


def sweep(out: Path) -> None:
    """Remove the temporary folders of trainings into `out` that were killed while they wrote."""
    for left in remains(out.parent, out.name):
        if left != work_of(out):
            shutil.rmtree(left)


def _images(data: DataSet, plan: Recipe, tell: Tell) -> dict[str, LabelledImages]:
    images = {}
    splits = (*NEEDED, *(split for split in MEASURED if split in data.splits))
    for number, split in enumerate(splits):
        tell("images", number, len(splits))
        images[split] = data.images(split)
    refuse_untrainable(images, plan.label_names)
    tell("images", len(splits), len(splits))
    return images


def _fitted(
    plan: Recipe,
    images: dict[str, LabelledImages],
    seed: int,
    work: checkpoints.Work,
    tell: Spent,
) -> Parts:
    """Fit every part, what ships first; each stage reports its steps."""
    from models.training import anomaly_stage, stages  # noqa: PLC0415 they import TensorFlow

    stages.prepare(plan.recipe.threads)
    classifier, calibration = _classifier(plan, images, seed, work, tell)
    arrays, networks = classifier.arrays, {"classifier": classifier.network}
    log, limit, scale = classifier.log, None, None
    if plan.anomaly:
        unusual = anomaly_stage.anomaly(plan.anomaly, images, seed, work, tell)
        arrays, networks, scale = arrays | unusual.arrays, networks | unusual.networks, unusual.anomaly
        log += unusual.log
    if plan.admission:
        admission = stages.admission(plan.admission, images, seed, tell)
        arrays, limit = arrays | {"admission": admission.arrays}, admission.limit
    spread = stages.spread(plan, images, seed, work, tell)
    measures, compared = _compared(plan, images, seed, work, tell)
    return Parts(
        arrays,
        networks,
        classifier.channels,
        classifier.map,
        classifier.threshold,
        limit,
        scale,
        measures,
        classifier.tried + spread.tried,
        log + spread.log + compared,
        _sorted_out(plan, seed, tell.stages),
        calibration,
    )


def _classifier(
    plan: Recipe, images: dict[str, LabelledImages], seed: int, work: checkpoints.Work, tell: Spent
) -> "tuple[stages.Classifier, Calibration]":
    """Fit the classifiers, or an expert beside the champion's, which then keeps its calibration."""
    from models.training import expert_stage, stages  # noqa: PLC0415 as above

    if not plan.expert:
        return stages.classifier(plan, images, seed, work, tell), Calibration()
    beside = expert_stage.classifier_beside(plan, images, seed, work, tell)
    return beside, expert_stage.calibration_of(work)


def _sorted_out(plan: Recipe, seed: int, spent: dict[str, Seconds]) -> dict[str, Any]:
    """Return the threads and what each stage took: of what ships, and of what is only there to compare with."""
    others = {*(classifier_stage(plan, one) for one in further_seeds_of(plan, seed)), *COMPARED}
    kinds: dict[str, dict[str, Any]] = {"ships": {}, "compared": {}}
    for stage, seconds in spent.items():
        kinds["compared" if stage in others else "ships"][stage] = asdict(seconds)
    return {"threads": plan.recipe.threads, **kinds}


def _compared(
    plan: Recipe, images: dict[str, LabelledImages], seed: int, work: checkpoints.Work, tell: Tell
) -> tuple[dict[str, dict[str, float]], Rows]:
    """Fit what is only there to compare with; return its figures by split, and its log."""
    from models.training import stages  # noqa: PLC0415 as above

    found: dict[str, stages.Measured] = {}
    if plan.baseline:
        name = "baseline_accuracy" if plan.exclusive else "baseline_auc"
        found[name] = stages.baseline(plan.baseline, images, len(plan.classes), seed, work, tell)
    if plan.plain_autoencoder:
        found["plain_autoencoder_auc"] = stages.plain_autoencoder(plan.plain_autoencoder, images, seed, work, tell)
    measured = stages.measured(images)
    measures = {split: {name: one.measures[split] for name, one in found.items()} for split in measured}
    return measures, tuple(row for one in found.values() for row in one.log)


def _digest(plan: Recipe, data: str, seed: int, code: str, begins: tuple[Arrays, ...]) -> str:
    """Return what stands for everything that a bundle follows from, hexadecimal."""
    table = {"recipe": asdict(plan), "data": data, "seed": seed, "code": code, "software": software()}
    if begins:
        table["begins"] = [array_digest(arrays) for arrays in begins]
    return hashlib.sha256(json.dumps(table, sort_keys=True).encode()).hexdigest()


def _costs(plan: Recipe, images: dict[str, LabelledImages], seed: int) -> dict[str, float]:
    """Return how long each stage takes, roughly, in pixels seen."""
    everything, normal = len(images["train"]), int((images["train"].labels == 0).sum())
    seeds = members_of(plan, seed) + further_seeds_of(plan, seed)
    known: dict[str, tuple[Schedule | None, int]] = {
        **{classifier_stage(plan, one): (plan.classifier, everything) for one in seeds if not plan.expert},
        "expert": (replace(plan.classifier, epochs=1) if plan.expert else None, everything),
        "baseline": (plan.baseline, everything),
        "plain_autoencoder": (plan.plain_autoencoder, normal),
        "autoencoder": (plan.anomaly.restoring if plan.anomaly else None, normal),
        "one_class": (plan.anomaly.one_class if plan.anomaly else None, normal),
    }
    return {
        name: float(count * schedule.epochs * schedule.size**2) * SLOWER.get(name, 1.0)
        for name, (schedule, count) in known.items()
        if schedule
    }
