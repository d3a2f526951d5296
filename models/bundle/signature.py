"""Signatures of bundles: Ed25519 over the bytes of manifest.json, in manifest.sig beside it.

The manifest holds the digest of every other file, so a signature over its bytes covers the bundle. Digests find what
was changed by accident; only a signature finds who changed it. It knows keys as PEM files and no settings.

References
----------
Josefsson S, Liusvaara I, "Edwards-Curve Digital Signature Algorithm (EdDSA)", RFC 8032, 2017.
"""

from pathlib import Path

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key

from models.bundle.folder import MANIFEST, BundleError
from models.bundle.vouched import plain_content

SIGNATURE = "manifest.sig"
"""Name of the file that holds the 64 bytes of the signature; the manifest cannot list it."""

MAKE_KEYS = "openssl genpkey -algorithm ed25519 -out PRIVATE.pem; openssl pkey -in PRIVATE.pem -pubout -out PUBLIC.pem"
"""How a pair of keys is made."""


class SignatureError(BundleError):
    """A bundle whose signature is missing or another's, or a key that is none; the message names the file."""


def sign(folder: Path, private_key: Path) -> Path:
    """Sign the manifest of a bundle and return the signature's path; an earlier signature gives way.

    Parameters
    ----------
    folder
        The bundle.
    private_key
        PEM file with an Ed25519 private key, without a passphrase.

    Raises
    ------
    SignatureError
        Where the manifest or the key cannot be read, the key is of another kind, or the folder cannot be written.
    """
    key = _private_key(private_key)
    path = folder / SIGNATURE
    signature = key.sign(_plain(folder / MANIFEST))
    try:
        path.write_bytes(signature)
    except OSError as error:
        raise SignatureError(f"{path} cannot be written: {error.strerror}") from error
    return path


def verified(folder: Path, public_key: Path) -> bytes:
    """Return the bytes of a bundle's manifest, once its signature is known to be this key's.

    Parameters
    ----------
    folder
        The bundle.
    public_key
        PEM file with an Ed25519 public key.

    Raises
    ------
    SignatureError
        Where the bundle is not signed, was signed by another key or changed since, or the key cannot be used.
    """
    key, path, manifest = _public_key(public_key), folder / SIGNATURE, _plain(folder / MANIFEST)
    if not path.is_symlink() and not path.exists():
        raise SignatureError(
            f"{folder} is not signed: there is no {SIGNATURE} in it; `pacs-node models sign` makes one"
        )
    try:
        key.verify(_plain(path), manifest)
    except InvalidSignature as error:
        raise SignatureError(
            f"{path} is not the signature of {MANIFEST} by {public_key}: another key signed it, or it has changed since"
        ) from error
    return manifest


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise SignatureError(f"{path} cannot be read: {error.strerror}") from error


def _plain(path: Path) -> bytes:
    """Return the bytes of a file of the bundle; a key may be a link, a bundle's file is not."""
    try:
        return plain_content(path)
    except BundleError as error:
        raise SignatureError(str(error)) from error


def _private_key(path: Path) -> Ed25519PrivateKey:
    content = _content(path)
    try:
        key = load_pem_private_key(content, password=None)
    except TypeError as error:
        raise SignatureError(f"{path} is protected by a passphrase; signing needs a key without one") from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise SignatureError(f"{path} is no private key in PEM form; make one with: {MAKE_KEYS}") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise SignatureError(f"{path} is a key of another kind than Ed25519; make one with: {MAKE_KEYS}")
    return key


def _public_key(path: Path) -> Ed25519PublicKey:
    content = _content(path)
    try:
        key = load_pem_public_key(content)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise SignatureError(f"{path} is no public key in PEM form; make one with: {MAKE_KEYS}") from error
    if not isinstance(key, Ed25519PublicKey):
        raise SignatureError(f"{path} is a key of another kind than Ed25519; make one with: {MAKE_KEYS}")
    return key
