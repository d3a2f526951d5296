"""`patients` and what stands under it: who counts as whom, by an operator's word."""

from typing import Annotated

import typer

from node.cli.caller import who
from node.cli.main import application
from node.cli.output import Json, console, listing, settings_of
from node.pipeline.stopping import patients as merging
from node.runtime.clock import utc_now
from node.store.arriving.merges import PatientName

patients_application = typer.Typer(
    help="Patients who are one patient, where no DICOM object says so.", invoke_without_command=True
)
application.add_typer(patients_application, name="patients")

Issuer = Annotated[str, typer.Option("--issuer", help="Issuer of Patient ID, where headers name one.")]


@patients_application.callback()
def patients(context: typer.Context, as_json: Json = False) -> None:
    """List who counts as whom."""
    if context.invoked_subcommand is None:
        listing(merging.listed(settings_of(context)), as_json, merging.COLUMNS)


@patients_application.command("merge")
def patients_merge(
    context: typer.Context,
    patient_id: Annotated[str, typer.Argument(help="The Patient ID that is to count as another.")],
    into: Annotated[str, typer.Argument(help="The Patient ID that stays.")],
    issuer: Issuer = "",
    into_issuer: Annotated[
        str | None, typer.Option("--into-issuer", help="Issuer of the one that stays; else the same.")
    ] = None,
    unseen: Annotated[bool, typer.Option("--unseen", help="Nothing of the one that stays is stored yet.")] = False,
) -> None:
    """Let studies of one patient count as another's; reports on them are made and sent anew."""
    patient, stays = PatientName(patient_id, issuer), PatientName(into, issuer if into_issuer is None else into_issuer)
    said = merging.merge(settings_of(context), patient, stays, who(), utc_now(), unseen=unseen)
    console.print(said, markup=False)


@patients_application.command("split")
def patients_split(
    context: typer.Context,
    patient_id: Annotated[str, typer.Argument(help="The Patient ID that was merged.")],
    issuer: Issuer = "",
) -> None:
    """Let a patient who was merged count as itself again."""
    said = merging.split(settings_of(context), PatientName(patient_id, issuer), who(), utc_now())
    console.print(said, markup=False)
