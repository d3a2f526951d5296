"""A line of what was looked at, as `check` and imports of models print it."""

from dataclasses import dataclass
from typing import Literal

Verdict = Literal["ok", "note", "fault"]


@dataclass(frozen=True, slots=True)
class CheckLine:
    """What was looked at, and what was found."""

    subject: str
    verdict: Verdict
    text: str
