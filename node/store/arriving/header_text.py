"""The header of an instance as the text that its row holds, and back; for whoever encodes it before it is written.

It imports no database: a process that only hands its instances over to another needs none.
"""

import json
from dataclasses import fields
from operator import attrgetter

from node.domain.instance import InstanceHeader

_NAMES = tuple(field.name for field in fields(InstanceHeader))
_values = attrgetter(*_NAMES)
_encoded = json.JSONEncoder(allow_nan=False).encode  # ASCII: PostgreSQL refuses lone surrogates
_LISTS = ("image_type", "device_uids", "derivation_codes", "equipment_manufacturers")


class HeaderText(str):
    """A JSON object that is stored as it is, without being encoded again."""

    __slots__ = ()


def text_of_header(header: InstanceHeader) -> HeaderText:
    """Return the header as the text of a JSON object."""
    return HeaderText(_encoded(dict(zip(_NAMES, _values(header), strict=True))))


def header_of_text(text: str) -> InstanceHeader:
    """Return the header that this version has encoded.

    Raises
    ------
    ValueError, TypeError
        Where it has not.
    """
    values = json.loads(text)
    for name in _LISTS:
        values[name] = tuple(values[name])
    return InstanceHeader(**values)
