"""The texts of a report: lines that a person reads of each image, and what names the model.

Those of the study as a whole stand in `node.dicom.report_summary`; no other file writes any.
"""

from node.dicom.charset import clean
from node.domain.finding import Anomaly, Finding, Reading
from node.domain.report import ModelIdentity


def research_line(model: ModelIdentity) -> str:
    """Return what stands above everything else, and is not removable."""
    return (
        f"RESEARCH RESULT by {model.name} {model.version}. Not a cleared medical device. "
        "Not for diagnosis or treatment. Unverified."
    )


def finding_line(finding: Finding) -> str:
    """Return the line of one class, such as ``Pneumonia: flagged, score 0.87 (threshold 0.50)``."""
    verdict = "flagged" if finding.present else "not flagged"
    score, threshold = told_apart(finding.probability, finding.threshold)
    return f"{finding.finding.meaning}: {verdict}, score {score} (threshold {threshold})"


def anomaly_line(anomaly: Anomaly) -> str:
    """Return the line of the anomaly score.

    What it says of the normals is true of a bundle as it was trained (held-out normals and, three of four, copies as
    other equipment would have made them) and of one that was fitted to a site (that site's normals alone).
    """
    return (
        f"Abnormality: z-score {anomaly.z_score:.2f}, higher than {anomaly.percentile:.1f} % "
        "of the model's reference normals (held out in training, or of a site; altered copies may be among them)"
    )


def not_assessed_line(reading: Reading) -> str:
    """Return the line of an image that was not admitted, or whose reading failed."""
    sentence = clean(reading.admission.sentence) or "the image was not read."
    return f"Not assessed: {sentence}"


def parameter_lines(model: ModelIdentity, threshold: float | None = None) -> list[str]:
    """Return the algorithm parameters: the operating point, and which weights."""
    lines = [] if threshold is None else [f"threshold {threshold:.6g}"]
    return lines + ([f"weights SHA-256 {model.weights_digest}"] if model.weights_digest else [])


def serial_number(model: ModelIdentity) -> str:
    """Return what tells this device from others of its model, or "" where nothing does: the digest of its weights."""
    return model.weights_digest[:16]


def told_apart(score: float, threshold: float) -> tuple[str, str]:
    """Return both with two digits, or with as many as show on which side of the threshold the score lies."""
    for digits in range(2, 7):
        texts = f"{score:.{digits}f}", f"{threshold:.{digits}f}"
        if (float(texts[0]) >= float(texts[1])) == (score >= threshold):
            return texts
    return repr(score), repr(threshold)
