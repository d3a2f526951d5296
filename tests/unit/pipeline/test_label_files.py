"""A file of labels that cannot be read at all: what is wrong with it, and the way out."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from node.domain.errors import OperatorError
from node.pipeline.labels.rows import rows_of
from tests.support.houses.labelling import POLICY

NOW = datetime(2026, 1, 2, tzinfo=UTC)


def test_a_file_that_is_not_there_is_told_apart_from_one_in_another_encoding(tmp_path: Path) -> None:
    """The first is named with what the system says of it."""
    with pytest.raises(OperatorError, match=r"labels\.csv cannot be read: No such file or directory$"):
        rows_of(tmp_path / "labels.csv", POLICY, NOW)


def test_a_file_as_excel_saves_it_says_how_to_save_it_instead(tmp_path: Path) -> None:
    """With the first line that has such a letter."""
    file = tmp_path / "labels.csv"
    file.write_bytes("class,reader,time,study_instance_uid\npneumonia,Müller,2026-01-02,1.2.3\n".encode("latin-1"))
    with pytest.raises(OperatorError, match=r"labels\.csv is not UTF-8 \(line 2\): save it as CSV UTF-8$"):
        rows_of(file, POLICY, NOW)
