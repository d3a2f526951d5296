"""What a prediction says in the words of the domain, and where on the image it was seen.

It runs in the child that has the model. Only what is flagged, or unusual, is explained: the maps come out of the
networks with the scores, so that an explanation costs its outline and nothing else.
"""

import base64
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from node.domain.finding import Anomaly, Code, Finding, HeatGrid, Region

if TYPE_CHECKING:  # the learned part is imported late: a receiving process never pays for it
    from models.bundle.manifest import Manifest
    from models.inference.explain import Explanation
    from models.inference.prepare import Seen
    from models.inference.reader import Prediction

_DIGITS = 2  # of a pixel; an outline is exact to half of a 256th of the image's side

Said = TypeVar("Said", Finding, Anomaly)


def findings_of(manifest: "Manifest", prediction: "Prediction") -> tuple[Finding, ...]:
    """Return what a prediction says of each class, without regions."""
    return tuple(
        Finding(
            name=described.name,
            finding=Code(*described.finding),
            site=Code(*described.site),
            probability=prediction.probabilities[described.name],
            threshold=described.threshold,
        )
        for described in manifest.classes
    )


def anomaly_of(prediction: "Prediction") -> Anomaly | None:
    """Return how unusual a prediction says the image is, without a region; None where the bundle has no score."""
    if prediction.anomaly_z is None or prediction.anomaly_percentile is None:
        return None
    return Anomaly(prediction.anomaly_z, prediction.anomaly_percentile)


def where(
    manifest: "Manifest",
    seen: "Seen",
    prediction: "Prediction",
    findings: tuple[Finding, ...],
    anomaly: Anomaly | None,
    *,
    heat: bool,
) -> tuple[tuple[Finding, ...], Anomaly | None]:
    """Return what was said of an image with the place of what is flagged, and of the anomaly where it is unusual.

    Parameters
    ----------
    manifest
        Of the bundle that has read the image.
    seen, prediction
        The image as it came to the networks, and what they said of it.
    findings, anomaly
        The same in the words of the domain.
    heat
        Whether the grids of heat maps are kept too.
    """
    from models.inference.explain import ANOMALY, explained  # noqa: PLC0415 - as above

    names = {finding.name for finding in findings if finding.present}
    unusual = anomaly is not None and anomaly.unusual
    if not (names or unusual):
        return findings, anomaly
    asked = names | {ANOMALY} if unusual else names
    found = explained(prediction, manifest, seen.rows, seen.columns, asked)
    placed = tuple(_placed(finding, found, finding.name, heat=heat) for finding in findings)
    return placed, anomaly and _placed(anomaly, found, ANOMALY, heat=heat)


def _placed(said: Said, found: Mapping[str, "Explanation"], name: str, *, heat: bool) -> Said:
    explanation = found.get(name)
    if explanation is None:
        return said
    region, grid = _rounded(explanation), _grid(explanation) if heat else None
    return replace(said, region=region, heat=grid, spread=not region)


def _rounded(explanation: "Explanation") -> Region:
    return tuple((round(column, _DIGITS), round(row, _DIGITS)) for column, row in explanation.outline)


def _grid(explanation: "Explanation") -> HeatGrid | None:
    from models.inference.explain import heat_grid  # noqa: PLC0415 - as above

    cells = heat_grid(explanation.map)
    if cells is None:
        return None
    rows, columns = cells.shape
    return HeatGrid(rows, columns, base64.b64encode(cells.tobytes()).decode())
