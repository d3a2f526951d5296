"""One report of each outcome, as text and as a radiologist sees it in OHIF, and what the validators say of it.

    python bench/report_examples.py [--out docs/reports]

A node runs between a modality and Orthanc, on images that the shipped generator paints: they are of nobody. Needs what
tests/peers/install.sh installs. Everything in the folder is written anew.
"""

import argparse
import tempfile
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from PIL import Image
from pydicom import dcmread

from node.dicom.documents.as_text import report_text
from node.dicom.instance.part10 import read_part10
from tests.support.nodes.process import CHECKOUT
from tests.support.objects.reports import Report
from tests.support.programs.examined import highdicom
from tests.support.programs.ohif import Seen
from tests.support.programs.processes import program, run_program
from tests.support.programs.reading_room import SCENES, ReadingRoom, reading_room
from tests.support.programs.validators import HARMLESS, dcentvfy, dciodvfy, dsr2html, dsrdump, pixelmed

VALIDATORS = ("dciodvfy", "dcentvfy", "PixelMed", "dsrdump", "dsr2html", "highdicom")
CHINESE = ("finding present", "not assessed")
"""The outcomes that are also shown in Chinese."""

_WIDTH = 1000  #: pixels of a picture that is kept
_QUALITY = 80

_BEFORE = """# One report of each outcome

Written by `python bench/report_examples.py` on {made}: a running node between a modality and Orthanc {orthanc}, whose
reports were opened in OHIF {ohif} in Chromium. Every image was painted by the generator that ships with the node, so
that none is of a person; the reports say so. `make test-peers` looks at the same outcomes in every run, and beside them
at every form (Comprehensive 3D, Comprehensive and Enhanced SR), language and character set (ASCII, ISO_IR 100,
ISO_IR 192, GB18030): `tests/peers/test_matrix.py` and `test_viewer.py`.

## What was seen

"-" is no error and no warning but those below; OHIF's column says how many labels and outlines it drew over the image
on which the report begins, one of each for a group, and how many errors page and console had.

| outcome | {validators} | OHIF | text | picture |
|---|{dashes}---|---|---|
{rows}

Not run, only read: Weasis, Horos and OsiriX; [profiles](../profiles.md) says what is known of them.

## What OHIF does with a report

- It draws the Comments and the numbers of a group: five lines, and no more. The first five therefore hold what the
  report is, the verdict, and that images are synthetic; all lines stand in the report.
- It cannot open a report with a group without a region: the profile `ohif` gives a rectangle round the whole image
  where nothing was located.
- It opens a report on the image of its first group. The node puts an image that decided there. Of studies of several
  images it now and then puts up the image and draws nothing until another series was opened; its arrows to the next
  measurement do not change to another image ("No image URI found" in its console).
- Of several instances in the series of reports it shows the newest.

## Warnings that are let through

| program | says | why it is harmless |
|---|---|---|
{harmless}

## The pictures
{pictures}"""


def main() -> None:
    """Write the folder."""
    options = _options()
    with tempfile.TemporaryDirectory() as scratch:
        rows, pictures = _in_language(Path(scratch) / "en", options.out, "en", SCENES)
        chinese_rows, chinese_pictures = _in_language(Path(scratch) / "zh", options.out, "zh", CHINESE)
    text = _BEFORE.format(
        made=datetime.now(UTC).date().isoformat(),
        orthanc=run_program([program("Orthanc"), "--version"]).stdout.split()[1],
        ohif=_locked_version("@ohif/app"),
        validators=" | ".join(VALIDATORS),
        dashes="---|" * len(VALIDATORS),
        rows="\n".join(rows + chinese_rows),
        harmless="\n".join(f"| {one.program} | `{_plain(one.says)}` | {one.reason} |" for one in HARMLESS),
        pictures="\n".join(pictures + chinese_pictures),
    )
    (options.out / "README.md").write_text(text)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("docs/reports"), help="the folder, docs/reports")
    return parser.parse_args()


def _locked_version(package: str) -> str:
    lines = (CHECKOUT / "tests" / "peers" / "viewer" / "packages.lock").read_text().splitlines()
    return next(line.split()[1] for line in lines if line.startswith(f"{package} "))


def _plain(expression: str) -> str:
    """Return a regular expression as a person reads it in a table."""
    return expression.replace("|", " or ").replace("\\", "").rstrip("$")


def _in_language(scratch: Path, out: Path, language: str, outcomes: Sequence[str]) -> tuple[list[str], list[str]]:
    """Bring the outcomes, look at their reports, keep text and picture; return rows of the table and pictures."""
    out.mkdir(parents=True, exist_ok=True)
    with reading_room(scratch, language, outcomes) as room:
        seen = room.viewer.open_reports({one: room.scenes[one].study for one in outcomes}, scratch / "pictures")
        reports = {one: room.report(one) for one in outcomes}
        templates = pixelmed([report.path for report in reports.values()])
        said = {one: _said(reports[one], room, templates) for one in outcomes}
    names = {one: one.replace(" ", "-") + ("" if language == "en" else f"-{language}") for one in outcomes}
    titles = {one: one + ("" if language == "en" else ", in Chinese") for one in outcomes}
    for one in outcomes:
        _keep(out / names[one], reports[one], seen[one])
    rows = [_row(titles[one], names[one], said[one], seen[one]) for one in outcomes]
    heads = {one: titles[one][0].upper() + titles[one][1:] for one in outcomes}
    pictures = [f"\n### {heads[one]}\n\n![{titles[one]}]({names[one]}.jpg)\n" for one in outcomes]
    return rows, pictures


def _said(report: Report, room: ReadingRoom, templates: Mapping[Path, list[str]]) -> dict[str, list[str]]:
    """Return what each validator complains of."""
    sources = _sources(report, room)
    return {
        "dciodvfy": dciodvfy(report.path),
        "dcentvfy": dcentvfy(sources, report.path),
        "PixelMed": templates[report.path],
        "dsrdump": dsrdump(report.path),
        "dsr2html": dsr2html(report.path, report.path.with_suffix(".html")),
        "highdicom": highdicom(report.path),
    }


def _sources(report: Report, room: ReadingRoom) -> list[Path]:
    """Return the newest files of the images of a report's study."""
    newest: dict[str, Path] = {}
    for path in [*sorted((room.folder / "first").glob("*.dcm")), *sorted((room.folder / "then").glob("*.dcm"))]:
        image = dcmread(path, stop_before_pixels=True)
        if image.StudyInstanceUID == report.study:
            newest[str(image.SOPInstanceUID)] = path
    return list(newest.values())


def _keep(target: Path, report: Report, seen: Seen) -> None:
    file = read_part10(report.path)
    target.with_suffix(".txt").write_text(report_text(bytes(file.dataset), file.transfer_syntax_uid))
    with Image.open(seen.picture) as picture:
        height = round(picture.height * _WIDTH / picture.width)
        picture.convert("RGB").resize((_WIDTH, height)).save(
            target.with_suffix(".jpg"), quality=_QUALITY, optimize=True
        )


def _row(title: str, name: str, said: Mapping[str, list[str]], seen: Seen) -> str:
    labels = sum(one.startswith("text: ") for one in seen.drawn)
    drawn = f"labels {labels}, outlines {seen.drawn.count('polyline')}, errors {len(seen.errors)}"
    anchor = title.lower().replace(" ", "-").replace(",", "")
    verdicts = " | ".join("; ".join(said[validator]) or "-" for validator in VALIDATORS)
    return f"| {title} | {verdicts} | {drawn} | [text]({name}.txt) | [picture](#{anchor}) |"


if __name__ == "__main__":
    main()
