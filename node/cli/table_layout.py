"""How rows stand on a screen: every cell whole, however narrow it is.

What goes to a file or another program is one line a row. A screen that is too narrow for that gets what all rows share
once, at the end, and what is too wide on lines of its own below each row; nothing is cut. It does not know what the
columns mean, but for names that end in ``_uid``: a UID stands alone on its line, to be copied.
"""

import re
from dataclasses import dataclass
from textwrap import wrap

from rich.cells import cell_len, set_cell_size

_GAP = "  "
_INDENT = "    "
_TIME = re.compile(r"\b(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d+)?\+00:00")

Rows = list[dict[str, str]]


@dataclass(frozen=True, slots=True)
class Lines:
    """A table as lines of text."""

    heading: list[str]
    body: list[str]


def lines(rows: Rows, width: int | None) -> Lines:
    """Return rows as lines.

    Parameters
    ----------
    rows
        At least one; all with the same columns.
    width
        Of the screen, in cells; None where a line may have any length.
    """
    columns = list(rows[0])
    if width is None:
        return _laid_out(columns, [], rows, {}, 0)
    rows = [{name: _TIME.sub(r"\1Z", text) for name, text in row.items()} for row in rows]
    if _width(columns, rows) <= width:
        return _laid_out(columns, [], rows, {}, width)
    shared = _shared(rows)
    beside = [name for name in columns if name not in shared]
    below = []
    while beside and _width(beside, rows) > width:
        leaves = _widest(beside, rows)
        beside.remove(leaves)
        below.append(leaves)
    return _laid_out(beside, sorted(below, key=columns.index), rows, shared, width)


def _shared(rows: Rows) -> dict[str, str]:
    """Return what is the same in all rows, and what is empty in the only one."""
    first, *others = rows
    same = {name: text for name, text in first.items() if all(row[name] == text for row in others)}
    return same if others else {name: text for name, text in same.items() if not text}


def _widest(columns: list[str], rows: Rows) -> str:
    """Return the widest column; the first, which says what the row is about, only where it is a UID or alone."""
    first, *others = columns
    movable = columns if first.endswith("_uid") or not others else others
    return max(movable, key=lambda name: _column_width(name, rows))


def _laid_out(beside: list[str], below: list[str], rows: Rows, shared: dict[str, str], width: int) -> Lines:
    widths = {name: _column_width(name, rows) for name in beside}
    alone = [name for name in below if name.endswith("_uid")]
    named = [name for name in below if name not in alone]
    heading = [_row({name: name for name in beside}, widths), *(_INDENT + name for name in alone)]
    body = []
    for row in rows:
        body += [_row(row, widths), *(_INDENT + (row[name] or "-") for name in alone)]
        body += _folded([f"{name}: {row[name]}" for name in named if row[name]], width)
    said = [f"the same in all {len(rows)}: {name} {text}" for name, text in shared.items() if text]
    return Lines([line for line in heading if line], [line for line in body if line] + said)


def _folded(items: list[str], width: int) -> list[str]:
    """Return texts, as many on a line as fit; a long one is folded between words alone, so that a path stays whole."""
    room = max(width - len(_INDENT), 1)
    folded: list[str] = []
    for item in items:
        if folded and cell_len(folded[-1] + _GAP + item) <= room:
            folded[-1] += _GAP + item
        else:
            folded += wrap(item, room, break_long_words=False, break_on_hyphens=False)
    return [_INDENT + line for line in folded]


def _row(row: dict[str, str], widths: dict[str, int]) -> str:
    return _GAP.join(set_cell_size(row[name], cells) for name, cells in widths.items()).rstrip()


def _width(columns: list[str], rows: Rows) -> int:
    return sum(_column_width(name, rows) + len(_GAP) for name in columns) - len(_GAP)


def _column_width(name: str, rows: Rows) -> int:
    return max(cell_len(name), *(cell_len(row[name]) for row in rows))
