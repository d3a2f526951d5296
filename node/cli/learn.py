"""The verbs of the learned part: bundles made and measured, and images painted."""

from pathlib import Path
from typing import Annotated

import typer

from node.cli.main import application
from node.cli.output import Json, cell, console, print_json, progress_bars, reporter
from node.pipeline import learn
from node.pipeline import synthesise as synthetic
from node.pipeline import train as training


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
def evaluate(
    bundle: Annotated[Path, typer.Argument(help="Folder of a bundle.")],
    data: Annotated[Path, typer.Option("--data", help="Folder of the data set.")],
    split: Annotated[str, typer.Option("--split", help="Which split: test, val or train.")] = "test",
    as_json: Json = False,
) -> None:
    """Print a bundle's measures on a data set."""
    with progress_bars() as progress:
        measures = learn.evaluate(bundle, data, split, reporter(progress))
    if as_json:
        print_json([measures])
    else:
        for name, value in measures.items():
            console.print(f"{name:32} {cell(value)}", markup=False)


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
