"""``python -m node`` and the command ``pacs-node``."""

import sys
from pathlib import Path

from node.domain.errors import OperatorError, Transient
from node.domain.masking import masked


def require_own_import_names(path: list[str]) -> None:
    """Raise where another distribution's ``node`` or ``models`` package lies on the import path beside ours.

    The names are common; a second package of that name would be imported in part or in place of this program,
    depending on the order of the path.

    Parameters
    ----------
    path
        The folders of the import path, as in `sys.path`.

    Raises
    ------
    OperatorError
        Naming each foreign package.
    """
    ours = Path(__file__).resolve().parent.parent
    entries = {Path(entry).resolve() for entry in path if entry} - {ours}
    foreign = [
        package
        for entry in sorted(entries)
        for package in (entry / "node", entry / "models")
        if (package / "__init__.py").is_file()
    ]
    if foreign:
        raise OperatorError(
            f"another package uses the import names of pacs-node: {', '.join(map(str, foreign))}; uninstall it, or "
            "install pacs-node into a virtual environment of its own",
            exit_code=2,
        )


def main() -> None:
    """Run the command line; an `OperatorError` becomes its message on stderr and its exit code."""
    try:
        # the working folder is on the path under `python -m`; a checkout there is this program itself
        require_own_import_names(sys.path)
        from node.cli import application  # noqa: PLC0415 - after the check, which must not import what it checks

        application()
    except OperatorError as error:
        _say(error)
        sys.exit(error.exit_code)
    except Transient as error:
        _say(error)
        sys.exit(1)


def _say(error: Exception) -> None:
    print(f"pacs-node: {masked(str(error))}", file=sys.stderr)  # noqa: T201 - the command line's own voice


if __name__ == "__main__":
    main()
