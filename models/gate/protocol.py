"""What a challenger must reach, declared before it is trained: the margins, the numbers and the seed.

A protocol is a value with a digest. Whoever runs a retraining writes it down first, so that a verdict can be shown to
rest on what was declared then. It knows no result.

References
----------
FDA, "Marketing Submission Recommendations for a Predetermined Change Control Plan for Artificial Intelligence-Enabled
Device Software Functions", 2024 (acceptance criteria are declared before the change).
"""

import hashlib
import json
from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True)
class Protocol:
    """The declared criteria; each margin is how much worse than the champion's a figure may be, 0 to 1."""

    seed: int = 0  #: of the bootstrap
    draws: int = 2000  #: samples of the bootstrap
    confidence: float = 0.95  #: of the two-sided intervals, above 0 and below 1
    auc_margin: float = 0.01  #: on every locked set, of the lower bound of the difference
    target_margin: float = 0.0  #: on target sets, of the difference itself
    sensitivity_margin: float = 0.02  #: at each version's own operating point, of the difference itself
    specificity_margin: float = 0.1  #: likewise, on target sets
    ece_margin: float = 0.02  #: on target sets, of the expected calibration error, of the difference itself
    admitted_margin: float = 0.05  #: of the share of images that admission lets in, of the difference itself
    subgroup_margin: float = 0.03  #: of the AUC within a subgroup, of the lower bound of the difference
    min_patients: int = 50  #: of a locked set; below it nothing is promoted by it
    min_positives: int = 30  #: patients of a locked set with an image that shows the class
    min_negatives: int = 30  #: patients of a locked set with an image that does not
    subgroup_min: int = 30  #: patients of either kind from which a subgroup is judged

    @property
    def digest(self) -> str:
        """The SHA-256 over all of it, hexadecimal."""
        text = json.dumps(asdict(self), sort_keys=True, separators=(",", ":"), allow_nan=False)
        return hashlib.sha256(text.encode("ascii")).hexdigest()
