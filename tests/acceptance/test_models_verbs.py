"""Bundles at the command line: verified, signed, brought from elsewhere, and served."""

import shutil
import subprocess
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import cv2
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from models.bundle.folder import file_digests, read_manifest, write_bundle
from node.demo.pacs import StandInPacs
from node.dicom.samples.wrap import wrap_as_dx
from node.domain.errors import OperatorError
from node.pipeline.registry import bundles
from tests.support.databases.kinds import MakeFolder
from tests.support.houses.house import SUBJECT, radiograph
from tests.support.models.foreign import CLASS, SIZE, description, keras_litert, patch_finder, patches
from tests.support.nodes.process import CHECKOUT, MODALITY, NodeFolder, Peer, serving_as_written
from tests.support.nodes.refusing import stored
from tests.support.objects.reports import read_report
from tests.test_docs import documented_json_keys

STARTER = CHECKOUT / "models" / "starter"
PEERS = [MODALITY]
TWO_NUMBERS = {
    "output": '[output]\nvalues = "logits"\nexclusive = true\nplaces = [1]\n',
    "read": f"[input]\nsize = {SIZE}\nchannels = 3\n",
}


@pytest.fixture
def home(tmp_path: Path, node_folder: MakeFolder) -> NodeFolder:
    """Give a folder with a configuration of the starter model."""
    folder = node_folder(tmp_path / "home", PEERS)
    folder.write()
    return folder


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """Give a copy of the starter bundle, for the test to spoil."""
    return Path(shutil.copytree(STARTER, tmp_path / "copy"))


def _keys(folder: Path, name: str) -> tuple[Path, Path]:
    key = Ed25519PrivateKey.generate()
    private, public = folder / f"{name}.pem", folder / f"{name}-public.pem"
    private.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    public.write_bytes(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    return private, public


def _imported(home: NodeFolder, folder: Path, name: str, content: bytes, text: str) -> subprocess.CompletedProcess[str]:
    """Import a model with a sample of pictures, DICOM files and one file that is neither."""
    sample = folder / "sample"
    sample.mkdir(parents=True, exist_ok=True)
    for number, picture in enumerate(patches(4)):
        cv2.imwrite(str(sample / f"{number}.png"), picture)
        (sample / f"{number}.dcm").write_bytes(wrap_as_dx(picture, SUBJECT))
    (sample / "notes.txt").write_text("no image", encoding="utf-8")
    (folder / name).write_bytes(content)
    (folder / "model.toml").write_text(text, encoding="utf-8")
    options = ["--describe", folder / "model.toml", "--sample", sample, "--out", folder / "bundle"]
    return home.run("models", "import", str(folder / name), *map(str, options))


def _configured(home: NodeFolder, bundle: Path, public_key: Path | None = None) -> None:
    """Let the node serve a bundle in place of the starter."""
    key = f'public_key = "{public_key}"\n' if public_key else ""
    home.write()
    text = home.configuration.read_text(encoding="utf-8")
    text = text.replace('bundle = "starter"\n', f'bundle = "{bundle}"\n{key}')
    home.configuration.write_text(text, encoding="utf-8")


def test_the_shipped_bundle_is_what_it_says(home: NodeFolder) -> None:
    """Every file a line, its parts, and an answer; also as JSON with the documented keys."""
    lines = home.listing("models", "verify", "starter")
    assert set(lines[0]) == set(documented_json_keys("models verify"))
    verdicts = {line["subject"]: line["verdict"] for line in lines}
    files = {f"file {path.name}": "ok" for path in STARTER.iterdir() if path.name != "manifest.json"}
    assert files.items() <= verdicts.items()
    assert verdicts | {"load": "ok", "answer": "ok", "signature": "note", "admission": "ok"} == verdicts


def test_a_changed_byte_is_found_and_its_file_named(home: NodeFolder, copy: Path) -> None:
    """Exit 1; nothing of it is run."""
    _spoil(copy / "classifier.tflite")
    done = home.run("models", "verify", str(copy))
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    (fault,) = (line for line in done.stdout.splitlines() if line.startswith("fault"))
    assert str(copy / "classifier.tflite") in fault
    assert "answer" not in done.stdout


@pytest.mark.parametrize("name", sorted(path.name for path in STARTER.iterdir()))
def test_a_changed_byte_in_any_file_is_found(copy: Path, name: str) -> None:
    """Also where it changes no answer, and in the manifest itself."""
    _spoil(copy / name)
    (fault,) = (line for line in bundles.verify(copy, None) if line.verdict == "fault")
    assert str(copy / name) in fault.text


def _spoil(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def test_a_file_that_is_missing_or_not_listed_is_named(copy: Path) -> None:
    """The one is a fault, the other only said."""
    (copy / "autoencoder.tflite").unlink()
    (copy / "notes.txt").write_text("mine", encoding="utf-8")
    verdicts = {line.subject: line.verdict for line in bundles.verify(copy, None)}
    assert verdicts["file autoencoder.tflite"] == "fault"
    assert verdicts["file notes.txt"] == "note"


def test_a_signature_is_made_and_known(home: NodeFolder, copy: Path, tmp_path: Path) -> None:
    """By its own key and no other."""
    private, public = _keys(tmp_path, "ours")
    _, other = _keys(tmp_path, "theirs")
    done = home.run("models", "sign", str(copy), "--key", str(private))
    assert done.returncode == 0, done.stderr
    assert "manifest.sig written" in done.stdout
    known = home.run("models", "verify", str(copy), "--key", str(public))
    assert known.returncode == 0
    assert "ok    signature" in known.stdout
    (fault,) = (line for line in bundles.verify(copy, other) if line.verdict == "fault")
    assert fault.subject == "signature"
    assert "another key" in fault.text


def test_what_does_not_fit_its_manifest_is_not_signed(copy: Path, tmp_path: Path) -> None:
    """A signature vouches for every file."""
    (copy / "classifier.npz").write_bytes(b"changed")
    with pytest.raises(OperatorError, match=r"classifier\.npz has changed"):
        bundles.sign(copy, _keys(tmp_path, "ours")[0])
    assert not (copy / "manifest.sig").exists()


def test_what_does_not_answer_is_not_signed(copy: Path, tmp_path: Path) -> None:
    """Its digests may fit all the same: whoever signs vouches for more than bytes."""
    (copy / "admission.npz").write_bytes(b"no archive")
    manifest = read_manifest(copy)
    write_bundle(copy, replace(manifest, files=file_digests(copy)))
    with pytest.raises(OperatorError, match=r"not signed: .*admission\.npz is no npz"):
        bundles.sign(copy, _keys(tmp_path, "ours")[0])
    assert not (copy / "manifest.sig").exists()
    (fault,) = (line for line in bundles.verify(copy, None) if line.verdict == "fault")
    assert "admission.npz" in fault.text


def test_a_bundle_with_another_signature_is_not_run(copy: Path, tmp_path: Path) -> None:
    """Whoever asks for a signature runs nothing without it."""
    lines = {line.subject: line for line in bundles.verify(copy, _keys(tmp_path, "ours")[1])}
    assert lines["signature"].verdict == "fault"
    assert lines["load"].text == "not tried: it is not signed as was asked"
    assert "answer" not in lines


def test_a_link_in_a_bundle_is_a_fault(copy: Path, tmp_path: Path) -> None:
    """Also to a file of the right content."""
    (copy / "training-log.csv").rename(tmp_path / "log")
    (copy / "training-log.csv").symlink_to(tmp_path / "log")
    (fault,) = (line for line in bundles.verify(copy, None) if line.verdict == "fault")
    assert (fault.subject, "no plain file" in fault.text) == ("file training-log.csv", True)


def test_the_node_starts_only_with_a_bundle_that_its_key_signed(home: NodeFolder, copy: Path, tmp_path: Path) -> None:
    """Unsigned and signed by another are refused by `serve` and shown by `check`; the right one is served."""
    (private, public), (stranger, _) = _keys(tmp_path, "ours"), _keys(tmp_path, "theirs")
    _configured(home, copy, public)
    for signing, word in ((None, "is not signed"), (stranger, "another key")):
        if signing is not None:
            bundles.sign(copy, signing)
        refused = home.run("serve")
        assert refused.returncode == 1
        assert word in refused.stderr
        assert "Traceback" not in refused.stderr
    shown = home.run("check").stdout
    assert "fault model starter" in shown
    assert "another key" in shown
    bundles.sign(copy, private)
    assert f"signed by {public}" in home.run("check").stdout
    written = home.configuration.read_text(encoding="utf-8")
    with serving_as_written(home) as node:
        assert home.configuration.read_text(encoding="utf-8") == written
        assert stored(node.port, radiograph()) == 0x0000
        node.wait_said("report composed")
        assert home.listing("studies")[0]["state"] == "reported"


@pytest.mark.parametrize("kind", ["onnx", "litert"])
def test_a_model_from_elsewhere_is_imported_verified_and_served(
    tmp_path: Path, node_folder: MakeFolder, kind: str
) -> None:
    """An image goes in over an association, and a report comes back with the model's number and codes."""
    pacs = StandInPacs(tmp_path, "PACS")
    home = node_folder(tmp_path / "home", [*PEERS, Peer("pacs", "PACS", pacs.start(), gets_reports=True)])
    home.write()
    name = "theirs.onnx" if kind == "onnx" else "theirs.tflite"
    content = patch_finder() if kind == "onnx" else keras_litert()
    text = description() if kind == "onnx" else description(**TWO_NUMBERS)
    done = _imported(home, tmp_path / "theirs", name, content, text)
    assert done.returncode == 0, done.stderr
    assert "sample: 8 images" in done.stdout
    assert "skipped 1: no image" in done.stdout
    assert "class opacity: from 0." in done.stdout
    assert "note  admission: none" in done.stdout
    bundle = tmp_path / "theirs" / "bundle"
    assert home.run("models", "verify", str(bundle)).returncode == 0
    _configured(home, bundle)
    with serving_as_written(home) as node:
        assert stored(node.port, radiograph(patches(2)[1])) == 0x0000
        assert pacs.wait_for(bool, 90)
    pacs.stop()
    ((path,),) = pacs.reports.values()
    report = read_report(path)
    assert not report.not_assessed
    (certainty,) = report.certainties
    assert 0 <= certainty <= 100
    assert certainty > 60 or kind == "litert"
    assert "128477000" in str(report.dataset)


def test_a_model_that_does_not_fit_its_description_leaves_nothing_behind(home: NodeFolder, tmp_path: Path) -> None:
    """Exit 1, the output and its shape named; no folder, and none beside it."""
    text = description(classes=CLASS + CLASS.replace("opacity", "other"))
    done = _imported(home, tmp_path / "theirs", "theirs.onnx", patch_finder(), text)
    assert done.returncode == 1
    assert "theirs.onnx is not imported" in done.stderr
    assert "'logits' of shape (1, 1)" in done.stderr
    assert "2 classes in logits" in done.stderr
    assert "Traceback" not in done.stderr
    left = {path.name for path in (tmp_path / "theirs").iterdir()}
    assert left == {"sample", "theirs.onnx", "model.toml"}


def test_a_file_that_its_runtime_cannot_load_is_refused_in_words(home: NodeFolder, tmp_path: Path) -> None:
    """It is tried in a process of its own; here half of a LiteRT file."""
    content = (STARTER / "classifier.tflite").read_bytes()
    text = description(output='[output]\nvalues = "logits"\nname = "logits"\n', read="[input]\nsize = 128\n")
    done = _imported(home, tmp_path / "theirs", "theirs.tflite", content[: len(content) // 2], text)
    assert done.returncode == 1
    assert "theirs.tflite is not imported" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "theirs" / "bundle").exists()


def test_a_place_that_is_taken_is_left_alone(tmp_path: Path) -> None:
    """Before anything is tried."""
    nothing = tmp_path / "nothing"
    with pytest.raises(OperatorError, match="name another --out") as refused:
        bundles.import_model(nothing, nothing, nothing, tmp_path, datetime(2026, 1, 2, tzinfo=UTC))
    assert refused.value.exit_code == 2


@pytest.mark.parametrize("name", ["model", "describe", "sample"])
def test_a_file_that_is_not_there_is_named(tmp_path: Path, name: str) -> None:
    """The model's, the description's or the sample's."""
    files = {"model": tmp_path / "model.onnx", "describe": tmp_path / "model.toml", "sample": tmp_path / "image.png"}
    files["model"].write_bytes(patch_finder())
    files["describe"].write_text(description(), encoding="utf-8")
    cv2.imwrite(str(files["sample"]), patches(1)[0])
    files[name].unlink()
    with pytest.raises(OperatorError, match=f"{files[name]}: [Nn]o such file"):
        bundles.import_model(*files.values(), tmp_path / "bundle", datetime(2026, 1, 2, tzinfo=UTC))
    assert not (tmp_path / "bundle").exists()
