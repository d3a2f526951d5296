"""The files of a bundle: changed, cut, hostile or no files at all, each is refused by name."""

import io
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from models.bundle.folder import (
    BundleError,
    intact_manifest,
    open_bundle,
)
from models.inference.reader import load
from tests.unit.models.bundle.forged import vouch_for


@pytest.mark.parametrize(
    "name", ["classifier.tflite", "autoencoder.tflite", "classifier.npz", "admission.npz", "ATTRIBUTION.txt"]
)
def test_a_changed_byte_is_refused_by_name(shipped_copy: Path, name: str) -> None:
    """One bit in the middle of any file is enough."""
    content = bytearray((shipped_copy / name).read_bytes())
    content[len(content) // 2] ^= 1
    (shipped_copy / name).write_bytes(content)
    with pytest.raises(BundleError, match=f"{name} has changed"):
        open_bundle(shipped_copy)


def test_a_truncated_or_missing_file_is_refused_by_name(shipped_copy: Path) -> None:
    """A copy that broke off is no bundle."""
    path = shipped_copy / "classifier.tflite"
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(BundleError, match=r"classifier\.tflite has changed"):
        open_bundle(shipped_copy)
    path.unlink()
    with pytest.raises(BundleError, match=r"classifier\.tflite cannot be read"):
        open_bundle(shipped_copy)


def test_a_folder_without_manifest_is_refused(tmp_path: Path) -> None:
    """There is nothing to check it by."""
    with pytest.raises(BundleError, match=r"manifest\.json cannot be read"):
        open_bundle(tmp_path)


def test_pickled_objects_are_refused_even_under_a_fitting_digest(shipped_copy: Path) -> None:
    """Whoever can forge a digest still cannot make the node run code."""
    with (shipped_copy / "admission.npz").open("wb") as file:
        np.savez(file, mean=np.array([{"a": 1}], dtype=object))
    vouch_for(shipped_copy, "admission.npz")
    with pytest.raises(BundleError, match=r"admission\.npz is no npz of plain numbers"):
        load(shipped_copy)


def test_text_is_no_weight_even_under_a_fitting_digest(shipped_copy: Path) -> None:
    """An npz may hold strings without a pickle."""
    np.savez(shipped_copy / "admission.npz", mean=np.array(["a"]))
    vouch_for(shipped_copy, "admission.npz")
    with pytest.raises(BundleError, match=r"admission\.npz is no npz of plain numbers: it holds values of type"):
        load(shipped_copy)


def _npz(header: bytes, values: bytes = b"") -> bytes:
    """Return an npz of one array with a header of one's own."""
    return _zipped("mean.npy", b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + values)


def _zipped(name: str, content: bytes, how: int = zipfile.ZIP_DEFLATED) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", how) as archive:
        archive.writestr(name, content)
    return packed.getvalue()


def _told(shape: str, kind: str = "<f4") -> bytes:
    return f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}}}\n".encode()


def _encrypted() -> bytes:
    """Return an npz that says that it is encrypted, in its list of files."""
    packed = bytearray(_npz(_told("(1,)"), b"1234"))
    packed[packed.index(b"PK\x01\x02") + 8] |= 1
    return bytes(packed)


HOSTILE = {
    "a negative length": _npz(_told("(-5,)")),
    "a shape beyond memory": _npz(_told("(1125899906842624,)")),
    "no shape": _npz(_told("None")),
    "a header that is no Python": _npz(b"{'descr': ((((\n"),
    "a header of another kind": _npz(b"[1, 2]\n"),
    "an unknown type": _npz(_told("(1,)", "<q9")),
    "too few values": _npz(_told("(5,)"), b"1234"),
    "no array": _zipped("mean.npy", b"text"),
    "compressed otherwise": _zipped("mean.npy", b"text" * 99, zipfile.ZIP_LZMA),
    "encrypted": _encrypted(),
    "cut": _npz(_told("(100,)"), b"1234" * 100)[:-30],
    "no archive": b"PK\x03\x04",
    "an empty archive": io.BytesIO(b"PK\x05\x06" + b"\0" * 18).getvalue(),
}


@pytest.mark.parametrize("content", HOSTILE.values(), ids=HOSTILE)
def test_an_npz_that_is_none_is_refused_by_name(shipped_copy: Path, content: bytes) -> None:
    """However it is broken, and whoever vouches for it; its digest alone is compared without a look inside."""
    (shipped_copy / "admission.npz").write_bytes(content)
    vouch_for(shipped_copy, "admission.npz")
    intact_manifest(shipped_copy)
    with pytest.raises(BundleError, match=r"admission(\.npz is no npz of plain numbers| weights have other variables)"):
        load(shipped_copy)


def test_an_npz_that_expands_to_too_much_is_refused_before_it_does(shipped_copy: Path) -> None:
    """A megabyte may hold gigabytes; its header is enough to know."""
    packed, header = io.BytesIO(), _told("(600000000,)", "|u1")
    archive = zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, compresslevel=1)
    with archive, archive.open("mean.npy", "w") as file:
        file.write(b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header)
        for _ in range(600):
            file.write(bytes(1_000_000))
    (shipped_copy / "admission.npz").write_bytes(packed.getvalue())
    vouch_for(shipped_copy, "admission.npz")
    with pytest.raises(BundleError, match=r"admission\.npz .* would expand to 600000000 numbers"):
        load(shipped_copy)


def test_arrays_that_nobody_asks_for_are_not_read(shipped_copy: Path) -> None:
    """Weights for retraining may be anything to a node that reads images."""
    (shipped_copy / "classifier.npz").write_bytes(b"no archive")
    vouch_for(shipped_copy, "classifier.npz")
    assert load(shipped_copy).manifest.name == "starter"
    with pytest.raises(BundleError, match=r"classifier\.npz is no npz"):
        open_bundle(shipped_copy).arrays["classifier"]


@pytest.mark.parametrize("kind", ["link", "pipe", "folder", "device"])
@pytest.mark.parametrize("name", ["training-log.csv", "classifier.tflite", "manifest.json"])
def test_what_is_no_plain_file_is_refused_by_name(shipped_copy: Path, tmp_path: Path, name: str, kind: str) -> None:
    """Nothing is waited for, and nothing outside the folder is read, though it had the right content."""
    path = shipped_copy / name
    path.rename(tmp_path / name)
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    else:
        path.symlink_to(tmp_path / name if kind == "link" else "/dev/zero")
    with pytest.raises(BundleError, match=rf"{name} is no plain file"):
        open_bundle(shipped_copy)


def test_opening_a_bundle_imports_no_runtime(shipped: Path) -> None:
    """A process that only checks bundles starts fast."""
    code = (
        "import sys, models, models.images.preprocess, models.inference.admission, models.inference.reader\n"
        "from models.bundle.folder import open_bundle\n"
        f"open_bundle({str(shipped)!r})\n"
        "heavy = {'tensorflow', 'keras', 'sklearn', 'ai_edge_litert', 'onnxruntime', 'onnx'}\n"
        "assert not heavy & set(sys.modules), 'heavy import'\n"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
