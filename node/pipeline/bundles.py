"""Bundles at an operator's word: signed, verified line by line, and made of a model that was trained elsewhere.

What is run is run in a child process: a file that crashes its runtime is refused like any other that does not do.
"""

import hashlib
import shutil
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path, PurePath
from typing import Any

from models.bundle.folder import MANIFEST, UNLISTED, BundleError, open_bundle
from models.bundle.manifest import Manifest
from models.bundle.parse import parsed
from models.bundle.signature import SIGNATURE, SignatureError, verified
from models.bundle.signature import sign as sign_manifest
from models.strict import FormError
from node.domain.errors import OperatorError, Permanent, Transient
from node.pipeline.bundle_work import READ_BY_RULE, answers, imported
from node.pipeline.catalogue import bundle_path, version_of
from node.pipeline.checks import CheckLine
from node.runtime.child import Child

_DEADLINE_S = 3600.0  # a sample of some thousand images through a large network


def sign(bundle: Path, private_key: Path) -> str:
    """Sign a bundle and say so.

    Raises
    ------
    OperatorError
        Where it is no bundle, or the key cannot be used.
    """
    try:
        open_bundle(bundle)  # what does not fit its manifest is not vouched for
        path = sign_manifest(bundle, private_key)
    except BundleError as error:
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
        manifest = _parsed(folder)
    except BundleError as error:
        yield CheckLine("manifest", "fault", str(error))
        return
    classes = ", ".join(known.name for known in manifest.classes)
    text = f"format {manifest.format}, {manifest.name} {version_of(manifest)}, reads {classes}; its own digest matches"
    yield CheckLine("manifest", "ok", text)
    files = [*_files(folder, manifest)]
    yield from files
    yield from _unlisted(folder, manifest)
    yield _signature(folder, public_key)
    yield from _parts(manifest)
    if any(line.verdict == "fault" for line in files):
        yield CheckLine("load", "note", "not tried: a file has changed or is missing")
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
        lines = _in_child(imported, file, describe, sample, new, now.isoformat())
        new.rename(place)
    except (Permanent, Transient) as error:
        raise OperatorError(str(error)) from error
    except OSError as error:
        raise OperatorError(f"no bundle can be written to {out}: {error}; name another --out") from error
    finally:
        shutil.rmtree(new, ignore_errors=True)
    return [CheckLine(*line) for line in lines]


def _in_child(work: Callable[..., Any], *arguments: Any) -> Any:
    child = Child(_DEADLINE_S)
    try:
        return child.call(work, *arguments)
    finally:
        child.stop()


def _parsed(folder: Path) -> Manifest:
    path = folder / MANIFEST
    try:
        return parsed(path.read_bytes())
    except OSError as error:
        raise BundleError(f"{path} cannot be read: {error.strerror}") from error
    except FormError as error:
        raise BundleError(f"{path}: {error}") from error


def _files(folder: Path, manifest: Manifest) -> Iterator[CheckLine]:
    for name, digest in sorted(manifest.files.items()):
        subject = f"file {name}"
        if PurePath(name).name != name or name in {"", ".", "..", *UNLISTED}:
            yield CheckLine(subject, "fault", "it is no plain file name")
            continue
        try:
            found = hashlib.sha256((folder / name).read_bytes()).hexdigest()
        except OSError as error:
            yield CheckLine(subject, "fault", f"{folder / name} cannot be read: {error.strerror}")
            continue
        if found == digest:
            yield CheckLine(subject, "ok", f"SHA-256 {digest[:16]}... matches")
        else:
            text = f"{folder / name} has changed: its SHA-256 is {found[:16]}..., the manifest's {digest[:16]}..."
            yield CheckLine(subject, "fault", text)


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
        yield from (CheckLine(*line) for line in _in_child(answers, folder))
    except (Permanent, Transient) as error:
        yield CheckLine("load", "fault", str(error))
