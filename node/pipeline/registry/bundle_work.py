"""Bundles run at an operator's word, in a child process: a file that crashes its runtime ends the child alone.

What the functions return and raise is plain: lines of text, and `Permanent` with the reason.
"""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from node.domain.errors import Permanent
from node.pipeline.registry.sample import Sample
from node.telemetry import native_chatter_dropped

if TYPE_CHECKING:  # the learned part is imported late: a receiving process never pays for it
    from models.bundle.description import Description
    from models.inference.importing import Tried
    from models.inference.reader import Reader

Line = tuple[str, str, str]
"""What was looked at, the verdict (ok or note), and what was found."""

READ_BY_RULE = "every image that the model's rule lets through is read"


def answers(bundle: Path) -> list[Line]:
    """Load a bundle, let it answer an image that a random generator drew, twice, and say what came.

    Raises
    ------
    Permanent
        Where it does not load, or an answer is not finite, out of its range, or another one the second time.
    """
    from models.bundle.folder import BundleError  # noqa: PLC0415 - only the child process imports the learned part
    from models.inference.reader import load  # noqa: PLC0415 - the same

    try:
        with native_chatter_dropped():
            reader = load(bundle)
            first, second = _said(reader), _said(reader)
    except BundleError as error:
        raise Permanent(str(error)) from error
    for name, numbers in first.items():
        if not np.isfinite(numbers).all():
            raise Permanent(f"{name}: the answer to a synthetic image is not finite")
        if not np.array_equal(numbers, second[name]):
            raise Permanent(f"{name}: two answers to the same image differ")
    likely = first["probabilities"][0]
    if likely.min() < 0.0 or likely.max() > 1.0:
        raise Permanent(f"probabilities: {likely.tolist()} are not all from 0 to 1")
    named = ", ".join(f"{known.name} {share:.4f}" for known, share in zip(reader.manifest.classes, likely, strict=True))
    others = ", ".join(name for name in first if name != "probabilities") or "nothing"
    return [
        ("load", "ok", f"{reader.manifest.classifier.file} and all that belongs to it load"),
        ("answer", "ok", f"a synthetic image gets {named}; beside that {others}; all finite, twice the same"),
    ]


def _said(reader: "Reader") -> "dict[str, np.ndarray[tuple[int, ...], np.dtype[np.floating]]]":
    """Return all that a bundle says of one synthetic image, admitted or not."""
    from models.images.preprocess import network_input  # noqa: PLC0415 - only the child process imports it

    random = np.random.default_rng(0)
    values = random.normal(size=(96, 80)).cumsum(0).cumsum(1).astype(np.float32)

    def see(size: int) -> "np.ndarray[tuple[int, ...], np.dtype[np.float32]]":
        return network_input(values, None, inverted=False, size=size)[np.newaxis]

    manifest = reader.manifest
    said = {"probabilities": reader.probabilities(see(manifest.classifier.size))}
    if manifest.admission is not None:
        said["admission score"] = np.array([reader.admission_score(see(manifest.admission.size)[0])])
    further = {
        "map": reader.maps(see(manifest.classifier.size)),
        "anomaly score": reader.anomaly_scores(see),
        "error map": reader.error_maps(see),
    }
    return said | {name: numbers for name, numbers in further.items() if numbers is not None}


def imported(file: Path, describe: Path, sample: Path, folder: Path, created_at: str) -> list[Line]:
    """Try a model on a sample, write its bundle into an empty folder, and say what was found.

    Parameters
    ----------
    file, describe
        The model, and what its owner says of it.
    sample
        An image, or a folder of images: DICOM or ordinary pictures.
    folder
        Where the bundle goes.
    created_at
        ISO 8601 in UTC.

    Raises
    ------
    Permanent
        Where the model is not as described, or a file cannot be read or written.
    """
    from models.bundle.description import parsed_description  # noqa: PLC0415 - only the child process imports it
    from models.inference.importing import tried, write_imported  # noqa: PLC0415 - the same
    from models.strict import FormError  # noqa: PLC0415 - the same

    images, name = Sample(sample), f"classifier{file.suffix.lower()}"
    try:
        text, content = describe.read_bytes(), file.read_bytes()
        described = parsed_description(text)
        with native_chatter_dropped():
            found = tried(name, content, described, images)
        write_imported(folder, name, content, text, described, found, created_at)
    except FormError as error:
        raise Permanent(f"{describe}: {error}") from error
    except OSError as error:
        raise Permanent(f"{error.filename}: {error.strerror}") from error
    except ValueError as error:
        raise Permanent(f"{file} is not imported: {error}") from error
    return [*_on_sample(described, found, images), _admission(found)]


def _on_sample(described: "Description", found: "Tried", images: Sample) -> list[Line]:
    skipped = "".join(f"; skipped {count}: {reason}" for reason, count in sorted(images.skipped.items()))
    lines = [("sample", "ok", f"{len(found.probabilities)} images, {found.images} of them different{skipped}")]
    for known, said in zip(described.classes, found.probabilities.T, strict=True):
        always = found.images > 1 and np.ptp(said) == 0.0
        share = 100.0 * float((said >= known.threshold).mean())
        text = f"from {said.min():.4f} to {said.max():.4f}; {share:.1f} % reach the threshold of {known.threshold:g}"
        doubt = "; the same for every image: does the described input fit?" if always else ""
        lines.append((f"class {known.name}", "note" if always else "ok", text + doubt))
    return lines


def _admission(found: "Tried") -> Line:
    from models.inference.sample_admission import FEWEST  # noqa: PLC0415 - only the child process imports it

    if found.admission is None:
        text = f"none: a sample of at least {FEWEST} different images is needed to fit it; {READ_BY_RULE}"
        return "admission", "note", text
    return "admission", "ok", f"fitted on the sample: images up to a score of {found.admission.limit:.2f} are read"
