"""A bundle is opened only when it is what its manifest says."""

import hashlib
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models.bundle import BundleError, device_uid, open_bundle, weights_digest


def edit(folder: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Change a manifest in place."""
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text(encoding="utf-8"))
    change(manifest)
    path.write_text(json.dumps(manifest), encoding="utf-8")


def vouch_for(folder: Path, name: str) -> None:
    """Make the manifest agree with the files again, as a careful forger would."""

    def change(manifest: dict[str, Any]) -> None:
        manifest["files"][name] = hashlib.sha256((folder / name).read_bytes()).hexdigest()
        manifest["weights_digest"] = weights_digest(manifest["files"])
        manifest["device_uid"] = device_uid(manifest["weights_digest"])

    edit(folder, change)


def test_an_untouched_bundle_opens_with_all_that_was_written(tiny_bundle: Path) -> None:
    """Manifest and arrays come back as values."""
    bundle = open_bundle(tiny_bundle)
    manifest = bundle.manifest
    assert manifest.name == "tiny"
    assert manifest.created_at == "2026-01-02T03:04:05+00:00"
    assert manifest.classes[0].finding == ("233604007", "SCT", "Pneumonia")
    assert 0 < manifest.classes[0].threshold < 1
    assert manifest.data.attribution == "Drawn by the tests."
    assert len(manifest.anomaly.quantiles) == 101
    assert set(bundle.arrays) == {"classifier", "autoencoder", "admission"}
    assert bundle.arrays["classifier"]["stem/kernel"].shape == (3, 3, 1, 16)


def test_the_device_uid_comes_from_the_weights(tiny_bundle: Path) -> None:
    """It is a UID of at most 64 characters, and other weights have another."""
    manifest = open_bundle(tiny_bundle).manifest
    assert manifest.device_uid == f"2.25.{int(manifest.weights_digest[:32], 16)}"
    assert len(manifest.device_uid) <= 64
    assert device_uid("0" * 64) != manifest.device_uid


@pytest.mark.parametrize("name", ["classifier.npz", "autoencoder.npz", "admission.npz", "ATTRIBUTION.txt"])
def test_a_changed_byte_is_refused_by_name(bundle_copy: Path, name: str) -> None:
    """One bit in the middle of any file is enough."""
    content = bytearray((bundle_copy / name).read_bytes())
    content[len(content) // 2] ^= 1
    (bundle_copy / name).write_bytes(content)
    with pytest.raises(BundleError, match=f"{name} has changed"):
        open_bundle(bundle_copy)


def test_a_truncated_or_missing_file_is_refused_by_name(bundle_copy: Path) -> None:
    """A copy that broke off is no bundle."""
    path = bundle_copy / "classifier.npz"
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(BundleError, match=r"classifier\.npz has changed"):
        open_bundle(bundle_copy)
    path.unlink()
    with pytest.raises(BundleError, match=r"classifier\.npz cannot be read"):
        open_bundle(bundle_copy)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda manifest: manifest.update(colour="blue"), "does not know colour"),
        (lambda manifest: manifest.pop("admission"), "lacks admission"),
        (lambda manifest: manifest.update(format=2), "not a manifest of format 1"),
        (lambda manifest: manifest["classes"][0].update(threshold="high"), r"classes\[0\].threshold is 'high'"),
        (lambda manifest: manifest.update(weights_digest="0" * 64), "do not belong"),
        (lambda manifest: manifest.update(device_uid="2.25.1"), "do not belong"),
        (lambda manifest: manifest["files"].pop("classifier.npz"), "lists no classifier.npz"),
        (lambda manifest: manifest["files"].update({"../secret": "0" * 64}), "no plain file name"),
        (lambda manifest: manifest["files"].update({"/etc/hostname": "0" * 64}), "no plain file name"),
        (lambda manifest: manifest["files"].update({"..": "0" * 64}), "no plain file name"),
    ],
)
def test_a_manifest_of_another_form_is_refused(
    bundle_copy: Path, change: Callable[[dict[str, Any]], None], said: str
) -> None:
    """Unknown and missing keys, other types, and names that leave the folder."""
    edit(bundle_copy, change)
    with pytest.raises(BundleError, match=said):
        open_bundle(bundle_copy)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff\xfe", b"{}"])
def test_a_manifest_that_is_none_is_refused(bundle_copy: Path, content: bytes) -> None:
    """Empty, broken and foreign files are named, not crashed on."""
    (bundle_copy / "manifest.json").write_bytes(content)
    with pytest.raises(BundleError, match=r"manifest\.json"):
        open_bundle(bundle_copy)


def test_a_folder_without_manifest_is_refused(tmp_path: Path) -> None:
    """There is nothing to check it by."""
    with pytest.raises(BundleError, match=r"manifest\.json cannot be read"):
        open_bundle(tmp_path)


def test_pickled_objects_are_refused_even_under_a_fitting_digest(bundle_copy: Path) -> None:
    """Whoever can forge a digest still cannot make the node run code."""
    with (bundle_copy / "admission.npz").open("wb") as file:
        np.savez(file, mean=np.array([{"a": 1}], dtype=object))
    vouch_for(bundle_copy, "admission.npz")
    with pytest.raises(BundleError, match=r"admission\.npz is no npz of plain numbers"):
        open_bundle(bundle_copy)


def test_opening_a_bundle_imports_neither_tensorflow_nor_scikit_learn(tiny_bundle: Path) -> None:
    """A process that only checks bundles starts fast."""
    code = (
        "import sys, models, models.preprocess, models.admission, models.inference\n"
        "from models.bundle import open_bundle\n"
        f"open_bundle({str(tiny_bundle)!r})\n"
        "assert not {'tensorflow', 'keras', 'sklearn'} & set(sys.modules), 'heavy import'\n"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
