"""The models that this node may run, and in which mode.

The configuration seeds a name once; afterwards this table rules, and a change counts from the next job on.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from sqlalchemy import ClauseElement, Text, cast, select, update

from node.domain.errors import OperatorError
from node.domain.rule import Rule
from node.store.codec import rule_from_json, rule_to_json
from node.store.connection.driver_statement import Statement
from node.store.connection.upsert import insert_into
from node.store.database import Transaction
from node.store.registering.bundle_places import found, kept
from node.store.tables.choices import Mode
from node.store.tables.version_tables import RegisteredModel


@dataclass(frozen=True, slots=True)
class Registration:
    """One model name: which bundle and version it stands for, what it reads, and whom its reports reach."""

    name: str
    version: str
    bundle: str
    mode: Mode
    rule: Rule


def seed(tx: Transaction, model: Registration) -> bool:
    """Add a model that the registry does not know; return whether it was added. A known one stays as it is."""
    values = {
        "name": model.name,
        "version": model.version,
        "bundle": kept(tx, model.bundle),
        "mode": model.mode,
        "rule": rule_to_json(model.rule),
    }
    added = insert_into(tx, RegisteredModel).values(**values).on_conflict_do_nothing().returning(RegisteredModel.name)
    return tx.scalar(added) is not None


def get(tx: Transaction, name: str) -> Registration | None:
    """Return one registered model, or None."""
    row = tx.get(RegisteredModel, name, populate_existing=True)
    return None if row is None else _registration(tx, row)


def max_frames(tx: Transaction, name: str) -> int:
    """Return how many frames of one image a model's rule lets it read; 1 where it is not registered."""
    registration = get(tx, name)
    return 1 if registration is None else registration.rule.max_frames


def all(tx: Transaction) -> list[Registration]:  # noqa: A001 - read as registry.all
    """Return all registered models by name."""
    return [
        Registration(name, version, found(tx, bundle), mode, _rule(rule))
        for name, version, bundle, mode, rule in _ALL.rows(tx, {})
    ]


def named(tx: Transaction, name: str) -> Registration:
    """Return the model that an operator named.

    Raises
    ------
    OperatorError
        Where no model of that name is registered; it says which are.
    """
    found = get(tx, name)
    if found is None:
        raise no_model(name, [row.name for row in all(tx)])
    return found


def no_model(name: str, registered: Iterable[str], exit_code: int = 1) -> OperatorError:
    """Return what is said where an operator names a model that is not among these."""
    return OperatorError(f"no model {name!r}; registered: {', '.join(registered) or 'none'}", exit_code=exit_code)


def set_mode(tx: Transaction, name: str, mode: Mode) -> Mode:
    """Change a model's mode and return the one that it had.

    Raises
    ------
    OperatorError
        Where no model of that name is registered.
    """
    before = named(tx, name)
    tx.execute(update(RegisteredModel).where(RegisteredModel.name == name).values(mode=mode))
    return before.mode


def set_version(tx: Transaction, name: str, version: str) -> None:
    """Let a model's row say which version its bundle is now."""
    tx.execute(update(RegisteredModel).where(RegisteredModel.name == name).values(version=version))


def put(tx: Transaction, model: Registration) -> None:
    """Let a registered model's row say all of this."""
    values = {"version": model.version, "bundle": kept(tx, model.bundle), "rule": rule_to_json(model.rule)}
    tx.execute(update(RegisteredModel).where(RegisteredModel.name == model.name).values(mode=model.mode, **values))


@lru_cache(maxsize=64)  # asked for every received image, and changed once in months
def _rule(text: str) -> Rule:
    return rule_from_json(json.loads(text))


def _all(_dialect: str) -> ClauseElement:
    columns = (RegisteredModel.name, RegisteredModel.version, RegisteredModel.bundle, RegisteredModel.mode)
    return select(*columns, cast(RegisteredModel.rule, Text)).order_by(RegisteredModel.name)


_ALL = Statement(_all)


def _registration(tx: Transaction, row: RegisteredModel) -> Registration:
    return Registration(row.name, row.version, found(tx, row.bundle), row.mode, rule_from_json(row.rule))
