"""Challengers in shadow: read beside their champion on live studies, under a name of their own.

`pacs-node models agreement` then says how often both say the same. Their reports reach only peers with test = true, as
those of every model in shadow. It knows rows of the registries.
"""

from dataclasses import replace

from node.store.database import Transaction
from node.store.learning import model_versions
from node.store.learning.model_versions import Version
from node.store.registering import registry
from node.store.registering.registry import Registration
from node.store.tables.choices import Mode

_SUFFIX = "-challenger"


def name_of(model: str) -> str:
    """Return the name under which the challenger of a model reads."""
    return f"{model}{_SUFFIX}"


def is_challenger(tx: Transaction, row: Registration) -> bool:
    """Return whether a row of the registry of models is the challenger of another one, and no model by itself."""
    model = row.name.removesuffix(_SUFFIX)
    return model != row.name and model_versions.get(tx, model, row.version) is not None


def begin(tx: Transaction, version: Version) -> bool:
    """Let a version read in shadow beside its champion; an earlier challenger gives way to it.

    Returns
    -------
    bool
        False where a model that is no challenger has its name: then it does not read.
    """
    champion = registry.get(tx, version.model)
    if champion is None:
        return False
    wanted = replace(
        champion, name=name_of(version.model), version=version.version, bundle=version.bundle, mode=Mode.SHADOW
    )
    known = registry.get(tx, wanted.name)
    if known is None:
        return registry.seed(tx, wanted)
    if not is_challenger(tx, known):
        return False
    registry.put(tx, wanted)
    return True


def end(tx: Transaction, model: str, version: str) -> None:
    """Let a version read no longer beside its champion, where it does."""
    row = registry.get(tx, name_of(model))
    if row is not None and row.version == version and is_challenger(tx, row):
        registry.set_mode(tx, row.name, Mode.OFF)
