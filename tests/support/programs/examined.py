"""Many reports before all validators at once: what each of them says of each report."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from highdicom.sr import srread

from tests.support.objects.outcomes import CHARACTER_SETS, FORMS, OUTCOMES, Specimen
from tests.support.programs.validators import dcentvfy, dciodvfy, dsr2html, dsrdump, pixelmed

Complaints = dict[tuple[str, str], list[str]]
"""By validator and name of the report; absent where the validator was not asked."""

QUICK: dict[str, Callable[[Specimen], list[str]]] = {
    "dciodvfy": lambda one: dciodvfy(one.path, one.form.iod),
    "dcentvfy": lambda one: dcentvfy(one.sources, one.path),
    "dsrdump": lambda one: dsrdump(one.path),
    "dsr2html": lambda one: dsr2html(one.path, one.path.with_suffix(".html")),
    "highdicom": lambda one: highdicom(one.path),
}
"""The validators that take a moment for a report."""

VALIDATORS = (*QUICK, "pixelmed")


def examine(specimens: Sequence[Specimen], slowly: Sequence[Specimen]) -> Complaints:
    """Show reports to every quick validator, and some of them to PixelMed's, which takes a second for each."""
    with ThreadPoolExecutor(max_workers=1) as beside:
        slow = beside.submit(pixelmed, [one.path for one in slowly])
        found = {(name, one.name): ask(one) for one in specimens for name, ask in QUICK.items()}
        by_path = {one.path: one.name for one in specimens}
        return found | {("pixelmed", by_path[path]): said for path, said in slow.result().items()}


def for_pixelmed(one: Specimen) -> bool:
    """Choose so that each outcome comes in each form and in each character set, and each form in each character set.

    The templates that this validator checks say nothing of character sets.
    """
    turn = list(OUTCOMES).index(one.outcome) + CHARACTER_SETS.index(one.character_set)
    return FORMS[turn % len(FORMS)] == one.form


def highdicom(path: Path) -> list[str]:
    """Return why highdicom reads no measurement report with groups in a file, where it does not."""
    try:
        groups = srread(path).content.get_image_measurement_groups()
    except (AttributeError, TypeError, ValueError) as error:
        return [str(error)]
    return [] if groups else ["no measurement group"]
