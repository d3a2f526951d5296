"""What the demo says of its results: what came, and what the model got wrong."""

from pathlib import Path

from node.demo.run import Result, _cells, _row, model_errors
from node.demo.samples import Sample


def _result(title: str, outcome: str, truth: str | None) -> Result:
    sample = Sample(title, "1.2.3", b"", ("positive", "negative"), truth)
    finding = "flagged" if outcome == "positive" else "not flagged"
    return Result(sample, outcome, finding, "0.19", "", "", was_read=True, reports=(Path("1.2.dcm"),))


def test_a_painted_sample_that_the_model_gets_wrong_is_named() -> None:
    """And the page that says how often it errs; a report that came is no more than that."""
    missed = _result("chest 1", "negative", "positive")
    said = model_errors([missed, _result("chest 2", "positive", "positive"), _result("other", "not_assessed", None)])
    assert "1 of the 2 painted chests: chest 1 (not flagged)" in said
    assert "docs/model-card.md" in said
    assert _row(missed)["report came"] == "yes"


def test_nothing_is_said_of_errors_where_there_is_none() -> None:
    """Also of a sample that no report came of: that is the node's fault, and its row says so."""
    assert model_errors([_result("chest 1", "negative", "negative"), _result("chest 2", "no report", "positive")]) == ""


def test_a_score_is_told_as_in_the_report() -> None:
    """A number from 0 to 1, of as many digits as keep it on its side of the threshold; no percentage."""
    finding = {"name": "pneumonia", "probability": 0.994, "threshold": 0.258}
    admission = {"score": 1.2, "limit": 1.81, "admitted": True}
    reading = {"admission": admission, "findings": [finding], "anomaly": {"z_score": 4.05}}
    assert _cells(reading)["score"] == "0.99"
    finding["probability"] = 0.2584
    assert _cells(reading)["score"] == "0.2584"
