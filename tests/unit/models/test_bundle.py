"""A bundle is opened only when it is what its manifest says."""

import hashlib
import json
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models.bundle.folder import BundleError, open_bundle
from models.bundle.manifest import Manifest, device_uid, manifest_digest, sealed, weights_digest
from models.strict import build


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
        manifest.update(asdict(sealed(build(Manifest, manifest, "manifest"))))

    edit(folder, change)


def edit_and_seal(folder: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    """Change a manifest and make its own digest agree again, so that only the values themselves can be refused."""

    def sealing(manifest: dict[str, Any]) -> None:
        change(manifest)
        manifest["manifest_digest"] = manifest_digest(manifest)

    edit(folder, sealing)


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


def test_the_device_uid_changes_with_everything_that_an_answer_follows_from(tiny_bundle: Path) -> None:
    """Weights, operating point, codes, preprocessing, admission limit and anomaly scale: each makes another device."""
    manifest = open_bundle(tiny_bundle).manifest
    known, quantiles = manifest.classes[0], manifest.anomaly.quantiles
    others = [
        replace(manifest, files=manifest.files | {"classifier.npz": "0" * 64}),
        replace(manifest, classes=(replace(known, threshold=known.threshold / 2),)),
        replace(manifest, classes=(replace(known, finding=("17621005", "SCT", "Normal")),)),
        replace(manifest, classes=(replace(known, site=("51185008", "SCT", "Chest")),)),
        replace(manifest, preprocessing=replace(manifest.preprocessing, classifier=48)),
        replace(manifest, admission=replace(manifest.admission, limit=manifest.admission.limit + 1e-9)),
        replace(manifest, anomaly=replace(manifest.anomaly, mean=manifest.anomaly.mean + 1.0)),
        replace(manifest, anomaly=replace(manifest.anomaly, quantiles=(quantiles[0] - 1.0, *quantiles[1:]))),
    ]
    uids = {sealed(other).device_uid for other in [manifest, *others]}
    assert len(uids) == len(others) + 1
    assert all(re.fullmatch(r"2\.25\.(0|[1-9]\d*)", uid) and len(uid) <= 64 for uid in uids)


def test_the_device_uid_stays_where_no_answer_can_change(tiny_bundle: Path) -> None:
    """Measures and dates say something about a device and make no other one."""
    manifest = open_bundle(tiny_bundle).manifest
    assert device_uid(replace(manifest, measures={}, created_at="2030-01-01T00:00:00+00:00")) == manifest.device_uid


@pytest.mark.parametrize(
    "change",
    [
        lambda manifest: manifest["classes"][0].update(threshold=0.99),
        lambda manifest: manifest["classes"][0].update(finding=["17621005", "SCT", "Normal"]),
        lambda manifest: manifest["preprocessing"].update(classifier=64),
        lambda manifest: manifest["admission"].update(limit=1000.0),
        lambda manifest: manifest["measures"]["test"].update(auc=0.5),
        lambda manifest: manifest["data"].update(licence="none"),
        lambda manifest: manifest.update(version="9.9"),
        lambda manifest: manifest.update(created_at="2030-01-01T00:00:00+00:00"),
        lambda manifest: manifest.update(manifest_digest="0" * 64),
    ],
)
def test_a_changed_value_in_the_manifest_is_refused_by_name(
    bundle_copy: Path, change: Callable[[dict[str, Any]], None]
) -> None:
    """Values that would do by themselves are refused all the same: they are not what was trained."""
    edit(bundle_copy, change)
    with pytest.raises(BundleError, match=r"manifest\.json: it has changed"):
        open_bundle(bundle_copy)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda manifest: manifest["classes"][0].update(threshold=7.0), r"classes\[0\]\.threshold is 7\.0"),
        (lambda manifest: manifest["classes"][0].update(threshold=-0.1), r"classes\[0\]\.threshold"),
        (lambda manifest: manifest["classes"][0].update(finding=["", "SCT", "Lung"]), r"classes\[0\]\.finding"),
        (lambda manifest: manifest.update(classes=[]), "manifest.classes"),
        (lambda manifest: manifest["classes"].append(manifest["classes"][0]), "a name of its own"),
        (lambda manifest: manifest["preprocessing"].update(classifier=0), r"preprocessing\.classifier is 0"),
        (lambda manifest: manifest["preprocessing"].update(autoencoder=2048), r"preprocessing\.autoencoder"),
        (lambda manifest: manifest["preprocessing"].update(admission=72), r"preprocessing\.admission is 72"),
        (lambda manifest: manifest["admission"].update(limit=0), r"admission\.limit"),
        (lambda manifest: manifest["admission"].update(limit=10**400), r"admission\.limit is a number of 401 digits"),
        (lambda manifest: manifest["admission"].update(held_out_percentile=101), "held_out_percentile"),
        (lambda manifest: manifest["anomaly"].update(deviation=0.0), r"anomaly\.deviation is 0\.0"),
        (lambda manifest: manifest["anomaly"].update(quantiles=[0.0, 1.0, 2.0]), r"anomaly\.quantiles is '3 numbers'"),
        (lambda manifest: manifest["anomaly"]["quantiles"].reverse(), "101 ascending"),
        (lambda manifest: manifest["anomaly"].update(width=0), r"anomaly\.width"),
        (lambda manifest: manifest["files"].pop("ATTRIBUTION.txt"), "a digest of ATTRIBUTION.txt"),
        (lambda manifest: manifest["files"].pop("classifier.npz"), "a digest of classifier.npz"),
        (lambda manifest: manifest.update(weights_digest="0" * 64), "weights_digest does not belong"),
        (lambda manifest: manifest.update(device_uid="2.25.1"), "device_uid does not belong"),
    ],
)
def test_a_value_out_of_its_range_is_refused_by_key_even_under_a_fitting_digest(
    bundle_copy: Path, change: Callable[[dict[str, Any]], None], said: str
) -> None:
    """A digest says that nothing changed, not that the values make sense."""
    edit_and_seal(bundle_copy, change)
    with pytest.raises(BundleError, match=said):
        open_bundle(bundle_copy)


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_a_number_that_is_none_is_refused(bundle_copy: Path, number: str) -> None:
    """Comparing with one of these is always true or always false; no limit would hold."""
    path = bundle_copy / "manifest.json"
    text = path.read_text(encoding="utf-8")
    limit = json.loads(text)["admission"]["limit"]
    path.write_text(text.replace(f'"limit": {limit}', f'"limit": {number}'), encoding="utf-8")
    with pytest.raises(BundleError, match=rf"manifest\.json: this is not JSON: {number}"):
        open_bundle(bundle_copy)


def test_the_weights_digest_covers_each_of_the_three(tiny_bundle: Path) -> None:
    """Other weights in any network are other weights."""
    files = open_bundle(tiny_bundle).manifest.files
    assert len({weights_digest(files | {name: "0" * 64}) for name in (*files, "other.txt")}) == 4


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
        (lambda manifest: manifest.update(format=1), "not a manifest of format 2"),
        (lambda manifest: manifest["classes"][0].update(threshold="high"), r"classes\[0\].threshold is 'high'"),
        (lambda manifest: manifest.pop("weights_digest"), "lacks weights_digest"),
        (lambda manifest: manifest["files"].update({"../secret": "0" * 64}), "no plain file name"),
        (lambda manifest: manifest["files"].update({"/etc/hostname": "0" * 64}), "no plain file name"),
        (lambda manifest: manifest["files"].update({"..": "0" * 64}), "no plain file name"),
    ],
)
def test_a_manifest_of_another_form_is_refused(
    bundle_copy: Path, change: Callable[[dict[str, Any]], None], said: str
) -> None:
    """Unknown and missing keys, other types, and names that leave the folder."""
    edit_and_seal(bundle_copy, change)
    with pytest.raises(BundleError, match=said):
        open_bundle(bundle_copy)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff\xfe", b"{}", b"[" * 100_000])
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
        "import sys, models, models.images.preprocess, models.inference.admission, models.inference.reader\n"
        "from models.bundle.folder import open_bundle\n"
        f"open_bundle({str(tiny_bundle)!r})\n"
        "assert not {'tensorflow', 'keras', 'sklearn'} & set(sys.modules), 'heavy import'\n"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
