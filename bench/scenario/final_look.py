"""What two versions say of the test splits of both hospitals, with paired intervals; each look is logged.

It knows bundles and data folders, and nothing of the node that made them.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.bundle.folder import open_bundle
from models.data.dataset import open_data
from models.data.labelled import LabelledImages
from models.evaluation.log import log_use, use_of
from models.evaluation.metrics import auc, expected_calibration_error
from models.evaluation.metrics import weighted_auc as area
from models.gate.paired import differing
from models.gate.protocol import Protocol
from models.inference.reader import Reader, load

SPLIT = "test"
_DRAWS = 2000


def measured(
    champion: Path, challenger: Path, data: Sequence[Path], log: Path, now: datetime, reason: str
) -> dict[str, dict[str, Any]]:
    """Return by data set what both versions reach on its test split, and the interval of the difference."""
    found = {}
    for folder in data:
        opened = open_data(folder)
        images, digest = opened.images(SPLIT), opened.digest((SPLIT,))
        said, seen = [], []
        for bundle in (champion, challenger):
            reader = load(bundle)
            likely = _likely(reader, images)
            said.append(likely)
            seen.append(_measures(reader, images, likely))
            use = use_of(open_bundle(bundle).manifest, seen[-1], (folder.name, digest), SPLIT, now, reason)
            log_use(log, use)
        found[folder.name] = {"champion": seen[0], "challenger": seen[1], **_difference(images, said), "digest": digest}
    return found


def _likely(reader: Reader, images: LabelledImages) -> NDArray[np.float64]:
    return np.asarray(reader.probabilities(images.views(reader.manifest.classifier.size))[:, 0], np.float64)


def _measures(reader: Reader, images: LabelledImages, likely: NDArray[np.float64]) -> dict[str, Any]:
    threshold, ill = reader.manifest.classes[0].threshold, images.labels == 1
    called = likely >= threshold
    admission = reader.manifest.admission
    scores = [reader.admission_score(image) for image in images.views(admission.size)] if admission else []
    return {
        "n": len(images),
        "auc": auc(images.labels, likely),
        "accuracy": float((called == ill).mean()),
        "threshold": threshold,
        "sensitivity": float(called[ill].mean()),
        "specificity": float((~called[~ill]).mean()),
        "ece": expected_calibration_error(images.labels, likely),
        "admitted": float(np.mean(np.array(scores) <= admission.limit)) if admission else 1.0,
    }


def _difference(images: LabelledImages, said: Sequence[NDArray[np.float64]]) -> dict[str, float | None]:
    protocol = replace(Protocol(), draws=_DRAWS)
    found = differing(lambda which, weights: area(images.labels, said[which], weights), images.groups, protocol)
    return {"difference": found.value, "lower": found.lower, "upper": found.upper}
