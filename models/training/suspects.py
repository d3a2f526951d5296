"""Labels that are probably wrong: those that a classifier which has not seen the image holds unlikely.

A quick classifier on hand-made features is fitted to parts of the patients and asked about the others; cleanlab finds
the labels that its answers do not explain. It changes nothing: a person looks at them.

References
----------
Northcutt C, Jiang L, Chuang I, "Confident Learning: Estimating Uncertainty in Dataset Labels", JAIR 70, 2021.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.data.labelled import LabelledImages

SIZE, PARTS, COMPONENTS = 64, 5, 64
"""Rows and columns of the images that are described; parts of the patients held out in turn; principal directions."""

FEWEST = 40
"""Images from which on a part says something of another."""

MOST = 50
"""Labels that are listed at most, the unlikeliest first: more than a person looks at are no slips any more."""


@dataclass(frozen=True, slots=True)
class Suspect:
    """One label that is probably wrong."""

    name: str  #: of the image
    label: int  #: what it says
    likelihood: float  #: how likely the classifier holds it, 0 to 1


def suspects(images: LabelledImages, seed: int = 0) -> tuple[Suspect, ...]:
    """Return the labels that are probably wrong, the unlikeliest first; none where there are too few images to say.

    Parameters
    ----------
    images
        Labelled images; a group is held out as a whole.
    seed
        Of how patients are divided.
    """
    from cleanlab.filter import find_label_issues  # noqa: PLC0415 - pandas with it, for trainings alone

    fewest = int(np.bincount(images.labels).min()) if len(images) else 0
    if len(images) < FEWEST or fewest < PARTS or len(set(images.groups)) < 2 * PARTS:
        return ()
    likely = _held_out(images, seed)
    if likely is None:
        return ()
    ranked = find_label_issues(images.labels, likely, return_indices_ranked_by="self_confidence", n_jobs=1)
    return tuple(
        Suspect(images.names[number], int(images.labels[number]), float(likely[number, images.labels[number]]))
        for number in ranked[:MOST]
    )


def _held_out(images: LabelledImages, seed: int) -> NDArray[np.float64] | None:
    """Return how likely each class is, shape (images, classes), said by what has not seen the patient."""
    from sklearn.decomposition import PCA  # noqa: PLC0415 - with cleanlab
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415 - the same
    from sklearn.model_selection import StratifiedGroupKFold, cross_val_predict  # noqa: PLC0415 - the same
    from sklearn.pipeline import make_pipeline  # noqa: PLC0415 - the same
    from sklearn.preprocessing import StandardScaler  # noqa: PLC0415 - the same

    from models.inference.admission import described  # noqa: PLC0415 - the same

    parts = StratifiedGroupKFold(PARTS, shuffle=True, random_state=seed)
    vectors = described(images.views(SIZE))
    for learned, _ in parts.split(vectors, images.labels, images.groups):
        if len(set(images.labels[learned])) < len(set(images.labels)):
            return None  # a class is a few patients'
    kept = min(COMPONENTS, len(images) // 2)
    classifier = make_pipeline(
        StandardScaler(), PCA(kept, random_state=seed), LogisticRegression(C=0.1, max_iter=500, class_weight="balanced")
    )
    said = cross_val_predict(classifier, vectors, images.labels, groups=images.groups, cv=parts, method="predict_proba")
    return np.asarray(said, np.float64)
