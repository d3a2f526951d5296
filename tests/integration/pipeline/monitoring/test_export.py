"""What registries get: a row for each exam, without identities."""

import csv
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from node.domain.errors import OperatorError
from node.domain.split import pseudonym
from node.pipeline.monitoring import coded, export
from node.store.arriving import merges
from node.store.arriving.merges import PatientName
from node.store.learning import splits
from tests.support.houses.house import House
from tests.support.houses.monitored import AtSite


def test_a_registry_gets_a_row_for_each_exam_and_no_identity(house: House, tmp_path: Path) -> None:
    """Patients, exams and senders by keyed hashes, dates by month, the label beside the flag."""
    here = AtSite(house)
    (flagged,) = here.add(1, score=0.9)
    here.add(1, admitted=False, age="095Y")
    here.label([flagged], present=False)
    rows = export.exams(here.settings, "starter", "", None, here.now)
    export.write(rows, tmp_path / "exams.csv")
    (refused, said) = list(csv.DictReader((tmp_path / "exams.csv").open(encoding="utf-8")))
    assert (said["outcome"], said["flagged"], said["label"], said["agrees"]) == ("positive", "True", "False", "False")
    assert (refused["outcome"], refused["class"], refused["age_years"]) == ("not_assessed", "", "90")
    assert (said["month"], said["minutes_to_result"]) == ("2026-05", "2.0")
    salt = here.house.database.read(splits.salt_of)
    assert salt is not None
    assert said["patient"] == pseudonym(salt, "exported patient", "", "P1")[:16]
    export.write(rows, tmp_path / "exams.json")
    for text in ((tmp_path / "exams.csv").read_text(), (tmp_path / "exams.json").read_text()):
        assert not [word for word in ("Doe", "P1,", '"P1"', "1.2.1", "MODALITY", "2026-05-01") if word in text]
    assert json.loads((tmp_path / "exams.json").read_text())[0]["model"] == "starter"
    with pytest.raises(OperatorError, match=r"neither \.csv nor \.json"):
        export.write(rows, tmp_path / "exams.txt")


def test_merged_patients_are_one_and_headers_leave_as_known_words(house: House) -> None:
    """What a header says beside the known words may be a name."""
    here = AtSite(house)
    here.add(1)
    here.add(1, view="Miller, Ann")
    here.house.database.write(lambda tx: merges.add(tx, PatientName("P1"), PatientName("P2"), "ada", here.now))
    odd, usual = export.exams(here.settings, "starter", "", None, here.now)
    assert odd["patient"] == usual["patient"]
    assert (usual["view"], odd["view"]) == ("PA", "other")
    assert (usual["modality"], usual["body_part"], usual["sex"], usual["manufacturer"]) == (
        "DX",
        "unknown",
        "F",
        "unknown",
    )


@pytest.mark.parametrize(
    ("read", "text", "word"),
    [
        (coded.body_part, "t-spine", "TSPINE"),
        (coded.body_part, "SMITH", "other"),
        (coded.modality, "cr", "CR"),
        (coded.sex, "W", "other"),
        (coded.maker, "GE Healthcare", "GE"),
        (coded.maker, "FUJIFILM Corporation", "FUJI"),
        (coded.maker, "Gerhard's cupboard", "other"),
        (coded.maker, " ", "unknown"),
    ],
)
def test_words_are_those_of_a_list(read: Callable[[str], str], text: str, word: str) -> None:
    """Whatever the case and the dashes."""
    assert read(text) == word


def test_no_cell_is_a_formula(tmp_path: Path) -> None:
    """A spreadsheet runs what begins with an equals sign; numbers stay numbers."""
    row = dict.fromkeys(export.COLUMNS, "") | {"version": "=HYPERLINK(1)", "class": "-x", "score": -0.5, "sex": "F"}
    export.write([row], tmp_path / "exams.csv")
    (said,) = csv.DictReader((tmp_path / "exams.csv").open(encoding="utf-8"))
    assert (said["version"], said["class"], said["score"], said["sex"]) == ("'=HYPERLINK(1)", "'-x", "-0.5", "F")
