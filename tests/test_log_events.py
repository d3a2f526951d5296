"""Every line of the log begins in one style: a few plain words in lower case; whatever explains them stands in fields.

So an operator, and whoever writes an alarm, finds an event by its words, and no words change with a value.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

NODE = Path(__file__).resolve().parents[1] / "node"
_LEVELS = {"debug", "info", "warning", "error", "critical", "exception"}
_EVENT = re.compile(r"[a-z0-9]+(?:[ -][a-z0-9']+)*")
_LOGGER = re.compile(r"\blog$|_log$|\blogger\(.*\)$")
_LONGEST = 60  # characters


def _logged() -> Iterator[tuple[str, ast.expr | None]]:
    """Yield where something is logged, and what comes first there."""
    for path in sorted(NODE.rglob("*.py")):
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and _is_logging(call.func):
                yield f"{path.relative_to(NODE)}:{call.lineno}", call.args[0] if call.args else None


def _is_logging(function: ast.Attribute) -> bool:
    return function.attr in _LEVELS and bool(_LOGGER.search(ast.unparse(function.value)))


def _words(event: ast.expr | None) -> list[object]:
    if isinstance(event, ast.IfExp):
        return [*_words(event.body), *_words(event.orelse)]
    return [event.value if isinstance(event, ast.Constant) else None]


def test_events_are_a_few_plain_words() -> None:
    """Neither names with underscores, nor sentences, nor words that hold a value."""
    said = [(where, words) for where, event in _logged() for words in _words(event)]
    assert len(said) > 50, "what is logged is not found"
    odd = [f"{where}: {words!r}" for where, words in said if not _is_plain(words)]
    assert not odd


def _is_plain(words: object) -> bool:
    return isinstance(words, str) and len(words) <= _LONGEST and bool(_EVENT.fullmatch(words))
