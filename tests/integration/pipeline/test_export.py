"""What registries get: a row for each exam, without identities."""

import csv
import json
from pathlib import Path

import pytest

from node.domain.errors import OperatorError
from node.domain.split import pseudonym
from node.pipeline.monitoring import export
from node.store.learning import splits
from tests.support.house import House
from tests.support.monitored import AtSite


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
