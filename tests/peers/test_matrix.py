"""Reports of every outcome, in every form and over every character set, before programs that nobody here wrote.

No error at all is let through; the warnings that are stand in `tests.support.programs.validators.HARMLESS`, with
reasons.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from pydicom import Dataset, dcmread
from pydicom.uid import UID

from tests.support.objects.outcomes import CHARACTER_SETS, FORMS, OUTCOMES, Specimen, specimen, specimens
from tests.support.objects.rendered import groups_in, in_tree, meant, rendered
from tests.support.objects.reports import concept
from tests.support.objects.studies import NAMES
from tests.support.programs.examined import QUICK, VALIDATORS, Complaints, examine, for_pixelmed
from tests.support.programs.validators import HARMLESS, pixelmed

pytestmark = [pytest.mark.peers, pytest.mark.timeout(480)]


@dataclass(frozen=True, slots=True)
class Matrix:
    """All reports, and what was said of them."""

    specimens: list[Specimen]
    complaints: Complaints

    def of(self, outcome: str) -> list[Specimen]:
        """Return the reports of one outcome."""
        return [one for one in self.specimens if one.outcome == outcome]


@pytest.fixture(scope="module")
def matrix(tmp_path_factory: pytest.TempPathFactory) -> Matrix:
    """Compose every report once and show it to every validator."""
    made = list(specimens(tmp_path_factory.mktemp("matrix")))
    return Matrix(made, examine(made, [one for one in made if for_pixelmed(one)]))


@pytest.mark.parametrize("outcome", OUTCOMES)
@pytest.mark.parametrize("validator", VALIDATORS)
def test_no_validator_finds_anything_in_a_report(matrix: Matrix, validator: str, outcome: str) -> None:
    """Of this outcome, in any form and character set; PixelMed looks at each pair of these."""
    asked = [one.name for one in matrix.of(outcome) if (validator, one.name) in matrix.complaints]
    assert len(asked) >= len(CHARACTER_SETS if validator == "pixelmed" else CHARACTER_SETS * len(FORMS))
    assert {name: matrix.complaints[validator, name] for name in asked} == {name: [] for name in asked}


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_dcmtk_renders_each_item_as_it_was_meant(matrix: Matrix, outcome: str) -> None:
    """The same items in the same order as in the tree, and in each group the values that the model gave."""
    for one in matrix.of(outcome):
        items = rendered(one.path.with_suffix(".html").read_text(encoding="utf-8"))
        assert items == list(in_tree(one.dataset))
        groups = groups_in(items)
        expected = meant(one.study)
        assert len(groups) == len(expected)
        assert [
            missing for group, of in zip(groups, expected, strict=True) for missing in of if missing not in group
        ] == []


def test_dcmtk_renders_the_name_of_the_patient(matrix: Matrix) -> None:
    """In every character set."""
    for one in matrix.of("finding present"):
        family, given = NAMES[one.character_set].partition("=")[0].split("^")
        assert f"{given} {family}" in one.path.with_suffix(".html").read_text(encoding="utf-8")


def test_pixelmed_looks_at_every_pair_of_outcome_form_and_character_set(matrix: Matrix) -> None:
    """It takes a second for a report, so it is not shown every one."""
    seen = [one for one in matrix.specimens if for_pixelmed(one)]
    assert {(one.outcome, one.character_set) for one in seen} == {(o, c) for o in OUTCOMES for c in CHARACTER_SETS}
    assert {(one.outcome, one.form) for one in seen} == {(o, form) for o in OUTCOMES for form in FORMS}
    assert {(one.form, one.character_set) for one in seen} == {(f, c) for f in FORMS for c in CHARACTER_SETS}


def _no_completion_flag(report: Dataset) -> None:
    del report.CompletionFlag


def _another_patient(report: Dataset) -> None:
    report.PatientName = "Another^Person"


def _unknown_relationship(report: Dataset) -> None:
    report.ContentSequence[0].RelationshipType = "IS LIKE"


def _procedure_of_no_context_group(report: Dataset) -> None:
    procedure = next(item for item in report.ContentSequence if concept(item) == "121058")
    procedure.ConceptCodeSequence[0].CodeValue = "1"


def _no_groups(report: Dataset) -> None:
    report.ContentSequence[-1].ContentSequence = []


_BROKEN: dict[str, Callable[[Dataset], None]] = {
    "dciodvfy": _no_completion_flag,
    "dcentvfy": _another_patient,
    "dsrdump": _unknown_relationship,
    "dsr2html": _unknown_relationship,
    "highdicom": _no_groups,
    "pixelmed": _procedure_of_no_context_group,
}


@pytest.mark.parametrize("validator", VALIDATORS)
def test_every_validator_objects_to_a_report_that_is_broken(tmp_path: Path, validator: str) -> None:
    """So that its silence means something."""
    made = specimen("finding present", FORMS[0], "", OUTCOMES["finding present"](tmp_path, ""), tmp_path / "r.dcm")
    report = dcmread(made.path)
    _BROKEN[validator](report)
    report.save_as(made.path)
    said = pixelmed([made.path])[made.path] if validator == "pixelmed" else QUICK[validator](made)
    assert said != []


def test_every_allowed_warning_names_its_reason() -> None:
    """In a sentence, and of a validator that is run."""
    assert all(one.program in VALIDATORS and len(one.reason.split()) > 4 for one in HARMLESS)
    assert all(UID(form.sop_class_uid).name for form in FORMS)
