"""What the verbs show of their progress, on a terminal and elsewhere."""

import io

import pytest
from rich.console import Console
from rich.progress import Progress

from node.cli.output import cell, progress_bars, reporter, table


def test_progress_into_a_file_is_a_plain_line_every_half_minute() -> None:
    """A training of an hour says where it is; what is done, and what takes seconds, leaves no line."""
    written, moments = io.StringIO(), iter([0.0, 10.0, 31.0, 31.0, 40.0, 62.0, 62.0])
    report = reporter(Progress(console=Console(file=written), disable=True), lambda: next(moments))
    report("whole training", 0, 1000)
    report("classifier", 5, 20)
    report("classifier", 20, 20)
    report("whole training", 400, 1000)
    assert written.getvalue() == "whole training: 0 of 1000, classifier: 5 of 20\nwhole training: 400 of 1000\n"


def test_bars_are_drawn_on_a_terminal_only() -> None:
    """Here stderr is none."""
    assert progress_bars().disable
    written = io.StringIO()
    with Progress(console=Console(file=written, force_terminal=True)) as progress:
        reporter(progress)("classifier", 5, 20)
        assert [(task.description, task.completed) for task in progress.tasks] == [("classifier", 5)]
    assert "classifier" in written.getvalue()


def test_reasons_in_a_table_are_told_apart() -> None:
    """They hold commas themselves."""
    reasons = {"one": "modality CT is not in modalities CR, DX", "other": "it has no pixels"}
    assert cell(reasons) == "one: modality CT is not in modalities CR, DX; other: it has no pixels"


def test_a_table_not_on_a_terminal_says_what_its_cells_say(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """No word of it is taken for a colour or a picture, and none is folded, whatever the environment says."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    table([{"id": "1", "error": f"[peers] pacs:100: {'no answer ' * 50}from it\nat all"}])
    assert capsys.readouterr().out.splitlines()[-1] == f"1   [peers] pacs:100: {'no answer ' * 50}from it at all"
