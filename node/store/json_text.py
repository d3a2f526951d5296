"""JSON values as the text that a row holds, and what says that a value is one already; it imports no database."""

import json
from collections.abc import Mapping
from typing import Any

_encoded = json.JSONEncoder(allow_nan=False, ensure_ascii=True).encode  # PostgreSQL refuses NaN and lone surrogates


class JSONText(str):
    """The text of a JSON value, which is stored as it is, without being encoded again."""

    __slots__ = ()


def json_text(value: Mapping[str, Any]) -> JSONText:
    """Return a value as the text that its rows will hold, for whoever stores the same one many times.

    Raises
    ------
    ValueError, TypeError
        Where it is no JSON value.
    """
    return JSONText(_encoded(value))


def stored_text(value: Any) -> str:
    """Return the text that a row holds; raises as `json_text`."""
    return str(value) if isinstance(value, JSONText) else _encoded(value)
