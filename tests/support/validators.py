"""dicom3tools and PixelMed, asked what is wrong with a DICOM file; one line for each error, none for a valid file."""

from pathlib import Path

from tests.support.programs import program, run_program

PIXELMED = Path("/usr/share/java/pixelmed.jar")
_XPATH_WITHOUT_LIMITS = [f"-Djdk.xml.xpath{limit}Limit=0" for limit in ("TotalOp", "ExprOp", "ExprGrp")]
_FOR_SECONDS = ["-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]  # half the time for a virtual machine that ends so soon


def dciodvfy_errors(path: Path, iod: str = "Comprehensive3DSR") -> list[str]:
    """Return the errors that dicom3tools' dciodvfy finds against the object's definition (DICOM PS3.3).

    `iod` is dciodvfy's own name of the definition that the object must have been checked against.
    """
    return _errors([program("dciodvfy"), "-new", str(path)], proof=iod)


def pixelmed_errors(path: Path) -> list[str]:
    """Return the errors that PixelMed's validator finds against the templates of a report (DICOM PS3.16)."""
    machine = [program("java"), *_FOR_SECONDS, *_XPATH_WITHOUT_LIMITS, "-cp", str(PIXELMED)]
    validator = [*machine, "com.pixelmed.validate.DicomSRValidator", str(path)]
    return _errors(validator, proof="Root Template Validation Complete")


def _errors(command: list[str], proof: str) -> list[str]:
    """Return the lines that begin with the word Error; the exit status of either program says something else.

    A validator that never printed the line `proof` has found nothing because it looked at nothing: its whole
    output counts as the error.
    """
    output = run_program(command).stdout
    said = output.splitlines()
    errors = [line for line in said if line.startswith("Error")]
    return errors or ([] if proof in said else [f"not validated: {output}"])
