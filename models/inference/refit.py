"""Fitting an anomaly score to a site: the same networks, the scale of the site's own normals, another device.

A score means something only beside the scores of normals from the same equipment. Networks are left as they are, so
this takes seconds and no TensorFlow. It knows bundles and labelled images; which images are normal, the caller says.
"""

import shutil
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.bundle.folder import Bundle, BundleError, open_bundle, write_bundle
from models.bundle.manifest import Anomaly, Manifest
from models.bundle.place import appearing_at_once
from models.data.labelled import DataError, LabelledImages, refuse_images
from models.inference.admission import admission_score, feature_autoencoder
from models.inference.anomaly import Scores, fused, scaled
from models.inference.suspect import Suspect

FEWEST = 30
"""Patients that a scale needs: with them the 95th percentile is the second or third strangest. Several images of one
patient are alike, and count once."""

MOST_REFUSED = 0.1
"""Share of the normals that admission may refuse; its limit lets in nearly all held-out images of shifted equipment.
The refused ones are left out of the scale, because a report gives such an image no score."""

LEAST_SPREAD = 0.25
"""Of the bundle's own deviations, how much a site's have at least: normals that are all alike, such as those of one
day, would otherwise make every other image look strange."""

AT_A_SITE = "-site"
"""What the version of a bundle ends in that was fitted to a site."""


def refit_anomaly(bundle: Path, normals: LabelledImages, out: Path, *, now: datetime, threads: int = 1) -> Path:
    """Write a bundle whose anomaly score is placed among a site's normals, and return its folder.

    Everything else stays as it is; measures of the old anomaly score are left out, because they do not hold any more.

    Parameters
    ----------
    bundle
        The folder of a bundle with an anomaly score.
    normals
        The site's images without a finding; all labels are 0, and a group is a patient.
    out
        Where the new bundle is to be; must not exist yet. It appears complete or not at all.
    now
        For the manifest, aware.
    threads
        Threads of each network.

    Raises
    ------
    BundleError
        Where the bundle cannot be used or has no anomaly score.
    DataError
        Where images are labelled as not normal or more than `MOST_REFUSED` of them are not admitted (they are named),
        or the admitted ones show fewer than `FEWEST` patients.
    OSError
        Where `out` exists (FileExistsError), or nothing can be written beside it.
    """
    if out.exists():
        raise FileExistsError(f"{out} exists already: name a folder that does not, or remove it")
    opened = open_bundle(bundle)
    if opened.manifest.anomaly is None:
        raise BundleError(f"the bundle {bundle} has no anomaly score that could be fitted to a site")
    labelled = zip(normals.names, normals.labels, strict=True)
    refuse_images("labelled as not normal", [name for name, label in labelled if label != 0])
    _different(normals, np.ones(len(normals), np.bool_))  # before the time for admission is spent
    admitted = _admitted(opened, normals)
    digests, patients = _different(normals, admitted)
    own = opened.manifest.anomaly
    fitted = _fitted(own, [scores[admitted] for scores in Suspect(own, opened, threads).raw(normals.views)])
    digest = sha256("".join(digests).encode()).hexdigest()
    source = {"of": opened.manifest.device_uid, "images": len(digests), "patients": patients, "digest": digest}
    with appearing_at_once(out) as folder:
        for name in opened.manifest.files:
            shutil.copyfile(opened.path / name, folder / name)
        write_bundle(folder, _manifest(opened.manifest, fitted, source, now))
    return out


def _admitted(bundle: Bundle, normals: LabelledImages) -> NDArray[np.bool_]:
    """Return which of the normals the bundle would read, shape (images,), once they are enough."""
    limit = bundle.manifest.admission
    if limit is None:
        return np.ones(len(normals), np.bool_)
    known = feature_autoencoder(bundle.arrays["admission"], "admission")
    admitted = np.array([admission_score(known, image) <= limit.limit for image in normals.views(limit.size)], np.bool_)
    if np.mean(~admitted) > MOST_REFUSED:
        fault = f"of {len(normals)} not of the kind that the bundle reads (admission score above {limit.limit:.2f})"
        refuse_images(fault, [name for name, taken in zip(normals.names, admitted, strict=True) if not taken])
    return admitted


def _different(normals: LabelledImages, admitted: NDArray[np.bool_]) -> tuple[list[str], int]:
    """Return the digests of the different images that are admitted and how many patients they show, once enough."""
    digests = sorted({digest for digest, taken in zip(normals.image_digests(), admitted, strict=True) if taken})
    patients = len({group for group, taken in zip(normals.groups, admitted, strict=True) if taken})
    if min(patients, len(digests)) < FEWEST:
        raise DataError(
            f"{len(digests)} different normals of {patients} patients are too few to place scores among: images of "
            f"{FEWEST} patients are needed"
        )
    return digests, patients


def _fitted(own: Anomaly, raw: Sequence[Scores]) -> Anomaly:
    """Return the scales of normals' scores, none much narrower than the bundle's own."""
    parts = tuple(
        replace(part, deviation=max(part.deviation, LEAST_SPREAD * old.deviation))
        for part, old in zip(scaled(own.parts, raw).parts, own.parts, strict=True)
    )
    together = fused(raw, parts)
    quantiles = tuple(map(float, np.percentile(together, np.arange(101))))
    return Anomaly(parts, float(together.mean()), max(float(together.std()), LEAST_SPREAD * own.deviation), quantiles)


def _manifest(manifest: Manifest, fitted: Anomaly, source: dict[str, Any], now: datetime) -> Manifest:
    version = manifest.version if manifest.version.endswith(AT_A_SITE) else manifest.version + AT_A_SITE
    return replace(
        manifest,
        version=version,
        created_at=now.astimezone(UTC).isoformat(timespec="seconds"),
        anomaly=fitted,
        recipe=manifest.recipe | {"anomaly_fitted_to": source},
        measures={split: _without_anomaly(measures) for split, measures in manifest.measures.items()},
    )


def _without_anomaly(measures: Any) -> Any:
    if not isinstance(measures, dict):
        return measures
    return {name: value for name, value in measures.items() if not name.startswith("anomaly")}
