"""Templates of the page and the card, and how numbers look in both. It knows Jinja2 and formats, no measure."""

from collections.abc import Sequence
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template, select_autoescape

TEMPLATES = Path(__file__).parent / "templates"


def template(name: str, folder: Path = TEMPLATES) -> Template:
    """Return a template; what goes into an HTML page is escaped, and a name that does not exist is an error."""
    environment = Environment(
        loader=FileSystemLoader(folder),
        autoescape=select_autoescape(("html", "html.jinja")),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.update(number=number, percent=percent, ends=ends)
    return environment.get_template(name)


def number(value: float | None, digits: int = 3) -> str:
    """Return a number with three digits; a dash for None."""
    if value is None:
        return "-"
    return str(value) if isinstance(value, int) else f"{value:.{digits}f}"


def percent(share: float | None) -> str:
    """Return a share as a percentage with one digit; a dash for None."""
    return "-" if share is None else f"{100 * share:.1f} %"


def ends(interval: Sequence[float] | None, digits: int = 3) -> str:
    """Return an interval in brackets; nothing for None."""
    return f"[{interval[0]:.{digits}f}, {interval[1]:.{digits}f}]" if interval else ""
