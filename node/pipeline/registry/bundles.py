"""Bundles at an operator's word: signed, verified line by line, and made of a model that was trained elsewhere.

What is run is run in a child process: a file that crashes its runtime is refused like any other that does not do.
"""

import shutil
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from models.bundle.folder import UNLISTED, BundleError, intact_manifest, read_manifest
from models.bundle.manifest import Manifest
from models.bundle.signature import SIGNATURE, SignatureError, verified
from models.bundle.signature import sign as sign_manifest
from models.bundle.vouched import refuse_changed
from node.domain.errors import OperatorError, Permanent, Transient
from node.pipeline.apart import in_child
from node.pipeline.check_line import CheckLine
from node.pipeline.registry.bundle_work import READ_BY_RULE, answers, imported
from node.pipeline.registry.catalogue import bundle_path, version_of

_DEADLINE_S = 900.0  # a sample of some thousand images through a large network


def sign(bundle: Path, private_key: Path) -> str:
    """Sign a bundle and say so.

    Raises
    ------
    OperatorError
        Where it is no bundle, it does not load and answer, or the key cannot be used.
    """
    try:
        intact_manifest(bundle)  # what does not fit its manifest is not vouched for, nor what does not answer
        in_child(_DEADLINE_S, answers, bundle)
        path = sign_manifest(bundle, private_key)
    except (BundleError, Permanent, Transient) as error:
        raise OperatorError(f"the bundle is not signed: {error}") from error
    return f"{path} written; [[models]] public_key = FILE makes the node ask for it"


def verify(bundle: Path, public_key: Path | None) -> Iterator[CheckLine]:
    """Yield a line for each thing that makes a bundle what it says it is.

    Parameters
    ----------
    bundle
        A folder, or the name of a shipped bundle.
    public_key
        PEM file of who must have signed it; None: a signature is not compared with a key.
    """
    folder = bundle if bundle.is_dir() else bundle_path(str(bundle))
    try:
        manifest = read_manifest(folder)
    except BundleError as error:
        yield CheckLine("manifest", "fault", str(error))
        return
    classes = ", ".join(known.name for known in manifest.classes)
    text = f"format {manifest.format}, {manifest.name} {version_of(manifest)}, reads {classes}; its own digest matches"
    yield CheckLine("manifest", "ok", text)
    files = [*_files(folder, manifest)]
    yield from files
    yield from _unlisted(folder, manifest)
    signature = _signature(folder, public_key)
    yield signature
    yield from _parts(manifest)
    if any(line.verdict == "fault" for line in files):
        yield CheckLine("load", "note", "not tried: a file has changed or is missing")
    elif signature.verdict == "fault":
        yield CheckLine("load", "note", "not tried: it is not signed as was asked")
    else:
        yield from _answers(folder)


def import_model(file: Path, describe: Path, sample: Path, out: Path, now: datetime) -> list[CheckLine]:
    """Make a bundle of a model that was trained elsewhere, and return what was found.

    Parameters
    ----------
    file, describe
        The model (.tflite or .onnx), and what its owner says of it (TOML).
    sample
        An image, or a folder of images of the kind that it reads: DICOM or ordinary pictures.
    out
        Folder of the new bundle; must not exist.
    now
        The time now, aware.

    Raises
    ------
    OperatorError
        Where the model is not as described, a file cannot be used, or the bundle cannot be written; nothing is left.
    """
    place = out.resolve()
    if place.exists():
        raise OperatorError(f"{out} exists: name another --out, or remove it", exit_code=2)
    new = place.with_name(f".{place.name}-new")
    try:
        shutil.rmtree(new, ignore_errors=True)  # what a killed import left
        new.mkdir(parents=True)
        lines = in_child(_DEADLINE_S, imported, file, describe, sample, new, now.isoformat())
        new.rename(place)
    except (Permanent, Transient) as error:
        raise OperatorError(str(error)) from error
    except OSError as error:
        raise OperatorError(f"no bundle can be written to {out}: {error}; name another --out") from error
    finally:
        shutil.rmtree(new, ignore_errors=True)
    return [CheckLine(*line) for line in lines]


def _files(folder: Path, manifest: Manifest) -> Iterator[CheckLine]:
    for name, digest in sorted(manifest.files.items()):
        try:
            refuse_changed(folder, name, digest, UNLISTED)
        except BundleError as error:
            yield CheckLine(f"file {name}", "fault", str(error))
        else:
            yield CheckLine(f"file {name}", "ok", f"SHA-256 {digest[:16]}... matches")


def _unlisted(folder: Path, manifest: Manifest) -> Iterator[CheckLine]:
    for path in sorted(folder.iterdir()):
        if path.name not in {*manifest.files, *UNLISTED}:
            yield CheckLine(f"file {path.name}", "note", "the manifest does not list it: it is never read")


def _signature(folder: Path, public_key: Path | None) -> CheckLine:
    if public_key is not None:
        try:
            verified(folder, public_key)
        except SignatureError as error:
            return CheckLine("signature", "fault", str(error))
        return CheckLine("signature", "ok", f"signed with the key whose public half is {public_key}")
    if (folder / SIGNATURE).exists():
        return CheckLine("signature", "note", "signed, by whom was not asked: name the public key with --key")
    return CheckLine("signature", "note", "not signed")


def _parts(manifest: Manifest) -> Iterator[CheckLine]:
    if manifest.admission is None:
        yield CheckLine("admission", "note", f"none: {READ_BY_RULE}")
    else:
        yield CheckLine("admission", "ok", f"images up to a score of {manifest.admission.limit:.2f} are read")
    if manifest.anomaly is None:
        yield CheckLine("anomaly", "note", "none: reports carry no anomaly score")
    else:
        kinds = ", ".join(part.kind for part in manifest.anomaly.parts)
        yield CheckLine("anomaly", "ok", f"placed among held-out normals by {kinds}")


def _answers(folder: Path) -> Iterator[CheckLine]:
    try:
        yield from (CheckLine(*line) for line in in_child(_DEADLINE_S, answers, folder))
    except (Permanent, Transient) as error:
        yield CheckLine("load", "fault", str(error))
