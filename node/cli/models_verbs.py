"""`models` and what stands under it: versions, modes and measures; bundles verified, signed and imported."""

from pathlib import Path
from typing import Annotated

import typer

from node.cli.caller import who
from node.cli.main import application
from node.cli.output import Json, check_lines, console, listing, settings_of
from node.pipeline.learning import promotion
from node.pipeline.learning.version_listing import VERSIONS_COLUMNS
from node.pipeline.learning.version_listing import versions as listed_versions
from node.pipeline.monitoring import validate as site
from node.pipeline.registry import bundles, modes
from node.runtime.clock import utc_now

models_application = typer.Typer(help="Versions, modes and measures of the models.", invoke_without_command=True)
application.add_typer(models_application, name="models")


@models_application.callback()
def models(context: typer.Context, as_json: Json = False) -> None:
    """List the models with version, mode and measures."""
    if context.invoked_subcommand is None:
        listing(modes.models(settings_of(context)), as_json, modes.MODELS_COLUMNS)


@models_application.command("mode")
def models_mode(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="Name of the model.")],
    mode: Annotated[str, typer.Argument(help="shadow, active or off.")],
) -> None:
    """Change what a model's results are used for; the running node follows without a restart."""
    console.print(modes.set_mode(settings_of(context), name, mode, utc_now()), markup=False)


@models_application.command("configure")
def models_configure(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="Name of the model in the configuration.")],
) -> None:
    """Let the registry take over bundle and rule of config.toml; the running node follows without a restart."""
    console.print(modes.configure(settings_of(context), name, utc_now()), markup=False)


@models_application.command("validate")
def models_validate(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="Name of the model.")],
    out: Annotated[Path, typer.Option("--out", help="The page's file.")] = Path("validation.html"),
    approve: Annotated[str | None, typer.Option("--approve", metavar="NAME", help="Record who approves it.")] = None,
    although_few: Annotated[
        str, typer.Option("--although-few", metavar="REASON", help="Approve with few labelled studies; it is recorded.")
    ] = "",
) -> None:
    """Write the page that a site signs: what the model would have done here, by the studies read and their labels."""
    said = site.validate(settings_of(context), name, out, approve, utc_now(), although_few)
    console.print(said, markup=False)


@models_application.command("agreement")
def models_agreement(context: typer.Context, as_json: Json = False) -> None:
    """List how often each two models say the same of the same images, and where they do not."""
    listing(modes.agreements(settings_of(context)), as_json, modes.AGREEMENT_COLUMNS)


@models_application.command("verify")
def models_verify(
    bundle: Annotated[Path, typer.Argument(help="Folder of a bundle, or the name of a shipped one.")],
    key: Annotated[Path | None, typer.Option("--key", help="Public key (PEM) of who must have signed it.")] = None,
    as_json: Json = False,
) -> None:
    """Compare a bundle with its manifest, file by file, and let it answer; exit 1 where something is wrong."""
    check_lines(bundles.verify(bundle, key), as_json)


@models_application.command("sign")
def models_sign(
    bundle: Annotated[Path, typer.Argument(help="Folder of a bundle.")],
    key: Annotated[Path, typer.Option("--key", help="Private Ed25519 key (PEM), without a passphrase.")],
) -> None:
    """Sign a bundle's manifest, and with it every file that it lists."""
    console.print(bundles.sign(bundle, key), markup=False)


@models_application.command("import")
def models_import(
    file: Annotated[Path, typer.Argument(help="A model that was trained elsewhere: .tflite or .onnx.")],
    describe: Annotated[Path, typer.Option("--describe", help="TOML file that says what the model is.")],
    sample: Annotated[Path, typer.Option("--sample", help="Images that it reads: a folder, or one file.")],
    out: Annotated[Path, typer.Option("--out", help="Folder of the new bundle.")],
    as_json: Json = False,
) -> None:
    """Try a model on a sample against its description, and make a bundle of it."""
    check_lines(bundles.import_model(file, describe, sample, out, utc_now()), as_json)
    if not as_json:
        console.print(f"bundle written to {out}", markup=False)


IntoShadow = Annotated[
    bool,
    typer.Option("--into-shadow", help="Even where an active model goes into shadow by it, for want of a validation."),
]


@models_application.command("versions")
def models_versions(
    context: typer.Context,
    name: Annotated[str | None, typer.Argument(help="Only this model's.")] = None,
    as_json: Json = False,
) -> None:
    """List every version with its state, its verdict and what became of it, the newest first."""
    listing(listed_versions(settings_of(context), name), as_json, VERSIONS_COLUMNS)


@models_application.command("promote")
def models_promote(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="Name of the model.")],
    version: Annotated[str, typer.Argument(help="Version that the gate passed, as `models versions` lists it.")],
    by: Annotated[str, typer.Option("--by", help="Who approves it.")],
    into_shadow: IntoShadow = False,
    although_forgotten: Annotated[
        bool, typer.Option("--although-forgotten", help="Even where it learned from a patient who was forgotten.")
    ] = False,
) -> None:
    """Let a challenger that the gate passed serve; the running node follows without a restart."""
    settings, now = settings_of(context), utc_now()
    said = promotion.promote(
        settings, name, version, by, now, into_shadow=into_shadow, although_forgotten=although_forgotten
    )
    console.print(said, markup=False)


@models_application.command("rollback")
def models_rollback(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="Name of the model.")],
    by: Annotated[str | None, typer.Option("--by", help="Who says so; else the user of the machine.")] = None,
    into_shadow: IntoShadow = False,
) -> None:
    """Let the version serve again that served before; the running node follows without a restart."""
    said = promotion.rollback(settings_of(context), name, by or who(), utc_now(), into_shadow=into_shadow)
    console.print(said, markup=False)
