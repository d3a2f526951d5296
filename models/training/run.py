"""From a recipe and a data set to a bundle: the whole training, top to bottom.

It joins the parts of this package: images in; classifier, baseline, autoencoder and admission fitted; an operating
point chosen on validation images made hard; measures taken from the stored weights; everything put in place at once.
The test split is measured for the manifest, and nothing is chosen by it.
"""

import csv
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from errno import EEXIST
from importlib.metadata import version
from pathlib import Path
from typing import Any

from models.bundle import folder as bundles
from models.bundle import manifest as manifests
from models.bundle.code import code_digest
from models.data.checks import refuse_untrainable
from models.data.dataset import DataSet, LabelledImages
from models.training.recipe import Recipe, read_recipe

Tell = Callable[[str, int, int], None]
"""Called with the stage, what is done and what there is to do."""

SPLITS = ("train", "val", "test")
SOFTWARE = ("keras", "numpy", "opencv-python-headless", "scikit-learn", "tensorflow")


@dataclass(frozen=True, slots=True)
class Parts:
    """What a training leaves, before it is written."""

    arrays: dict[str, bundles.Arrays]
    networks: dict[str, bytes]  #: as LiteRT runs them
    threshold: float
    limit: float
    anomaly: manifests.Anomaly
    log: tuple[dict[str, Any], ...]
    baseline_auc: dict[str, float]  #: by split


def utc_now() -> datetime:
    """Return the time of the machine's clock."""
    return datetime.now(UTC)


def train(
    recipe: Path | str,
    data: DataSet,
    out: Path,
    seed: int,
    progress: Tell,
    *,
    clock: Callable[[], datetime] = utc_now,
) -> Path:
    """Train everything that a recipe names, and return the folder of the finished bundle.

    Parameters
    ----------
    recipe
        A recipe's file, or the name of one that ships.
    data
        Labelled images with the splits train, val and test.
    out
        Where the bundle is to be; must not exist yet. It appears complete or not at all.
    seed
        The same seed, data, recipe and software give the same bundle.
    progress
        Called with stage, done and total.
    clock
        Gives the time for the manifest, aware.

    Raises
    ------
    RecipeError
        Where the recipe cannot be read.
    DataError
        Where images are unreadable, a split has one class, or groups stand across splits; rows are named.
    OSError
        Where `out` exists (FileExistsError), or nothing can be written beside it.
    """
    plan = read_recipe(recipe)
    make_room(out)
    images = _images(data, plan, progress)
    parts = _fitted(plan, images, seed, progress)
    manifest = _manifest(plan, parts, images, data.digest(("train", "val")), seed, clock())
    with appearing_at_once(out) as folder:
        _write(folder, plan, manifest, parts, images, progress)
    return out


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
    made_up = re.compile(rf"\.{re.escape(out.name)}-[a-z0-9_]{{8}}")
    for folder in out.parent.glob(".*"):
        # nothing but what appearing_at_once makes: a name of its own choice, holding at most the bundle
        if (
            made_up.fullmatch(folder.name)
            and folder.is_dir()
            and {path.name for path in folder.iterdir()} <= {out.name}
        ):
            shutil.rmtree(folder)


@contextmanager
def appearing_at_once(out: Path) -> Iterator[Path]:
    """Give a folder beside `out` to write into; it becomes `out` when the block succeeds, and vanishes when not."""
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.name}-") as temporary:
        folder = Path(temporary) / out.name
        folder.mkdir()
        yield folder
        folder.replace(out)


def _images(data: DataSet, plan: Recipe, tell: Tell) -> dict[str, LabelledImages]:
    images = {}
    for number, split in enumerate(SPLITS):
        tell("images", number, len(SPLITS))
        images[split] = data.images(split)
    refuse_untrainable(images, (f"no {plan.findings.name}", plan.findings.name))
    tell("images", len(SPLITS), len(SPLITS))
    return images


def _fitted(plan: Recipe, images: dict[str, LabelledImages], seed: int, tell: Tell) -> Parts:
    """Fit every part; each stage reports its epochs."""
    from models.training import anomaly, stages  # noqa: PLC0415 TensorFlow only once data and recipe are found good

    stages.prepare(plan.recipe.threads)
    classifier = stages.classifier(plan.classifier, images, seed, tell)
    baseline = stages.baseline(plan.baseline, images, seed, tell)
    unusual = anomaly.anomaly(plan.autoencoder, images, seed, tell)
    admission = stages.admission(plan.admission, images, seed, tell)
    return Parts(
        {"classifier": classifier.arrays, "admission": admission.arrays, **unusual.arrays},
        {"classifier": classifier.network, **unusual.networks},
        classifier.threshold,
        admission.limit,
        unusual.anomaly,
        (*classifier.log, *baseline.log, *unusual.log),
        baseline.auc,
    )


def _manifest(
    plan: Recipe, parts: Parts, images: dict[str, LabelledImages], digest: str, seed: int, now: datetime
) -> manifests.Manifest:
    known = plan.findings
    return manifests.Manifest(
        format=manifests.FORMAT,
        name=plan.recipe.name,
        version=plan.recipe.version,
        device_uid="",
        created_at=now.astimezone(UTC).isoformat(timespec="seconds"),
        classes=(manifests.BundleClass(known.name, known.finding, known.site, parts.threshold),),
        classifier=manifests.Classifier("classifier.tflite", plan.classifier.size, map="map"),
        calibration=manifests.Calibration(),
        admission=manifests.AdmissionLimit(plan.admission.size, parts.limit, plan.admission.held_out_percentile),
        anomaly=parts.anomaly,
        data=manifests.TrainingData(
            **asdict(plan.data), digest=digest, images={split: len(some) for split, some in images.items()}
        ),
        recipe=asdict(plan),
        seed=seed,
        software={name: version(name) for name in SOFTWARE},
        code_digest=code_digest(),
        measures={},
        weights_digest="",
        files={},
        manifest_digest="",
    )


def _write(
    folder: Path,
    plan: Recipe,
    manifest: manifests.Manifest,
    parts: Parts,
    images: dict[str, LabelledImages],
    tell: Tell,
) -> None:
    """Write the bundle, measure it as it stands there, and write the measures into its manifest."""
    from models.evaluation.measures import measure  # noqa: PLC0415 TensorFlow is in by now
    from models.inference.reader import load  # noqa: PLC0415 the same

    for name, arrays in parts.arrays.items():
        bundles.write_arrays(folder / f"{name}.npz", arrays)
    for name, network in parts.networks.items():
        (folder / f"{name}.tflite").write_bytes(network)
    (folder / manifests.ATTRIBUTION).write_text(_attribution(plan), encoding="utf-8")
    _write_log(folder / bundles.LOG, parts.log)
    complete = replace(manifest, files=bundles.file_digests(folder))
    bundles.write_bundle(folder, complete)
    reader = load(folder)
    measures = {
        split: {**measure(reader, images[split], tell), "baseline_auc": parts.baseline_auc[split]}
        for split in ("val", "test")
    }
    bundles.write_bundle(folder, replace(complete, measures=measures))


def _attribution(plan: Recipe) -> str:
    known, data = plan.recipe, plan.data
    return (
        f"The weights in this folder ({known.name} {known.version}) were trained on the data set {data.name}.\n\n"
        f"Licence of the data: {data.licence}\nAttribution: {data.attribution}\n\n"
        "The weights are under the project's own licence, Apache-2.0; this attribution travels with them.\n"
        "A research model: not for diagnosis.\n"
    )


def _write_log(path: Path, log: Sequence[dict[str, Any]]) -> None:
    """Write one line for each epoch of each network; losses that a network does not have stay empty."""
    columns = sorted({name for row in log for name in row} - {"network", "epoch"})
    with path.open("w", newline="", encoding="utf-8") as file:
        lines = csv.DictWriter(file, ["network", "epoch", *columns], lineterminator="\n")
        lines.writeheader()
        lines.writerows(log)
