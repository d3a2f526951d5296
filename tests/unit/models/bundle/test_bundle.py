"""A bundle is opened only when it is what its manifest says."""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models.bundle.code import code_digest
from models.bundle.folder import (
    BundleError,
    file_digests,
    open_bundle,
    write_arrays,
    write_bundle,
)
from models.bundle.half import rounded_to_half
from models.bundle.manifest import Calibration, sealed, served_files, weights_digest
from tests.unit.models.bundle.forged import edit, edit_and_seal


def test_an_untouched_bundle_opens_with_all_that_was_written(shipped: Path) -> None:
    """Manifest and arrays come back as values."""
    bundle = open_bundle(shipped)
    manifest = bundle.manifest
    assert manifest.name == "starter"
    assert re.fullmatch(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00", manifest.created_at)
    assert manifest.classes[0].finding == ("233604007", "SCT", "Pneumonia")
    assert 0 < manifest.classes[0].threshold < 1
    assert manifest.data is not None
    assert "Kermany" in manifest.data.attribution
    assert manifest.anomaly is not None
    assert len(manifest.anomaly.quantiles) == 101
    assert re.fullmatch("[0-9a-f]{64}", manifest.code_digest)
    assert {*bundle.networks, *(f"{name}.npz" for name in bundle.arrays)} >= set(served_files(manifest))
    assert bundle.arrays["classifier"]["stem/kernel"].shape[:3] == (3, 3, 1)
    assert bundle.arrays["classifier"]["stem/kernel"].dtype == np.float32


def test_the_device_uid_changes_with_everything_that_an_answer_follows_from(shipped: Path) -> None:
    """Weights, operating point, codes, input, calibration, admission limit, anomaly scales: each is another device."""
    manifest = open_bundle(shipped).manifest
    assert manifest.anomaly is not None
    assert manifest.admission is not None
    known, quantiles, (part, *rest) = manifest.classes[0], manifest.anomaly.quantiles, manifest.anomaly.parts
    others = [
        *(replace(manifest, files=manifest.files | {name: "0" * 64}) for name in served_files(manifest)),
        replace(manifest, classes=(replace(known, threshold=known.threshold / 2),)),
        replace(manifest, classes=(replace(known, finding=("17621005", "SCT", "Normal")),)),
        replace(manifest, classes=(replace(known, site=("51185008", "SCT", "Chest")),)),
        replace(manifest, classifier=replace(manifest.classifier, size=48)),
        replace(manifest, classifier=replace(manifest.classifier, high=255.0)),
        replace(manifest, calibration=Calibration(0.9, 0.0)),
        replace(manifest, calibration=Calibration(1.0, 0.1)),
        replace(manifest, calibration=replace(manifest.calibration, local_labels=True)),
        replace(manifest, admission=None),
        replace(manifest, anomaly=None),
        replace(manifest, anomaly=replace(manifest.anomaly, parts=(replace(part, deviation=99.0), *rest))),
        replace(manifest, admission=replace(manifest.admission, limit=manifest.admission.limit + 1e-9)),
        replace(manifest, anomaly=replace(manifest.anomaly, parts=(replace(part, weight=99.0), *rest))),
        replace(manifest, anomaly=replace(manifest.anomaly, mean=manifest.anomaly.mean + 1.0)),
        replace(manifest, anomaly=replace(manifest.anomaly, quantiles=(quantiles[0] - 1.0, *quantiles[1:]))),
    ]
    uids = {sealed(other).device_uid for other in [manifest, *others]}
    assert len(uids) == len(others) + 1
    assert all(re.fullmatch(r"2\.25\.(0|[1-9]\d*)", uid) and len(uid) <= 64 for uid in uids)


def test_the_device_uid_stays_where_no_answer_can_change(shipped: Path) -> None:
    """Measures, dates and the weights for retraining say something about a device and make no other one."""
    manifest = open_bundle(shipped).manifest
    others = [
        replace(manifest, measures={}, created_at="2030-01-01T00:00:00+00:00"),
        replace(manifest, files=manifest.files | {"classifier.npz": "0" * 64}),
    ]
    assert {sealed(other).device_uid for other in others} == {manifest.device_uid}


@pytest.mark.parametrize(
    "change",
    [
        lambda manifest: manifest["classes"][0].update(threshold=0.99),
        lambda manifest: manifest["classes"][0].update(finding=["17621005", "SCT", "Normal"]),
        lambda manifest: manifest["classifier"].update(size=64),
        lambda manifest: manifest["calibration"].update(slope=2.0),
        lambda manifest: manifest["admission"].update(limit=1000.0),
        lambda manifest: manifest["measures"]["test"].update(auc=0.5),
        lambda manifest: manifest["data"].update(licence="none"),
        lambda manifest: manifest.update(version="9.9"),
        lambda manifest: manifest.update(created_at="2030-01-01T00:00:00+00:00"),
        lambda manifest: manifest.update(manifest_digest="0" * 64),
    ],
)
def test_a_changed_value_in_the_manifest_is_refused_by_name(
    shipped_copy: Path, change: Callable[[dict[str, Any]], None]
) -> None:
    """Values that would do by themselves are refused all the same: they are not what was trained."""
    edit(shipped_copy, change)
    with pytest.raises(BundleError, match=r"manifest\.json: it has changed"):
        open_bundle(shipped_copy)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda manifest: manifest["classes"][0].update(threshold=7.0), r"classes\[0\]\.threshold is 7\.0"),
        (lambda manifest: manifest["classes"][0].update(threshold=-0.1), r"classes\[0\]\.threshold"),
        (lambda manifest: manifest["classes"][0].update(finding=["", "SCT", "Lung"]), r"classes\[0\]\.finding"),
        (lambda manifest: manifest.update(classes=[]), "manifest.classes"),
        (lambda manifest: manifest["classes"].append(manifest["classes"][0]), "a name of its own"),
        (lambda manifest: manifest["classifier"].update(size=0), r"classifier\.size is 0"),
        (lambda manifest: manifest["classifier"].update(file="classifier.keras"), r"ends in \.tflite or \.onnx"),
        (lambda manifest: manifest["classifier"].update(channels=2), r"classifier\.channels is 2"),
        (lambda manifest: manifest["classifier"].update(layout="CHW"), r"classifier\.layout is 'CHW'"),
        (lambda manifest: manifest["classifier"].update(activation="tanh"), r"classifier\.activation is 'tanh'"),
        (lambda manifest: manifest["classifier"].update(low=1.0), r"classifier\.high is 1\.0"),
        (lambda manifest: manifest["classifier"].update(mean=[0.5, 0.5]), "one number for each channel"),
        (lambda manifest: manifest["classifier"].update(deviation=[0.0]), r"classifier\.deviation"),
        (lambda manifest: manifest["calibration"].update(slope=0.0), r"calibration\.slope is 0\.0"),
        (lambda manifest: manifest["admission"].update(size=72), r"admission\.size is 72"),
        (lambda manifest: manifest["anomaly"].update(parts=[]), "at least one part"),
        (
            lambda manifest: manifest["anomaly"]["parts"].append(manifest["anomaly"]["parts"][0]),
            "each kind of part once",
        ),
        (lambda manifest: manifest["anomaly"]["parts"][0].update(kind="guess"), r"parts\[0\]\.kind is 'guess'"),
        (lambda manifest: manifest["anomaly"]["parts"][0].update(file="a.pkl"), r"parts\[0\]\.file"),
        (lambda manifest: manifest["anomaly"]["parts"][0].update(size=2048), r"parts\[0\]\.size"),
        (lambda manifest: manifest["anomaly"]["parts"][0].update(deviation=0.0), r"parts\[0\]\.deviation"),
        (lambda manifest: manifest["anomaly"]["parts"][0].update(width=4), r"parts\[0\]\.width"),
        (lambda manifest: manifest["anomaly"]["parts"][0].update(weight=0), r"parts\[0\]\.weight"),
        (lambda manifest: manifest["admission"].update(limit=0), r"admission\.limit"),
        (lambda manifest: manifest["admission"].update(limit=10**400), r"admission\.limit is a number of 401 digits"),
        (lambda manifest: manifest["admission"].update(held_out_percentile=101), "held_out_percentile"),
        (lambda manifest: manifest["anomaly"].update(deviation=0.0), r"anomaly\.deviation is 0\.0"),
        (lambda manifest: manifest["anomaly"].update(quantiles=[0.0, 1.0, 2.0]), r"anomaly\.quantiles is '3 numbers'"),
        (lambda manifest: manifest["anomaly"]["quantiles"].reverse(), "101 ascending"),
        (lambda manifest: manifest["files"].pop("ATTRIBUTION.txt"), "a digest of ATTRIBUTION.txt"),
        (lambda manifest: manifest["files"].pop("classifier.tflite"), "a digest of classifier.tflite"),
        (lambda manifest: manifest["files"].pop("admission.npz"), "a digest of admission.npz"),
        (lambda manifest: manifest.update(weights_digest="0" * 64), "weights_digest does not belong"),
        (lambda manifest: manifest.update(device_uid="2.25.1"), "device_uid does not belong"),
    ],
)
def test_a_value_out_of_its_range_is_refused_by_key_even_under_a_fitting_digest(
    shipped_copy: Path, change: Callable[[dict[str, Any]], None], said: str
) -> None:
    """A digest says that nothing changed, not that the values make sense."""
    edit_and_seal(shipped_copy, change)
    with pytest.raises(BundleError, match=said):
        open_bundle(shipped_copy)


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_a_number_that_is_none_is_refused(shipped_copy: Path, number: str) -> None:
    """Comparing with one of these is always true or always false; no limit would hold."""
    path = shipped_copy / "manifest.json"
    text = path.read_text(encoding="utf-8")
    limit = json.loads(text)["admission"]["limit"]
    path.write_text(text.replace(f'"limit": {limit}', f'"limit": {number}'), encoding="utf-8")
    with pytest.raises(BundleError, match=rf"manifest\.json: this is not JSON: {number}"):
        open_bundle(shipped_copy)


def test_the_weights_digest_covers_what_answers_and_nothing_else(shipped: Path) -> None:
    """Networks that run, admission and feature arrays; other files leave it as it is."""
    manifest = open_bundle(shipped).manifest
    changed = [replace(manifest, files=manifest.files | {name: "0" * 64}) for name in (*manifest.files, "other.txt")]
    assert len({weights_digest(other) for other in changed}) == len(served_files(manifest)) + 1


def test_a_bundle_may_do_without_admission_anomaly_score_and_data(shipped_copy: Path) -> None:
    """A model from elsewhere has a classifier and codes, and nothing more."""
    manifest = open_bundle(shipped_copy).manifest
    write_bundle(shipped_copy, replace(manifest, admission=None, anomaly=None, data=None))
    opened = open_bundle(shipped_copy)
    assert (opened.manifest.admission, opened.manifest.anomaly, opened.manifest.data) == (None, None, None)
    assert set(opened.networks) == {"classifier.tflite"}


def test_the_signature_is_no_listed_file(shipped_copy: Path) -> None:
    """It signs the list, so it cannot stand in it; a bundle that lists it is refused."""
    (shipped_copy / "manifest.sig").write_bytes(b"0" * 64)
    assert set(file_digests(shipped_copy)) == set(open_bundle(shipped_copy).manifest.files)
    edit_and_seal(shipped_copy, lambda manifest: manifest["files"].update({"manifest.sig": "0" * 64}))
    with pytest.raises(BundleError, match=r"lists 'manifest\.sig'"):
        open_bundle(shipped_copy)


def test_numbers_are_stored_in_half_the_space_where_no_bit_is_lost(tmp_path: Path) -> None:
    """A third needs 32 bits, a quarter does not, and neither does what was rounded."""
    third, quarter = np.array([1 / 3], np.float32), np.array([0.25], np.float32)
    write_arrays(tmp_path / "a.npz", {"third": third, "quarter": quarter, "rounded": rounded_to_half(third)})
    with np.load(tmp_path / "a.npz") as stored:
        assert {name: stored[name].dtype for name in stored} == {"third": "f4", "quarter": "f2", "rounded": "f2"}
        assert stored["third"] == third


@pytest.mark.parametrize("value", [1e5, float("nan"), float("inf")])
def test_a_weight_beyond_16_bits_is_refused(value: float) -> None:
    """A training that left such a number did not converge."""
    with pytest.raises(ValueError, match="did not converge"):
        rounded_to_half(np.array([1.0, value], np.float32))


def test_the_code_digest_changes_with_every_source_and_its_name(tmp_path: Path) -> None:
    """And with nothing else that lies there."""
    (tmp_path / "a.py").write_text("1", encoding="utf-8")
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "c.py").write_text("2", encoding="utf-8")
    first = code_digest(tmp_path)
    (tmp_path / "notes.txt").write_text("3", encoding="utf-8")
    assert code_digest(tmp_path) == first
    (tmp_path / "b" / "c.py").rename(tmp_path / "b" / "d.py")
    second = code_digest(tmp_path)
    (tmp_path / "a.py").write_text("4", encoding="utf-8")
    assert len({first, second, code_digest(tmp_path)}) == 3


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda manifest: manifest.update(colour="blue"), "does not know colour"),
        (lambda manifest: manifest.pop("admission"), "lacks admission"),
        (lambda manifest: manifest.update(format=2), "not a manifest of format 3"),
        (lambda manifest: manifest["classes"][0].update(threshold="high"), r"classes\[0\].threshold is 'high'"),
        (lambda manifest: manifest.pop("weights_digest"), "lacks weights_digest"),
        (lambda manifest: manifest["files"].update({"../secret": "0" * 64}), "no plain file name"),
        (lambda manifest: manifest["files"].update({"/etc/hostname": "0" * 64}), "no plain file name"),
        (lambda manifest: manifest["files"].update({"..": "0" * 64}), "no plain file name"),
    ],
)
def test_a_manifest_of_another_form_is_refused(
    shipped_copy: Path, change: Callable[[dict[str, Any]], None], said: str
) -> None:
    """Unknown and missing keys, other types, and names that leave the folder."""
    edit_and_seal(shipped_copy, change)
    with pytest.raises(BundleError, match=said):
        open_bundle(shipped_copy)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff\xfe", b"{}", b"[" * 100_000])
def test_a_manifest_that_is_none_is_refused(shipped_copy: Path, content: bytes) -> None:
    """Empty, broken and foreign files are named, not crashed on."""
    (shipped_copy / "manifest.json").write_bytes(content)
    with pytest.raises(BundleError, match=r"manifest\.json"):
        open_bundle(shipped_copy)
