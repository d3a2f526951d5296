"""The command line as a whole: options that every verb has, and where each verb is.

A verb is read from its file when it is asked for. To read all of them takes a second of processor time, which a listing
would otherwise spend before it begins.
"""

import gc
import pkgutil
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Annotated

import typer
from typer.core import TyperGroup

from node import __version__, cli
from node.cli.output import console

_FILE_OF = {
    verb: file
    for file, verbs in {
        "backfill_verbs": ("backfill",),
        "check_verbs": ("check",),
        "conformance_verbs": ("conformance",),
        "control_verbs": ("hold", "holds", "recall", "rejections", "release"),
        "labels_verbs": ("labels",),
        "learning_verbs": ("forget", "learning", "retrain"),
        "bundle_making_verbs": ("evaluate", "synthesise", "train"),
        "models_verbs": ("models",),
        "monitoring_verbs": ("export", "monitor"),
        "listing_verbs": ("deliveries", "instances", "migrate", "queue", "retry", "studies"),
        "patients_verbs": ("patients",),
        "quarantine_verbs": ("quarantine",),
        "safekeeping_verbs": ("backup", "restore", "retain"),
        "send_verbs": ("send",),
        "serve_verbs": ("demo", "serve"),
    }.items()
    for verb in verbs
}
"""A verb that is missing here is found all the same, and is slow to start: for it all files are read."""


class Verbs(TyperGroup):
    """Reads the file of the verb that is asked for; for the help, and for a verb that it does not know, all of them."""

    def get_command(self, context: typer.Context, name: str) -> typer.core.TyperCommand | None:  # type: ignore[override]
        """Return a verb, or None where there is none of this name."""
        if name not in self.commands:
            self._read([_FILE_OF[name]] if name in _FILE_OF else _files())
        return super().get_command(context, name)  # type: ignore[return-value]

    def list_commands(self, context: typer.Context) -> list[str]:  # type: ignore[override]
        """Return the names of all verbs."""
        self._read(_files())
        return super().list_commands(context)

    def _read(self, files: list[str]) -> None:
        with _uncollected():
            for file in files:
                import_module(f"{cli.__name__}.{file}")
        self.commands.update(typer.main.get_group(application).commands)


@contextmanager
def _uncollected() -> Iterator[None]:
    """Keep the collector from what is read, now and later: all of it stays, and to look through it takes its time.

    A third of what a start and its end cost was spent there.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def _files() -> list[str]:
    return sorted(module.name for module in pkgutil.iter_modules(cli.__path__) if module.name.endswith("_verbs"))


application = typer.Typer(
    cls=Verbs,
    name="pacs-node",
    help="A DICOM node that reads images beside the radiologist. Results are research results, not for diagnosis.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def _version(wanted: bool) -> None:
    if wanted:
        console.print(f"pacs-node {__version__}")
        raise typer.Exit


@application.callback()
def main(
    context: typer.Context,
    config_file: Annotated[
        Path | None,
        typer.Option("--config", help="Configuration file; else PACS_NODE_CONFIG, else ./config.toml."),
    ] = None,
    version: Annotated[  # noqa: ARG001 - handled by its callback
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Hold what every verb needs: where the configuration is."""
    context.obj = config_file
