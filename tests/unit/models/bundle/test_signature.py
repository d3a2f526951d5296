"""A signature says who made a bundle, and is refused by name where it does not."""

import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from models.bundle.signature import SIGNATURE, SignatureError, sign, verified


def _write_pair(
    folder: Path, name: str, key: object = None, protection: KeySerializationEncryption | None = None
) -> tuple[Path, Path]:
    key = key or Ed25519PrivateKey.generate()
    private, public = folder / f"{name}-private.pem", folder / f"{name}-public.pem"
    private.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, protection or NoEncryption()))
    public.write_bytes(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    return private, public


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with a manifest; what it says is not the signature's business."""
    folder = tmp_path / "bundle"
    folder.mkdir()
    (folder / "manifest.json").write_bytes(b'{"format": 3}\n')
    return folder


def test_a_signed_manifest_is_known_by_the_public_key(folder: Path, tmp_path: Path) -> None:
    """And its bytes come back, so that nothing else is parsed than what was verified."""
    private, public = _write_pair(tmp_path, "site")
    assert sign(folder, private) == folder / SIGNATURE
    assert len((folder / SIGNATURE).read_bytes()) == 64
    assert verified(folder, public) == b'{"format": 3}\n'


def test_signing_again_replaces_the_signature(folder: Path, tmp_path: Path) -> None:
    """The newest signer counts."""
    first, second = _write_pair(tmp_path, "first"), _write_pair(tmp_path, "second")
    sign(folder, first[0])
    sign(folder, second[0])
    verified(folder, second[1])
    with pytest.raises(SignatureError, match="another key"):
        verified(folder, first[1])


def test_a_changed_byte_of_the_manifest_breaks_the_signature(folder: Path, tmp_path: Path) -> None:
    """One space is enough."""
    private, public = _write_pair(tmp_path, "site")
    sign(folder, private)
    (folder / "manifest.json").write_bytes(b'{"format":  3}\n')
    with pytest.raises(SignatureError, match=r"manifest\.sig is not the signature of manifest\.json"):
        verified(folder, public)


def test_a_cut_signature_is_no_signature(folder: Path, tmp_path: Path) -> None:
    """Refused like a wrong one."""
    private, public = _write_pair(tmp_path, "site")
    path = sign(folder, private)
    path.write_bytes(path.read_bytes()[:63])
    with pytest.raises(SignatureError, match=r"manifest\.sig"):
        verified(folder, public)


def test_an_unsigned_bundle_says_what_would_sign_it(folder: Path, tmp_path: Path) -> None:
    """The verb is named."""
    with pytest.raises(SignatureError, match=r"is not signed.*models sign"):
        verified(folder, _write_pair(tmp_path, "site")[1])


def test_keys_that_are_none_are_refused_by_name(folder: Path, tmp_path: Path) -> None:
    """Another kind, a passphrase, no PEM at all, the public one for the private one, nothing there."""
    other = _write_pair(tmp_path, "other", generate_private_key(SECP256R1()))
    locked = _write_pair(tmp_path, "locked", protection=BestAvailableEncryption(b"secret"))
    text = tmp_path / "text.pem"
    text.write_text("no key", encoding="utf-8")
    cases = [
        (other[0], r"other-private\.pem is a key of another kind"),
        (locked[0], "passphrase"),
        (text, r"text\.pem is no private key"),
        (other[1], r"other-public\.pem is no private key"),
        (tmp_path / "absent.pem", r"absent\.pem cannot be read"),
    ]
    for path, message in cases:
        with pytest.raises(SignatureError, match=message):
            sign(folder, path)
    for path, message in [(other[1], "another kind"), (text, r"text\.pem is no public key")]:
        with pytest.raises(SignatureError, match=message):
            verified(folder, path)
    assert not (folder / SIGNATURE).exists()


def test_a_folder_without_a_manifest_cannot_be_signed(tmp_path: Path) -> None:
    """The file is named."""
    with pytest.raises(SignatureError, match=r"manifest\.json cannot be read"):
        sign(tmp_path, _write_pair(tmp_path, "site")[0])


def test_keys_made_as_the_manual_says_are_taken(folder: Path, tmp_path: Path) -> None:
    """With openssl, where it is installed."""
    private, public = tmp_path / "PRIVATE.pem", tmp_path / "PUBLIC.pem"
    try:
        subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", private], check=True)
    except FileNotFoundError:
        pytest.skip("openssl is not installed")
    subprocess.run(["openssl", "pkey", "-in", private, "-pubout", "-out", public], check=True)
    sign(folder, private)
    verified(folder, public)
