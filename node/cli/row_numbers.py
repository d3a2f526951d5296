"""Numbers of rows on the command line: those that a listing prints, and that a database can hold at all."""

from typing import Any

import typer

HIGHEST = 2**63 - 1
"""What a number of a row, or of rows, can be in both databases; a higher one ends in an error of the driver."""


def row_number(said: str | int) -> int:
    """Return the number of a row.

    Raises
    ------
    typer.BadParameter
        Where no row has such a number.
    """
    return _between(1, said)


def how_many(said: str | int) -> int:
    """Return a number of rows, 0 or more.

    Raises
    ------
    typer.BadParameter
        Where it is none.
    """
    return _between(0, said)


def numbered(option: str, said: str) -> Any:
    """Return an option that takes the number of a row."""
    return typer.Option(option, metavar="ID", parser=row_number, help=said)


def _between(lowest: int, said: str | int) -> int:
    try:
        number = int(said)
    except ValueError:
        number = -1
    if lowest <= number <= HIGHEST:
        return number
    raise typer.BadParameter(f"{said} is no whole number from {lowest} to {HIGHEST}")
