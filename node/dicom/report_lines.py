"""The texts of a report: lines that a person reads, and what names the model. No other file writes them."""

from collections.abc import Iterator

from node.dicom.charset import clean
from node.dicom.report_choice import MOST_DETAILED, number_of_parts
from node.domain.finding import Anomaly, Finding, Outcome, Reading, StudyFinding
from node.domain.report import ModelIdentity, ReportContent
from node.domain.rule import Aggregation

SYNTHETIC_LINE = "SYNTHETIC IMAGES: made by a computer, of no patient. Nothing here is about a person."
"""What a report about synthetic images says of them."""


def research_line(model: ModelIdentity) -> str:
    """Return what stands above everything else, and is not removable."""
    return (
        f"RESEARCH RESULT by {model.name} {model.version}. Not a cleared medical device. "
        "Not for diagnosis or treatment. Unverified."
    )


def finding_line(finding: Finding) -> str:
    """Return the line of one class, such as ``Pneumonia: flagged, score 0.87 (threshold 0.50)``."""
    verdict = "flagged" if finding.present else "not flagged"
    score, threshold = _told_apart(finding.probability, finding.threshold)
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


def summary_lines(content: ReportContent) -> list[str]:
    """Return the lines that stand for the whole report: what it is, and what it concludes."""
    assessed = sum(reading.admission.admitted for reading in content.readings)
    of = f"{assessed} of {len(content.readings)} image{'s' if len(content.readings) > 1 else ''} assessed"
    conclusion = {
        Outcome.POSITIVE: f"{of}; {_flagged(content)}.",
        Outcome.NEGATIVE: f"{of}; no finding is flagged.",
        Outcome.NOT_ASSESSED: f"{of}; the study is not assessed.",
    }
    synthetic = [SYNTHETIC_LINE] if content.synthetic else []
    parts = number_of_parts(content.readings)
    of_study = [line for finding in content.findings for line in _study_lines(finding)] if parts > 1 else []
    return [
        research_line(content.model),
        *synthetic,
        conclusion[content.outcome],
        *of_study,
        *([_CHOSEN.format(parts)] if parts > MOST_DETAILED else []),
    ]


_CHOSEN = (
    "Of {} images and frames, this report goes into those that decided, the highest of each class, and some that were "
    "not assessed."
)


def _study_lines(finding: StudyFinding) -> Iterator[str]:
    """Yield what is said of one class of a study of several images, and which of them decided."""
    figure, limit = f"in {finding.reached}", f"{finding.threshold:.2f}"
    if finding.score is not None:
        score, limit = _told_apart(finding.score, finding.threshold)
        figure = _FIGURES[Aggregation(finding.aggregation)].format(score)
    verdict = "flagged" if finding.present else "not flagged"
    yield (f"Study, {finding.finding.meaning}: {verdict}, {figure} of {finding.assessed} assessed (threshold {limit})")
    for image in finding.key_images:
        frame = "" if image.frame is None else f", frame {image.frame}"
        yield f"Key image, {finding.finding.meaning}: {image.sop_instance_uid}{frame}"


_FIGURES = {
    Aggregation.MAXIMUM: "highest score {}",
    Aggregation.MEAN: "mean score {}",
    Aggregation.TOP_K: "mean of the highest scores {}",
}


def _flagged(content: ReportContent) -> str:
    """Return that something is flagged; of a model with several classes, also what."""
    if len(content.findings) < 2:
        return "at least one finding is flagged"
    return f"flagged: {', '.join(one.finding.meaning for one in content.findings if one.present)}"


def parameter_lines(model: ModelIdentity, threshold: float | None = None) -> list[str]:
    """Return the algorithm parameters: the operating point, and which weights."""
    lines = [] if threshold is None else [f"threshold {threshold:.6g}"]
    return lines + ([f"weights SHA-256 {model.weights_digest}"] if model.weights_digest else [])


def serial_number(model: ModelIdentity) -> str:
    """Return what tells this device from others of its model, or "" where nothing does: the digest of its weights."""
    return model.weights_digest[:16]


def _told_apart(score: float, threshold: float) -> tuple[str, str]:
    """Return both with two digits, or with as many as show on which side of the threshold the score lies."""
    for digits in range(2, 7):
        texts = f"{score:.{digits}f}", f"{threshold:.{digits}f}"
        if (float(texts[0]) >= float(texts[1])) == (score >= threshold):
            return texts
    return repr(score), repr(threshold)
