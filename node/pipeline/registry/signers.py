"""Which models this node was ever told a public key for: kept beside its data, so that a lost table is noticed.

The registry serves a model whose [[models]] table has been removed or renamed; without this record the demand for a
signature would go with the table. It knows names and keys, and neither bundles nor signatures.
"""

import json
from pathlib import Path

from node.config import Settings
from node.domain.errors import OperatorError
from node.store.registering.registry import Registration
from node.store.tables.choices import Mode

FILE = "signed-models.json"
"""Name of the record in [node] data_dir: the key's path by the model's name."""


def demanded(settings: Settings) -> dict[str, str]:
    """Return the path of the key that was last configured for a model, by the model's name.

    Raises
    ------
    OperatorError
        Where the record cannot be read; nobody knows then what must be signed.
    """
    path = settings.node.data_dir / FILE
    try:
        record = json.loads(path.read_bytes())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError) as error:
        raise OperatorError(f"{path} cannot be read: {error}; {_RENEW}") from error
    if not isinstance(record, dict) or not all(isinstance(key, str) for key in record.values()):
        raise OperatorError(f"{path} holds something else than keys by model; {_RENEW}")
    return record


def remember(settings: Settings) -> None:
    """Keep which models have a key in the configuration; a table without one takes the demand back.

    Raises
    ------
    OperatorError
        Where the record cannot be read or written.
    """
    before = demanded(settings)
    told = {model.name: model.public_key for model in settings.models}
    kept = {name: key for name, key in before.items() if name not in told}
    after = kept | {name: str(key) for name, key in told.items() if key is not None}
    if after != before:
        _write(settings.node.data_dir / FILE, after)


def unasked(settings: Settings, rows: list[Registration]) -> list[Registration]:
    """Return the registered models that had to be signed, and that no [[models]] table speaks of any more."""
    known, tables = demanded(settings), {model.name for model in settings.models}
    return [row for row in rows if row.name in known and row.name not in tables]


def served_rows(settings: Settings, rows: list[Registration]) -> list[Registration]:
    """Return the registered models that may be served; one that is off and `unasked` is left out.

    Raises
    ------
    OperatorError
        Where a model that is `unasked` is not off.
    """
    lost = unasked(settings, rows)
    for row in lost:
        if row.mode is not Mode.OFF:
            raise OperatorError(refusal(settings, row))
    return [row for row in rows if row not in lost]


def refusal(settings: Settings, row: Registration) -> str:
    """Return why a model that is `unasked` is not served, and the ways out."""
    return (
        f"model {row.name} is registered in mode {row.mode} and its bundle had to be signed by "
        f"{demanded(settings)[row.name]}, but there is no [[models]] table of that name any more: put it back with its "
        f"public_key, say there that nobody need sign by leaving public_key out, or `pacs-node models mode {row.name} "
        "off`"
    )


def _write(path: Path, record: dict[str, str]) -> None:
    new = path.with_name(f".{path.name}-new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        new.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
        new.replace(path)
    except OSError as error:
        raise OperatorError(f"{path} cannot be written: {error.strerror}; make [node] data_dir writable") from error


_RENEW = "give every model that must be signed its public_key in [[models]], remove the file, and start the node again"
