"""A fresh bundle fitted to its site: calibration and operating point by recent labels, anomaly scale by its normals.

Networks stay as they are. What changes an output makes another Device UID, as everywhere. It knows bundles and labelled
images; which of them are recent, and of the site, the caller says.
"""

import shutil
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from models.bundle.folder import open_bundle, write_bundle
from models.bundle.manifest import Calibration
from models.bundle.place import appearing_at_once
from models.data.joint import SOURCE, of_source
from models.data.labelled import DataError, LabelledImages
from models.evaluation.calibration import calibrated, fit
from models.inference.reader import Reader, load
from models.inference.refit import refit_anomaly
from models.training.operating_point import Validated, operating_point

SITE = "site"

FEWEST_PATIENTS = 20
"""Patients of each label that a calibration and an operating point need: with 20, a sensitivity is known to 0.2."""

RECENT = 500
"""Images of the site that are looked at, those with the newest labels."""


@dataclass(frozen=True, slots=True)
class SiteFit:
    """What was fitted to the site, in sentences."""

    bundle: Path
    said: tuple[str, ...]


def fitted_to_site(
    bundle: Path,
    val: LabelledImages,
    out: Path,
    now: datetime,
    *,
    champion: Path | None = None,
    calibrates: bool = True,
) -> SiteFit:
    """Write a bundle whose calibration, operating point and anomaly scale are the site's, as far as labels suffice.

    Parameters
    ----------
    bundle
        A bundle that was just trained.
    val
        Validation images of the site and of what is replayed, the oldest label first.
    out
        Where the fitted bundle is to be; must not exist yet.
    now
        For the manifest, aware.
    champion
        The bundle whose sensitivity the operating point keeps on validation images.
    calibrates
        Whether calibration and operating point are fitted; those of an expert beside a champion are the champion's.
    """
    own = _newest(of_source(val, SITE))
    said = []
    place = out.with_name(f".{out.name}-calibrated")
    shutil.rmtree(place, ignore_errors=True)
    reason = _too_few(own, len(load(bundle).manifest.classes)) if calibrates else "the site's expert is placed by them"
    if reason:
        place.mkdir(parents=True)
        for path in bundle.iterdir():
            shutil.copyfile(path, place / path.name)
        said.append(f"calibration and operating point stay: {reason}")
    else:
        threshold = _calibrated(bundle, champion, own, val, place)
        said.append(f"calibration and an operating point of {threshold:.3f} from {len(own)} images of the site")
    said.append(_unusual(place, own, out, now))
    shutil.rmtree(place, ignore_errors=True)
    return SiteFit(out, tuple(said))


def _newest(images: LabelledImages) -> LabelledImages:
    """Return the images with the newest labels."""
    last = len(images) - RECENT
    if last <= 0:
        return images
    old = ("old",) * last + (SITE,) * RECENT
    return of_source(replace(images, attributes={**images.attributes, SOURCE: old}), SITE)


def _too_few(images: LabelledImages, classes: int) -> str:
    if classes > 1:
        return "there are several classes"
    for label in (0, 1):
        patients = {group for group, own in zip(images.groups, images.labels, strict=True) if own == label}
        if len(patients) < FEWEST_PATIENTS:
            return f"{len(patients)} patients of the site's have the label {label} where {FEWEST_PATIENTS} are needed"
    return ""


def _calibrated(bundle: Path, champion: Path | None, own: LabelledImages, val: LabelledImages, place: Path) -> float:
    """Write the bundle calibrated on the site, with the operating point that serves all sources; return that."""
    opened, reader = open_bundle(bundle), load(bundle)
    size = opened.manifest.classifier.size
    calibration = replace(fit(reader.logits(own.views(size)), own.labels), local_labels=True)
    if calibration.slope <= 0:  # the site's labels contradict the network: the gate is to see that as it is
        calibration = Calibration()
    sources = [own, *(of_source(val, name) for name in sorted(set(val.attributes[SOURCE]) - {SITE}))]
    before = load(champion) if champion else None
    threshold = operating_point(
        [
            Validated(some.labels, calibrated(reader.logits(some.views(size)), calibration), _sensitivity(before, some))
            for some in sources
            if len(set(some.labels.tolist())) == 2
        ]
    )
    classes = tuple(replace(one, threshold=threshold) for one in opened.manifest.classes)
    with appearing_at_once(place) as folder:
        for name in opened.manifest.files:
            shutil.copyfile(bundle / name, folder / name)
        write_bundle(folder, replace(opened.manifest, classes=classes, calibration=calibration, measures={}))
    return threshold


def _sensitivity(champion: Reader | None, images: LabelledImages) -> float:
    """Return the champion's at its own operating point; 0 without one, or where it knows other classes."""
    if champion is None or len(champion.manifest.classes) > 1:
        return 0.0
    likely = champion.probabilities(images.views(champion.manifest.classifier.size))[:, 0]
    return float((likely[images.labels == 1] >= champion.manifest.classes[0].threshold).mean())


def _unusual(bundle: Path, own: LabelledImages, out: Path, now: datetime) -> str:
    """Place the anomaly score among the site's normals where they are enough; say what was done."""
    normals = of_source(
        replace(own, attributes={**own.attributes, SOURCE: tuple(str(int(one)) for one in own.labels)}), "0"
    )
    manifest = open_bundle(bundle).manifest
    if manifest.anomaly is not None:
        try:
            refit_anomaly(bundle, normals, out, now=now)
        except DataError as error:
            bundle.rename(out)
            return f"the anomaly score is placed among the normals of the whole validation: {error}"
        return f"the anomaly score is placed among {len(normals)} normals of the site"
    bundle.rename(out)
    return "there is no anomaly score to place"
