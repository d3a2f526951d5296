"""Studies of nobody, at an operator's word: a generator paints images, and they are written as DICOM files.

The learned part is imported late, for this verb and the demo alone.
"""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from node.dicom.samples.synthetic_study import Origin, synthetic_study
from node.domain.errors import OperatorError
from node.pipeline.progress import Reporter
from node.pipeline.registry.train import LARGEST_SEED
from node.telemetry import native_chatter_dropped

if TYPE_CHECKING:
    from models.inference.generator import Generator

MAXIMUM_COUNT = 10_000
"""Studies of one seed; they are painted into memory. More come from another seed."""


def synthesise(
    label: str, count: int, out: Path, seed: int, report: Reporter, generator: Path | None = None
) -> list[Path]:
    """Write studies of one image each and return their files.

    Parameters
    ----------
    label
        What the images are to look like; one of the generator's labels.
    count
        How many studies, from 1 to `MAXIMUM_COUNT`.
    out
        A folder, created; an empty one is taken, another is not.
    seed
        From 0 to `LARGEST_SEED`; the same seed, label and generator give the same studies.
    report
        Told of the progress.
    generator
        The generator's folder; without one, the generator that ships.

    Raises
    ------
    OperatorError
        With exit code 2 where the label is unknown, count or seed make no sense or the folder is not empty; else where
        the generator cannot be used or a file cannot be written.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise OperatorError(f"{out} is not an empty folder: name another --out", exit_code=2)
    painted = studies(label, count, seed, generator)
    files = []
    try:
        out.mkdir(parents=True, exist_ok=True)
        for number, study in enumerate(painted, 1):
            path = out / f"{label}-{seed}-{number:04}.dcm"
            path.write_bytes(study)
            files.append(path)
            report(f"painting {label}", number, count)
    except OSError as error:
        raise OperatorError(f"the studies cannot be written to {out}: {error.strerror}") from error
    return files


def studies(label: str, count: int, seed: int, generator: Path | None = None) -> Iterator[bytes]:
    """Return studies as whole DICOM files, painted as they are asked for.

    Raises
    ------
    OperatorError
        As `synthesise` does, at once.
    """
    if not 1 <= count <= MAXIMUM_COUNT or not 0 <= seed <= LARGEST_SEED:
        raise OperatorError(
            f"a count is a number from 1 to {MAXIMUM_COUNT}, a seed one from 0 to {LARGEST_SEED}; "
            f"not {count} and {seed}",
            exit_code=2,
        )
    from models.bundle.folder import BundleError  # noqa: PLC0415 - for this verb alone
    from models.inference.generator import load_generator  # noqa: PLC0415 - the same

    try:
        with native_chatter_dropped():
            loaded = load_generator(generator) if generator is not None else load_generator()
    except BundleError as error:
        raise OperatorError(f"the generator cannot be used: {error}") from error
    if label not in loaded.labels:
        raise OperatorError(f"no label {label!r}: the generator paints {', '.join(loaded.labels)}", exit_code=2)
    return _painted(loaded, label, count, seed)


def _painted(generator: "Generator", label: str, count: int, seed: int) -> Iterator[bytes]:
    manifest = generator.manifest
    made_on = datetime.fromisoformat(manifest.created_at).strftime("%Y%m%d")
    learned_from = f"{manifest.data.name} ({manifest.data.licence})"
    for number, image in enumerate(generator.images(label, count, seed), 1):
        origin = Origin(
            generator=manifest.name,
            version=manifest.version,
            digest=manifest.manifest_digest,
            made_on=made_on,
            data=learned_from,
            label=label,
            seed=seed,
            number=number,
        )
        yield synthetic_study(image, origin)
