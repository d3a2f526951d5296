"""dicom3tools, PixelMed and DCMTK, asked what is wrong with DICOM files; no lines for a valid file.

Errors are never let through. The warnings that are stand in `HARMLESS`, each with its reason, and nowhere else.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pydicom import dcmread

from tests.support.programs.processes import program, run_program

PIXELMED = Path("/usr/share/java/pixelmed.jar")
_MANY_REPORTS = Path(__file__).resolve().parents[2] / "peers" / "validators" / "ValidateReports.java"
_XPATH_WITHOUT_LIMITS = [f"-Djdk.xml.xpath{limit}Limit=0" for limit in ("TotalOp", "ExprOp", "ExprGrp")]
_COMPLAINTS = ("Error", "Warning", "E: ", "W: ", "F: ")
_TEMPLATES_LOOKED_AT = ("IOD validation complete", "Root Template Validation Complete")


@dataclass(frozen=True, slots=True)
class Harmless:
    """A warning of one program that is let through."""

    program: str
    says: str  #: a part of the line, as a regular expression
    reason: str
    called_error: bool = False  #: by a program that is older than what it complains of

    def covers(self, name: str, line: str) -> bool:
        """Say whether a line of a program is this one; what calls itself an error is so only where that is known."""
        known = name == self.program and re.search(self.says, line) is not None
        return known and (self.called_error or not line.startswith("Error"))


def _beside_the_template(item: str, reason: str) -> Harmless:
    # the innermost item alone is meant: an item below it would be another complaint
    return Harmless("pixelmed", rf"/{re.escape(item)}: Content Item not in template$", reason)


_EXTENSIBLE = "TID 1500 and 1501 are extensible, and PixelMed names what they do not list: "
HARMLESS = (
    Harmless(
        "dciodvfy",
        r"Laterality\(0020,0060\)> - is only permitted to be empty when actually unknown",
        "it is: the source of the heat map says neither which part of the body it shows nor which side",
    ),
    Harmless(
        "dciodvfy",
        r"DeviceUID\(0018,1002\)> - Attribute is not present in standard",
        "dicom3tools 20220618 is older than the Device UID in Contributing Equipment, which IHE AI Results asks for",
    ),
    Harmless(
        "dciodvfy",
        r"</\(0008,001c\)> - ",
        "dicom3tools 20220618 is older than (0008,001C) Synthetic Data, which synthetic images and their reports carry",
        called_error=True,
    ),
    Harmless(
        "dciodvfy", "Unrecognized defined term = <99", "a private scheme is declared in the report; no table knows it"
    ),
    Harmless(
        "dciodvfy",
        "Missing attribute or value that would be needed to build DICOMDIR",
        "a patient or study that the source leaves unnamed is left unnamed; nothing is made up for a DICOMDIR",
    ),
    Harmless(
        "dcentvfy",
        "Element=<(AccessionNumber|IssuerOfAccessionNumberSequence)> IE <Series> versus <Study>",
        "dicom3tools' tables have the Accession Number of a DX image in the series, PS3.3 C.7.2.1 in the study",
    ),
    Harmless(
        "dsrdump",
        "The VR checker does not support this Specific Character Set: (GB18030|ISO_IR 192)",
        "DCMTK 3.6.7 checks lengths in ASCII and some single-byte character sets only",
    ),
    Harmless(
        "dsr2html",
        "The VR checker does not support this Specific Character Set: (GB18030|ISO_IR 192)",
        "DCMTK 3.6.7 checks lengths in ASCII and some single-byte character sets only",
    ),
    _beside_the_template('TEXT (121106,DCM,"Comment")', f"{_EXTENSIBLE}the lines for a person"),
    _beside_the_template('IMAGE (260753009,SCT,"Source")', f"{_EXTENSIBLE}the image that such a line names"),
    _beside_the_template('CODE (233604007,SCT,"Pneumonia")', f"{_EXTENSIBLE}the presence of the class"),
    _beside_the_template('CODE (111065,DCM,"Summary of Analyses")', f"{_EXTENSIBLE}how the analysis of an image went"),
    _beside_the_template('CODE (121077,DCM,"Conclusion")', f"{_EXTENSIBLE}why an image was not assessed"),
)
"""All warnings that are let through."""


def dciodvfy(path: Path, iod: str = "Comprehensive3DSR") -> list[str]:
    """Return what dicom3tools finds against an object's definition (DICOM PS3.3).

    `iod` is dciodvfy's own name of the definition that the object must have been checked against.
    """
    return complaints("dciodvfy", _output("dciodvfy", "-new", str(path)), proof=iod)


def dcentvfy(images: Sequence[Path], report: Path) -> list[str]:
    """Return where dicom3tools finds that a report and its images are not of one patient and one study.

    It compares bytes, not characters: where the report is in UTF-8, it is given copies of the images in UTF-8.
    """
    if dcmread(report, specific_tags=["SpecificCharacterSet"]).get("SpecificCharacterSet") == "ISO_IR 192":
        images = [_in_utf_8(image) for image in images]
    return complaints("dcentvfy", _output("dcentvfy", *map(str, images), str(report)))


def _in_utf_8(image: Path) -> Path:
    copy = image.with_suffix(".utf-8.dcm")
    if not copy.exists():
        _output("dcmconv", "+U8", str(image), str(copy))
    return copy if copy.exists() else image


def dsrdump(path: Path, title: str = "Imaging Measurement Report") -> list[str]:
    """Return what DCMTK finds while it reads a report; the title must stand in what it prints."""
    return complaints("dsrdump", _output("dsrdump", "+U8", str(path)), proof=title)


def dsr2html(path: Path, page: Path) -> list[str]:
    """Return what DCMTK finds while it renders a report as a page."""
    return complaints("dsr2html", _output("dsr2html", "+U8", str(path), str(page)))


def pixelmed(paths: Sequence[Path]) -> dict[Path, list[str]]:
    """Return what PixelMed's validator finds against the templates of reports (DICOM PS3.16), in one virtual machine.

    It takes a second for a report.
    """
    machine = ["java", "-XX:+UseSerialGC", *_XPATH_WITHOUT_LIMITS, "-cp", str(PIXELMED), str(_MANY_REPORTS)]
    said = run_program([program(machine[0]), *machine[1:], *map(str, paths)], timeout_s=420).stdout
    parts = dict(part.partition("\n")[::2] for part in said.split("== ")[1:])
    return {path: complaints("pixelmed", parts.get(str(path), said), *_TEMPLATES_LOOKED_AT) for path in paths}


def complaints(name: str, output: str, *proofs: str, proof: str = "") -> list[str]:
    """Return what a program complained of that is not harmless.

    A program that never printed a line with each proof has found nothing because it looked at nothing: its whole
    output counts as the complaint.
    """
    said = [line for line in output.splitlines() if line.startswith(_COMPLAINTS)]
    found = [line for line in said if not any(one.covers(name, line) for one in HARMLESS)]
    missing = [one for one in (*proofs, proof) if one not in output]
    return found or ([f"not validated, no {missing} in: {output}"] if missing else [])


def _output(name: str, *arguments: str) -> str:
    return run_program([program(name), *arguments]).stdout
