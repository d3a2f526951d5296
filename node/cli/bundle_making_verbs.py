"""The verbs of the learned part: bundles made and measured, and images painted."""

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from node.cli.main import application
from node.cli.output import Json, cell, console, print_json, progress_bars, reporter
from node.pipeline.registry import evaluate as evaluation
from node.pipeline.registry import synthesise as synthetic
from node.pipeline.registry import train as training


@application.command()
def train(
    data: Annotated[
        Path, typer.Option("--data", help="Folder of zips with manifest.csv, npz, or DICOM folder with labels.csv.")
    ],
    out: Annotated[Path, typer.Option("--out", help="Folder of the new bundle.")],
    recipe: Annotated[str, typer.Option("--recipe", help="Name of a shipped recipe, or a TOML file.")] = "starter",
    seed: Annotated[int, typer.Option("--seed", help="The same seed and data give the same bundle.")] = 1,
    replace: Annotated[bool, typer.Option("--replace", help="Replace the bundle that is there.")] = False,
) -> None:
    """Train a bundle from a recipe and a data set, with a progress bar; one that was cut off goes on."""
    with progress_bars() as progress:
        path = training.train(recipe, data, out, seed, reporter(progress), replace=replace, say=progress.console.print)
    console.print(f"bundle written to {path}", markup=False)


@application.command()
def evaluate(  # noqa: PLR0913, PLR0917 what an evaluation can leave
    bundle: Annotated[Path, typer.Argument(help="Folder of a bundle.")],
    data: Annotated[
        Path, typer.Option("--data", help="Folder of zips with manifest.csv, npz, or DICOM folder with labels.csv.")
    ],
    split: Annotated[str, typer.Option("--split", help="Which split: test, val or train.")] = "test",
    as_json: Json = False,
    html: Annotated[Path | None, typer.Option("--html", help="Write one page with figures to this file.")] = None,
    out: Annotated[Path | None, typer.Option("--out", help="Write measures, page and figures to this folder.")] = None,
    card: Annotated[Path | None, typer.Option("--card", help="Write the model card to this file.")] = None,
    beside: Annotated[
        list[Path] | None, typer.Option("--beside", help="measures.json of another bundle, a row on the card.")
    ] = None,
    log: Annotated[
        Path | None, typer.Option("--log", help="Log of evaluations; else docs/evaluations.csv or beside the bundle.")
    ] = None,
    note: Annotated[str, typer.Option("--note", help="Why the test split is looked at; for the log.")] = "",
) -> None:
    """Measure a bundle on a data set: print it, draw it, and leave a line in the log of evaluations."""
    wanted = evaluation.Wanted(html, out, card, tuple(beside or ()), log, note)
    with progress_bars() as progress:
        measures = evaluation.evaluate(
            bundle, data, split, reporter(progress), wanted, say=partial(progress.console.print, markup=False)
        )
    if as_json:
        print_json([measures])
    else:
        intervals = measures["intervals"]
        for name, value in measures.items():
            if not isinstance(value, dict | list):
                console.print(f"{name:32} {cell(value):12} {cell(intervals.get(name))}".rstrip(), markup=False)
        console.print("more, by subgroup, of maps and of admission: --json, --html FILE, --out DIR")


@application.command()
def synthesise(
    label: Annotated[str, typer.Option("--label", help="What the images are to look like, such as pneumonia.")],
    out: Annotated[Path, typer.Option("--out", help="Folder for the files; a new or an empty one.")],
    count: Annotated[int, typer.Option("--count", help="How many studies.")] = 1,
    seed: Annotated[int, typer.Option("--seed", help="The same seed gives the same studies.")] = 1,
    generator: Annotated[
        Path | None, typer.Option("--generator", help="Folder of a generator; else the one that ships.")
    ] = None,
) -> None:
    """Write DICOM studies of nobody, painted by a generator and marked as synthetic."""
    with progress_bars() as progress:
        files = synthetic.synthesise(label, count, out, seed, reporter(progress), generator)
    console.print(f"{len(files)} studies written to {out}", markup=False)
