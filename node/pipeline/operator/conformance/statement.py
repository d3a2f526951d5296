"""The statements as Markdown, after PS3.2 and after IHE's form. It knows templates, and finds no facts itself."""

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from node.config import Settings
from node.pipeline.operator.conformance.facts import facts_of

_TEMPLATES = Path(__file__).parent / "templates"


def conformance_statement(settings: Settings) -> str:
    """Return the DICOM conformance statement of a configuration (PS3.2 Annex A), as Markdown.

    Raises
    ------
    OperatorError
        Where a configured bundle cannot be used.
    """
    return _written("conformance.md.jinja", settings)


def integration_statement(settings: Settings) -> str:
    """Return the IHE integration statement of a configuration, as Markdown; it raises as `conformance_statement`."""
    return _written("ihe.md.jinja", settings)


def _written(name: str, settings: Settings) -> str:
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=False,  # noqa: S701 - Markdown of our own lists and of the operator's configuration, for the operator
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.update(codes=_codes, cell=_cell)
    return environment.get_template(name).render(facts=facts_of(settings), settings=settings)


def _codes(numbers: tuple[int, ...]) -> str:
    return f"({', '.join(map(str, numbers))})"


def _cell(text: object) -> str:
    """Return a text that stays within the cell of a table."""
    return str(text).replace("|", "\\|").replace("\n", " ")
