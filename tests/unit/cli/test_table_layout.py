"""A listing on a screen: every cell whole, however narrow it is."""

from node.cli import table_layout

UID = "1.2.826.0.1.3680043.8.498.73626277730630661776332312633134469166"
AT = "2026-11-22T00:31:53.984596+00:00"


def _row(**cells: str) -> dict[str, str]:
    return {"study_instance_uid": UID, "state": "reported", "at": AT, "error": "", **cells}


def _lines(rows: table_layout.Rows, width: int | None) -> list[str]:
    laid_out = table_layout.lines(rows, width)
    return [*laid_out.heading, *laid_out.body]


def test_a_pipe_gets_one_line_a_row_with_all_that_is_in_it() -> None:
    """Whatever the length, and times as they are kept."""
    heading, first, second = _lines([_row(error="a" * 500), _row()], None)
    assert heading.split() == ["study_instance_uid", "state", "at", "error"]
    assert first.split() == [UID, "reported", AT, "a" * 500]
    assert second.split() == [UID, "reported", AT]


def test_a_table_that_fits_is_left_as_it_is() -> None:
    """Also what is empty in it; times are told to the second."""
    assert _lines([_row()], 120) == [
        f"{'study_instance_uid':64}  state     at                    error",
        f"{UID}  reported  2026-11-22T00:31:53Z",
    ]


def test_what_is_too_wide_stands_below_its_row_and_what_is_shared_stands_once() -> None:
    """A UID alone on its line; a sentence folded between its words."""
    error = f"the peer refused {UID} because of something that takes it more than one line to say"
    rows = [_row(error=error), _row(study_instance_uid="1.2.3", at="2026-01-02T00:00:00+00:00")]
    lines = _lines(rows, 80)
    assert lines == [
        "at",
        "    study_instance_uid",
        "2026-11-22T00:31:53Z",
        f"    {UID}",
        "    error: the peer refused",
        f"    {UID} because of",
        "    something that takes it more than one line to say",
        "2026-01-02T00:00:00Z",
        "    1.2.3",
        "the same in all 2: state reported",
    ]


def test_only_what_is_empty_is_left_out_of_a_single_row() -> None:
    """There is nothing for it to share; and short cells stand beside each other below it."""
    row = _row(reads="CR, DX", peers="b" * 10, rule="c" * 11)
    assert _lines([row], 30) == [
        "state     reads   peers",
        "    study_instance_uid",
        f"reported  CR, DX  {'b' * 10}",
        f"    {UID}",
        "    at: 2026-11-22T00:31:53Z",
        f"    rule: {'c' * 11}",
    ]
    assert _lines([row], 64)[-1] == f"    {UID}"


def test_what_a_row_is_about_stays_beside_unless_it_is_a_uid() -> None:
    """Else the rest says nothing of what it is about."""
    assert _lines([{"name": "n" * 30, "reason": "r" * 20}], 40) == ["name", "n" * 30, f"    reason: {'r' * 20}"]


def test_a_cell_of_wide_letters_takes_two_cells_a_letter() -> None:
    """Chinese lines up."""
    rows = [{"name": "肺炎", "n": "1"}, {"name": "ab", "n": "2"}]
    assert _lines(rows, 80) == ["name  n", "肺炎  1", "ab    2"]
