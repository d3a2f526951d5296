"""The models that this node serves: registry rows joined with their opened bundles.

The registry says which names there are and in which mode; the bundle's manifest says what a version is. The first
start seeds the registry from [[models]]; afterwards the registry rules. A bundle is opened once, its digests checked,
and its signature where [[models]] names a public_key: that is the configuration's word at every start, and
`node.pipeline.registry.signers` remembers it. Nothing of a bundle is expanded or loaded here.
"""

import hashlib
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime
from pathlib import Path

import models
from models.bundle.folder import MANIFEST, BundleError, Manifest, intact_manifest, read_manifest
from models.bundle.signature import SignatureError, verified
from node.config import ModelSettings, Settings
from node.domain.errors import OperatorError, Permanent, Transient
from node.domain.finding import Code
from node.domain.report import ModelClass, ModelIdentity
from node.domain.rule import Aggregation, Rule
from node.pipeline.registry import go_live, replaced, signers, versions
from node.pipeline.registry.replaced import Replaced
from node.pipeline.served import Served
from node.store import audit
from node.store.database import Database, Transaction
from node.store.learning.model_versions import Change
from node.store.registering import bundle_places, registry
from node.store.registering.registry import Registration
from node.store.tables.choices import Mode

SHIPPED_BUNDLES = Path(models.__file__).resolve().parent


@dataclass(frozen=True, slots=True)
class ServedModel:
    """One registered model with the bundle that its version stands for."""

    bundle: Path
    identity: ModelIdentity
    public_key: Path | None = None  #: who must have signed the bundle; anybody where None

    def is_of(self, row: Registration) -> bool:
        """Return whether this is what a row of the registry stands for."""
        return (self.bundle, self.identity.version) == (bundle_path(row.bundle), row.version)


Look = Callable[[str], Registration | None]
"""Gives a model's row as the registry has it now."""


class Catalogue:
    """The opened bundles of all registered models.

    Parameters
    ----------
    registrations
        The registry's rows at the start of the node.
    key_of
        Gives who must have signed the bundle of a model, by the model's name; None: nobody need have.
    look
        Asked before each piece of work, so that a model that is added or changed needs no restart; without it the
        registrations stand. What is under way ends with the version that it was given.
    left_out
        Names that are not served, whatever the registry says.

    Raises
    ------
    OperatorError
        Saying which bundle cannot be used and why.
    """

    def __init__(
        self,
        registrations: Sequence[Registration],
        key_of: Callable[[str], Path | None] = lambda _: None,
        look: Look | None = None,
        left_out: frozenset[str] = frozenset(),
    ) -> None:
        self._key_of, self._look, self._left_out = key_of, look, left_out
        self._opening = threading.Lock()
        # a model that is off is opened too: its mode may change while the node runs
        self._served = {row.name: self._opened(row) for row in registrations}

    @property
    def served_models(self) -> Served:
        """What receiving has to know of them."""
        devices = frozenset(served.identity.device_uid for served in self._served.values())
        return Served(self._left_out, devices)

    @property
    def bundles(self) -> tuple[tuple[Path, Path | None], ...]:
        """The bundles that reading may need, each with the key that must have signed it."""
        return tuple((served.bundle, served.public_key) for served in self._served.values())

    def served(self, name: str) -> ServedModel:
        """Return one model as it is to be used now.

        Raises
        ------
        Permanent
            Where the registry does not hold it.
        Transient
            Where it was changed while the node runs, and its bundle cannot be used.
        """
        known = self._served.get(name)
        row = self._look(name) if self._look else None
        if known is not None and (row is None or known.is_of(row)):
            return known
        if row is None or name in self._left_out:
            raise Permanent(f"model {name} is not served: `pacs-node models` lists those that are")
        with self._opening:
            try:
                served = self._opened(row)
            except OperatorError as error:
                raise Transient(str(error)) from error
            self._served[name] = served
        if not served.is_of(row):
            raise Transient(f"the bundle {row.bundle} holds another version than {row.version}: restart the node")
        return served

    def _opened(self, row: Registration) -> ServedModel:
        key = self._key_of(row.name)
        return ServedModel(bundle_path(row.bundle), identity_of(row.name, opened(row.bundle, key)), key)


def catalogue_of(settings: Settings, database: Database, registrations: Sequence[Registration]) -> Catalogue:
    """Return the catalogue of a node that runs: it follows the registry.

    Parameters
    ----------
    settings
        Whose keys count; a model that had to be signed once must be, whenever it was added.
    database
        Where the registry is.
    registrations
        As `seeded` returned them.

    Raises
    ------
    OperatorError
        Saying which bundle cannot be used and why.
    """
    names = {row.name for row in registrations}
    left_out = frozenset(row.name for row in database.read(registry.all) if row.name not in names)

    def key_of(name: str) -> Path | None:
        demanded = signers.demanded(settings).get(name)  # the table of a model that came later is not in these settings
        return public_keys(settings).get(name) or (Path(demanded) if demanded else None)

    return Catalogue(registrations, key_of, lambda name: database.read(lambda tx: registry.get(tx, name)), left_out)


def bundle_path(bundle: str) -> Path:
    """Return the folder of a bundle: a shipped one by its name, any other by its path."""
    return Path(bundle) if "/" in bundle else SHIPPED_BUNDLES / bundle


def public_keys(settings: Settings) -> dict[str, Path]:
    """Return who must have signed a model's bundle, by the model's name; only where the configuration says so."""
    return {model.name: model.public_key for model in settings.models if model.public_key is not None}


def opened(bundle: str, public_key: Path | None = None) -> Manifest:
    """Return the manifest of a bundle whose digests match.

    Parameters
    ----------
    bundle
        A shipped one's name, or a path.
    public_key
        PEM file of who must have signed it; None: nobody need have.

    Raises
    ------
    OperatorError
        Saying what is wrong with it.
    """
    path = bundle_path(bundle)
    try:
        return intact_manifest(path, verified(path, public_key) if public_key else None)
    except BundleError as error:
        raise OperatorError(f"the bundle {path} cannot be used: {_fault(bundle, path, error)}") from error


def _fault(bundle: str, path: Path, error: BundleError) -> str:
    """Return what is wrong with a bundle, and what helps."""
    if isinstance(error, SignatureError):
        return f"{error}; [[models]] public_key names the key whose signature is asked for"
    if not (path / MANIFEST).exists():
        fault = error if "/" in bundle else "no bundle ships under that name"
        return f"{fault}; [[models]] bundle names one that ships ({_shipped()}) or a folder (with a / in it)"
    return f"{error}; `pacs-node models verify {path}` names every fault; put the bundle back as it was made"


def _shipped() -> str:
    names = sorted(path.parent.name for path in SHIPPED_BUNDLES.glob(f"*/{MANIFEST}") if _reads(path.parent))
    return ", ".join(names) or "none is installed"


def _reads(folder: Path) -> bool:
    """Return whether a folder is a bundle; the generator that ships is none."""
    try:
        return bool(read_manifest(folder).classes)
    except BundleError:
        return False


def identity_of(name: str, manifest: Manifest) -> ModelIdentity:
    """Return what reports say of a model."""
    classes = tuple(
        ModelClass(described.name, Code(*described.finding), Code(*described.site), described.threshold)
        for described in manifest.classes
    )
    return ModelIdentity(
        name,
        version_of(manifest),
        manifest.device_uid,
        weights_digest=manifest.weights_digest,
        classes=classes,
        calibrated_on_local_labels=manifest.calibration.local_labels,
    )


def version_of(manifest: Manifest) -> str:
    """Return the version that readings and reports carry: the bundle's, told apart from others of the same number.

    Two trainings of one recipe have the same number and are two devices; what they say must never be mixed.
    """
    return f"{manifest.version}+{hashlib.sha256(manifest.device_uid.encode()).hexdigest()[:8]}"


def seeded(settings: Settings, database: Database, clock: Callable[[], datetime]) -> list[Registration]:
    """Return the rows of the models to serve, after those that the registry did not know were added from [[models]].

    Raises
    ------
    OperatorError
        Where a bundle cannot be used, or one that had to be signed has lost the table that says so.
    """
    signers.remember(settings)  # before anything is refused: the demand stands, whatever becomes of the table
    database.write(bundle_places.keep_all)
    require_validation = settings.go_live.require_validation
    configured = [registration_of(model, require_validation=require_validation) for model in settings.models]
    for registration in configured:
        database.write(lambda tx, registration=registration: registry.seed(tx, registration))  # type: ignore[misc]
    keys = public_keys(settings)
    rows = signers.served_rows(settings, database.read(registry.all))
    manifests = {row.name: opened(row.bundle, keys.get(row.name)) for row in rows}
    for row in rows:
        replaced.keep(settings.node.data_dir, row.bundle, bundle_path(row.bundle), version_of(manifests[row.name]))

    def settle(tx: Transaction) -> list[Replaced]:
        now, data_dir = clock(), settings.node.data_dir
        changed = _follow_bundles(tx, rows, manifests, now, data_dir)
        before = {one.model: one.before for one in changed}
        fallen = go_live.enforce(tx, now, required=require_validation, replaced=before)
        return [replaced.with_mode(one, fallen) for one in changed]

    for one in database.write(settle):
        replaced.tell(one)
    return signers.served_rows(settings, database.read(registry.all))


def _follow_bundles(
    tx: Transaction, rows: Sequence[Registration], manifests: Mapping[str, Manifest], now: datetime, data_dir: Path
) -> list[Replaced]:
    """Let both registries say which version each bundle holds by now, and return what took another's place."""
    changed = []
    for row in rows:
        if registry.get(tx, row.name) != row:
            continue  # an operator changed it meanwhile, and entered what serves now
        version = version_of(manifests[row.name])
        if version != row.version:
            changed.append(replaced.noted(tx, row, version, data_dir))
            registry.set_version(tx, row.name, version)
            audit.add(tx, now, "model version changed", model=row.name, before=row.version, after=version)
        change = Change(now, "", "served at the start of the node")
        versions.follow(tx, replace(row, version=version), manifests[row.name], change)
    return changed


def registration_of(model: ModelSettings, *, require_validation: bool) -> Registration:
    """Return the registry row that a [[models]] table seeds.

    A model that the configuration calls active starts in shadow where its local validation must be recorded first.
    """
    mode = Mode.SHADOW if model.mode == "active" and require_validation else Mode(model.mode)
    values = model.model_dump(include={field.name for field in fields(Rule)})
    rule = Rule(**values | {"aggregation": Aggregation(model.aggregation)})
    return Registration(model.name, version_of(opened(model.bundle, model.public_key)), model.bundle, mode, rule)
