"""Passwords in what an operator typed, so that no error message repeats one into a terminal or a journal."""

import re

_MASK = "***"
# a password may hold "@" and "/" where somebody forgot to encode them: it ends at the last "@" of its word
_OF_USER = re.compile(r"((?:://|^|(?<=[\s'\"=]))[^\s:/@'\"]*:)(?!//)\S*@")
_OF_QUERY = re.compile(r"([?&](?:ssl)?password=)[^&\s'\"]+")


def masked(text: str) -> str:
    """Return a text in which every password of a URL is masked, as in ``postgresql://user:***@host/name``."""
    return _OF_QUERY.sub(rf"\1{_MASK}", _OF_USER.sub(rf"\1{_MASK}@", text))
