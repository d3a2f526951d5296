"""Fitting an anomaly score to a site: the same networks, the scale of the site's own normals, another device.

A score means something only beside the scores of normals from the same equipment. Networks are left as they are, so
this takes seconds and no TensorFlow. It knows bundles and labelled images; which images are normal, the caller says.
"""

import shutil
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

from models.bundle.folder import BundleError, open_bundle, write_bundle
from models.bundle.manifest import Anomaly, Manifest
from models.bundle.place import appearing_at_once
from models.data.labelled import DataError, LabelledImages, refuse_images
from models.inference.anomaly import scaled
from models.inference.suspect import Suspect

FEWEST = 30
"""Different normals that a scale needs: with them the 95th percentile is the second or third strangest image."""

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
        The site's images without a finding; all labels are 0.
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
        Where images are labelled as not normal (they are named), or there are fewer than `FEWEST` different ones.
    OSError
        Where `out` exists (FileExistsError), or nothing can be written beside it.
    """
    if out.exists():
        raise FileExistsError(f"{out} exists already: name a folder that does not, or remove it")
    opened = open_bundle(bundle)
    if opened.manifest.anomaly is None:
        raise BundleError(f"the bundle {bundle} has no anomaly score that could be fitted to a site")
    digests = _digests(normals)
    own = opened.manifest.anomaly
    fitted = scaled(own.parts, Suspect(own, opened, threads).raw(normals.views))
    digest = sha256("".join(digests).encode()).hexdigest()
    source = {"of": opened.manifest.device_uid, "images": len(digests), "digest": digest}
    with appearing_at_once(out) as folder:
        for name in opened.manifest.files:
            shutil.copyfile(opened.path / name, folder / name)
        write_bundle(folder, _manifest(opened.manifest, fitted, source, now))
    return out


def _digests(normals: LabelledImages) -> list[str]:
    """Return the digests of the different images, once they may be fitted to."""
    labelled = zip(normals.names, normals.labels, strict=True)
    refuse_images("labelled as not normal", [name for name, label in labelled if label != 0])
    different = sorted(set(normals.image_digests()))
    if len(different) < FEWEST:
        raise DataError(f"{len(different)} different normals are too few to place scores among: {FEWEST} are needed")
    return different


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
