"""The lines that a person reads of each image, in their order: what this is, what was found, and how sure that is.

Those of the study as a whole stand in `node.dicom.result.study_summary`. The words of both come from
`node.domain.words`; nothing is worded here. What names the model to a program is the same in every language.
"""

from node.domain.finding import Admission, Anomaly, Cause, Finding
from node.domain.report import ModelIdentity
from node.domain.words import Words


def research_lines(words: Words, model: ModelIdentity) -> list[str]:
    """Return what stands above everything else, and is not removable."""
    return words.lines("research", model=model.name, version=model.version)


def finding_line(words: Words, model: ModelIdentity, finding: Finding) -> str:
    """Return the line of one class, such as ``Pneumonia: flagged, score 0.87 (threshold 0.50)``.

    It says a percentage only where scores are probabilities at this site: a model that was calibrated elsewhere tells
    of another site's patients. What a study's score is made of images is no probability of either.
    """
    said = {"finding": words.named(finding.finding), "verdict": verdict_of(words, present=finding.present)}
    if model.calibrated_on_local_labels:
        score, threshold = told_apart(100 * finding.probability, 100 * finding.threshold, digits=1, top=100)
        return words.line("finding_calibrated", **said, score=score, threshold=threshold)
    score, threshold = told_apart(finding.probability, finding.threshold)
    return words.line("finding", **said, score=score, threshold=threshold)


def verdict_of(words: Words, *, present: bool) -> str:
    """Return what is said of a finding that is present, or is not."""
    return words.line("flagged" if present else "not_flagged")


def anomaly_lines(words: Words, anomaly: Anomaly) -> list[str]:
    """Return the lines of the anomaly score.

    What they say of the normals is true of a bundle as it was trained (held-out normals and, three of four, copies as
    other equipment would have made them) and of one that was fitted to a site (that site's normals alone).
    """
    above, z_score = _above(anomaly.percentile), f"{anomaly.z_score:.2f}"
    if above is None:
        return words.lines("anomaly_above_all", z_score=z_score)
    return words.lines("anomaly", z_score=z_score, percentile=above)


def _above(percentile: float) -> str | None:
    """Return above how many of 100 a score lies, never rounded up; None: above all."""
    if percentile >= 100:
        return None
    return str(int(percentile)) if percentile < 99 else f"{int(10 * percentile) / 10:g}"


def place_lines(words: Words, said: Finding | Anomaly) -> list[str]:
    """Return what is said of an answer that no place of the image stands out for, or nothing."""
    return words.lines("no_place") if said.spread else []


def not_assessed_lines(words: Words, admission: Admission) -> list[str]:
    """Return the lines of an image that was not admitted, or whose reading failed; operators see what more is known."""
    lines = words.lines(cause_of(admission))
    if admission.score is None or admission.limit is None:
        return lines
    scores = {"score": f"{admission.score:.2f}", "limit": f"{admission.limit:.2f}"}
    return [*lines, *words.lines("admission_score", **scores)]


def cause_of(admission: Admission) -> Cause:
    """Return why an image was not assessed; of a reading that names no cause, what its code says."""
    if admission.cause is not None:
        return admission.cause
    return Cause.READING_FAILED if admission.reason is None else Cause.OUTSIDE_LIMITS


def parameter_lines(model: ModelIdentity, threshold: float | None = None) -> list[str]:
    """Return the algorithm parameters: the operating point, and which weights."""
    lines = [] if threshold is None else [f"threshold {threshold:.6g}"]
    return lines + ([f"weights SHA-256 {model.weights_digest}"] if model.weights_digest else [])


def serial_number(model: ModelIdentity) -> str:
    """Return what tells this device from others of its model, or "" where nothing does: the digest of its weights."""
    return model.weights_digest[:16]


def threshold_of(threshold: float) -> str:
    """Return a threshold with two digits, or with as many as show that it is not nothing."""
    return f"{threshold:.2f}" if threshold >= 0.005 else f"{threshold:.2g}"


def told_apart(score: float, threshold: float, digits: int = 2, top: float = 1) -> tuple[str, str]:
    """Return both with so many digits, or with as many as show on which side of the threshold the score lies.

    Two that differ never look the same, and what is below the highest possible is never rounded up to it.
    """
    for more in range(digits, digits + 5):
        texts = f"{score:.{more}f}", f"{threshold:.{more}f}"
        shown, limit = map(float, texts)
        if (shown > limit, shown < limit, shown < top) == (score > threshold, score < threshold, score < top):
            return texts
    return repr(score), repr(threshold)
