"""A model that had to be signed stays so when its table is gone; and what a refused bundle's message advises."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from models import STARTER
from models.bundle.folder import file_digests, read_manifest, write_bundle
from models.bundle.signature import sign
from node.config import Settings
from node.config.loading import parse
from node.domain.errors import OperatorError
from node.pipeline.check_line import CheckLine
from node.pipeline.checks.all_checks import check
from node.pipeline.registry.catalogue import catalogue_of, opened, seeded
from node.pipeline.registry.signers import FILE
from node.store import schema
from node.store.database import Database
from node.store.registering import registry
from node.store.tables.choices import Mode

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)

Configure = Callable[..., Settings]


@pytest.fixture
def configure(tmp_path: Path) -> Configure:
    """Return what makes the configuration of a node with [[models]] tables."""

    def settings(*models: dict[str, str]) -> Settings:
        raw: dict[str, Any] = {"node": {"ae_title": "NODE", "data_dir": str(tmp_path / "var")}, "models": list(models)}
        raw["peers"] = [{"name": "room", "ae_title": "ROOM", "host": "127.0.0.1", "port": 1, "may_send": True}]
        return parse(raw, tmp_path / "config.toml")

    return settings


@pytest.fixture
def database(configure: Configure) -> Iterator[Database]:
    """Give the node's empty database."""
    url = configure().database.url
    (configure().node.data_dir).mkdir()
    schema.upgrade(url)
    with closing(Database.open(url)) as database:
        yield database


@pytest.fixture
def signed(tmp_path: Path) -> dict[str, str]:
    """Return the [[models]] table of a signed bundle that asks for its signature."""
    key, bundle = Ed25519PrivateKey.generate(), shutil.copytree(STARTER, tmp_path / "signed")
    (tmp_path / "key.pem").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    (tmp_path / "public.pem").write_bytes(public)
    sign(bundle, tmp_path / "key.pem")
    return {"name": "chest", "bundle": str(bundle), "public_key": str(tmp_path / "public.pem")}


def _models(settings: Settings) -> list[CheckLine]:
    return [line for line in check(settings, Path("config.toml"), NOW) if line.subject.startswith("model")]


@pytest.mark.parametrize("renamed", [True, False])
def test_a_table_that_is_gone_or_renamed_takes_no_demand_with_it(
    configure: Configure, database: Database, signed: dict[str, str], *, renamed: bool
) -> None:
    """The node does not start, and `check` says so; the model and the key are named."""
    assert [row.name for row in seeded(configure(signed), database, lambda: NOW)] == ["chest"]
    later = configure(signed | {"name": "other"}) if renamed else configure()
    with pytest.raises(OperatorError, match=r"model chest is registered .*public\.pem.*models mode chest off"):
        seeded(later, database, lambda: NOW)
    faults = [line for line in _models(later) if line.verdict == "fault"]
    assert [line.subject for line in faults] == ["model chest"]
    assert "had to be signed" in faults[0].text


def test_each_way_out_of_a_lost_table_is_one(configure: Configure, database: Database, signed: dict[str, str]) -> None:
    """Off, it is not served, not even when it is switched on beside the node; a table without a key asks for none."""
    seeded(configure(signed), database, lambda: NOW)
    database.write(lambda tx: registry.set_mode(tx, "chest", Mode.OFF))
    settings = configure()
    catalogue = catalogue_of(settings, database, seeded(settings, database, lambda: NOW))
    database.write(lambda tx: registry.set_mode(tx, "chest", Mode.SHADOW))
    assert (catalogue.bundles, database.read(catalogue.served_models.rules)) == ((), {})
    bare = {key: value for key, value in signed.items() if key != "public_key"}
    assert [row.name for row in seeded(configure(bare), database, lambda: NOW)] == ["chest"]
    assert [row.name for row in seeded(configure(), database, lambda: NOW)] == ["chest"]


def test_the_demand_is_kept_though_a_start_was_refused(
    configure: Configure, database: Database, signed: dict[str, str]
) -> None:
    """A bundle that lost its signature is not served by removing the table."""
    seeded(configure(signed), database, lambda: NOW)
    (Path(signed["bundle"]) / "manifest.sig").unlink()
    for settings in (configure(signed), configure()):
        with pytest.raises(OperatorError, match="sign"):
            seeded(settings, database, lambda: NOW)


def test_a_record_that_cannot_be_read_stops_the_node(configure: Configure, database: Database) -> None:
    """Nobody knows then what had to be signed."""
    (configure().node.data_dir / FILE).write_text("[", encoding="utf-8")
    with pytest.raises(OperatorError, match=rf"{FILE} cannot be read"):
        seeded(configure(), database, lambda: NOW)


def test_a_model_without_a_table_is_told_by_check(configure: Configure, database: Database) -> None:
    """The registry serves it; only a node without any reads nothing."""
    assert [line.text for line in _models(configure())] == [
        "no [[models]] table: studies are stored and nothing is read"
    ]
    seeded(configure({"name": "starter"}), database, lambda: NOW)
    (line,) = _models(configure())
    assert (line.subject, line.verdict) == ("model starter", "note")
    assert "the node serves it and asks for no signature" in line.text


def test_a_bundle_that_does_not_load_is_a_fault_of_its_own(configure: Configure, tmp_path: Path) -> None:
    """`check` names it and goes on to the next one."""
    broken = shutil.copytree(STARTER, tmp_path / "broken")
    (broken / "admission.npz").write_bytes(b"no archive")
    write_bundle(broken, replace(read_manifest(broken), files=file_digests(broken)))
    lines = _models(configure({"name": "broken", "bundle": str(broken)}, {"name": "starter"}))
    assert [(line.subject, line.verdict) for line in lines if line.verdict != "note"] == [
        ("model broken", "fault"),
        ("model starter", "ok"),
    ]


def test_what_a_refused_bundle_advises_fits_its_fault(signed: dict[str, str], tmp_path: Path) -> None:
    """The shipped ones where there is no bundle, without the generator; the key where it is the key."""
    with pytest.raises(OperatorError, match=r"used: no bundle ships under that name; .* ships \(starter\) or a folder"):
        opened("strater")
    with pytest.raises(OperatorError, match=r"absent\.pem cannot be read.*public_key names the key") as refused:
        opened(signed["bundle"], tmp_path / "absent.pem")
    assert "ships" not in str(refused.value)
    (Path(signed["bundle"]) / "classifier.tflite").write_bytes(b"changed")
    with pytest.raises(OperatorError, match=r"models verify .*signed") as refused:
        opened(signed["bundle"])
    assert "ships" not in str(refused.value)
