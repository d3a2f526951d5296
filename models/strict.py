"""Plain tables (from TOML or JSON) into frozen dataclasses, with every surprise refused.

It knows annotations: str, int, float, bool, tuple, dict, Any, dataclasses of these, and each of them or None. It knows
no file; what range a value must be in, the caller says.
"""

from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from types import NoneType, UnionType
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

Kind = TypeVar("Kind")


class FormError(ValueError):
    """A table that is not of the expected form; the message names place and key."""


def build(kind: type[Kind], table: Any, where: str) -> Kind:
    """Return `table` as the dataclass `kind`.

    Parameters
    ----------
    kind
        A dataclass; its annotations are the form.
    table
        What a TOML or JSON reader returned.
    where
        The table's place in its file, for messages.

    Raises
    ------
    FormError
        Where keys are unknown or missing, or a value has another type.
    """
    if not isinstance(table, Mapping):
        raise FormError(f"{where} is not a table")
    hints, known = get_type_hints(kind), {field.name: field for field in fields(kind)}  # type: ignore[arg-type] # a dataclass
    needed = {name for name, field in known.items() if field.default is MISSING and field.default_factory is MISSING}
    if unknown := sorted(set(table) - set(known)):
        raise FormError(f"{where} does not know {', '.join(unknown)}; known: {', '.join(sorted(known))}")
    if missing := sorted(needed - set(table)):
        raise FormError(f"{where} lacks {', '.join(missing)}")
    return kind(**{name: _value(hints[name], value, f"{where}.{name}") for name, value in table.items()})


def within(holds: bool, where: str, value: Any, needed: str) -> None:  # noqa: FBT001 read as a sentence
    """Refuse a value of the right type that is out of its range.

    Raises
    ------
    FormError
        Where `holds` is false; `where` names place and key, `needed` says what would do.
    """
    if not holds:
        raise FormError(f"{where} is {value!r}, where {needed} is needed")


def _value(hint: Any, value: Any, where: str) -> Any:
    if hint is Any:
        return value
    if isinstance(hint, UnionType):
        return None if value is None else _value(_but_none(hint), value, where)
    if is_dataclass(hint):
        return build(hint, value, where)  # type: ignore[arg-type] # a class, not an instance
    if get_origin(hint) is tuple:
        return _tuple(get_args(hint), value, where)
    if get_origin(hint) is dict:
        return _dictionary(get_args(hint)[1], value, where)
    return _plain(hint, value, where)


def _but_none(hint: UnionType) -> Any:
    (kind,) = (part for part in get_args(hint) if part is not NoneType)
    return kind


def _tuple(hints: tuple[Any, ...], value: Any, where: str) -> tuple[Any, ...]:
    if not isinstance(value, list):
        raise FormError(f"{where} is not a list")
    if hints[-1] is ...:
        hints = hints[:1] * len(value)
    if len(hints) != len(value):
        raise FormError(f"{where} has {len(value)} values instead of {len(hints)}")
    pairs = enumerate(zip(hints, value, strict=True))
    return tuple(_value(hint, part, f"{where}[{place}]") for place, (hint, part) in pairs)


def _dictionary(hint: Any, value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise FormError(f"{where} is not a table")
    return {str(name): _value(hint, part, f"{where}.{name}") for name, part in value.items()}


def _plain(hint: type, value: Any, where: str) -> Any:
    whole = isinstance(value, int) and not isinstance(value, bool)
    if hint is float and whole:
        return _float(value, where)
    fits = whole if hint is int else isinstance(value, hint)
    if not fits:
        raise FormError(f"{where} is {value!r}, where a value of type {hint.__name__} is needed")
    return value


def _float(value: int, where: str) -> float:
    try:
        return float(value)
    except OverflowError as error:
        raise FormError(f"{where} is a number of {len(str(value))} digits, which no float holds") from error
