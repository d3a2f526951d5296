"""What stands in [labels]: names of classes, what readers call them, codes, titles and what these mean."""

import re
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, Field

from node.domain.label_text import is_no_name, normalised

_CODE = re.compile(r"[^:\s]{1,16}:[^\s]{1,64}")
_TITLE = re.compile(r"(?:[^:\s]{1,16}:)?[^:\s]{1,64}")


def _phrase(value: str) -> str:
    if not normalised(value):
        raise ValueError("an empty text names nothing: leave it out")
    return value.strip()


def _name(value: str) -> str:
    if is_no_name(value):
        raise ValueError(
            f"{value.strip()!r} holds a word that negates, doubts or disputes, and as a name it would say that the "
            "class is there: name the class alone, such as 'pneumonia'; the reader knows 'no pneumonia' by itself"
        )
    return _phrase(value)


def _code(value: str) -> str:
    if not _CODE.fullmatch(value.strip()):
        raise ValueError("a code is SCHEME:VALUE, such as SCT:233604007 (DICOM PS3.16 chapter 8 lists the schemes)")
    return value.strip()


def _title(value: str) -> str:
    if not _TITLE.fullmatch(value.strip()):
        raise ValueError("a title is a code such as 113005 or SCHEME:VALUE (DICOM PS3.16 CID 7010)")
    return value.strip()


def known_timezone(value: str) -> str:
    """Return the name of a time zone that this host knows, or "" for its own."""
    if value:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise ValueError('no time zone of this host: a name such as "Europe/Berlin", or "" for its own') from error
    return value


ClassName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")]
"""A class's key in a bundle."""

Phrases = tuple[Annotated[str, AfterValidator(_name)], ...]
"""What readers call a class."""

SchemeAndValue = Annotated[str, AfterValidator(_code)]
TitleCode = Annotated[str, AfterValidator(_title)]
PlainStatement = Annotated[str, AfterValidator(_phrase)]
"""A text as which a title counts, such as "pneumonia" or "no pneumonia"."""
