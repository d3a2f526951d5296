"""The page of an evaluation: alone, safe, repeatable, and complete."""

import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from models.evaluation.measures import Evaluation
from models.evaluation.page import drawings, page
from tests.support.models.evaluations import made_up, made_up_digits


@pytest.fixture
def evaluation() -> Evaluation:
    """Return what came out for 80 made-up answers about one class."""
    return made_up()


@pytest.fixture
def digits() -> Evaluation:
    """Return what came out for 200 made-up answers about ten classes."""
    return made_up_digits()


class Resources(HTMLParser):
    """Collects what a browser would fetch, and the tags that do not close."""

    def __init__(self) -> None:
        super().__init__()
        self.fetched: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note addresses that are no place on the page, and what was opened."""
        self.fetched += [str(value) for name, value in attrs if name in {"src", "href", "xlink:href"}]
        if tag not in {"meta", "path", "use", "br", "rect"}:
            self.open.append(tag)

    def handle_startendtag(self, _tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note addresses only: it closes itself."""
        self.fetched += [str(value) for name, value in attrs if name in {"src", "href", "xlink:href"}]

    def handle_endtag(self, tag: str) -> None:
        """See that what closes was opened last."""
        if tag not in {"meta", "path", "use", "br", "rect"}:
            assert self.open.pop() == tag


def test_the_page_needs_nothing_beside_it(evaluation: Evaluation) -> None:
    """No script, no address to fetch, below a megabyte, every tag closed."""
    text = page(evaluation, "drawn")
    parser = Resources()
    parser.feed(text)
    assert all(address.startswith("#") for address in parser.fetched)
    assert not parser.open
    assert "<script" not in text
    assert "@import" not in text
    assert not re.search(r"url\((?!#)", text)
    assert len(text.encode()) < 1_000_000


def test_the_page_is_the_same_each_time(evaluation: Evaluation) -> None:
    """Nothing on it depends on when it was written."""
    assert page(evaluation, "drawn") == page(evaluation, "drawn")


def test_what_data_say_is_text_on_the_page(evaluation: Evaluation) -> None:
    """A column that holds markup is shown, not obeyed."""
    text = page(evaluation, "<script>alert(1)</script>")
    assert "<b>north" not in text
    assert "&lt;b&gt;north" in text
    assert "<script>" not in text


def test_every_measure_stands_on_the_page_with_its_interval(evaluation: Evaluation) -> None:
    """And the shortcut beside the result."""
    text = page(evaluation, "drawn")
    for name in ("auc", "accuracy", "precision", "recall", "f1", "sensitivity", "specificity", "brier"):
        low, high = evaluation.measures["intervals"][name]
        assert f"{evaluation.measures[name]:.3f}" in text
        assert f"[{low:.3f}, {high:.3f}]" in text, name
    assert "sharpness alone" in text
    assert "0.600" in text


def test_small_subgroups_are_marked(evaluation: Evaluation) -> None:
    """Those of 27 images are, and the note says what the mark means."""
    assert "south †" in page(evaluation, "drawn")
    assert "† fewer than 30" in page(evaluation, "drawn")


def test_every_figure_is_drawn_and_names_its_axes(evaluation: Evaluation) -> None:
    """ROC, precision-recall, reliability, scores and confusion, with words in them that can be found."""
    found = drawings(evaluation)
    assert set(found) == {"roc", "precision-recall", "reliability", "scores", "confusion"}
    assert "sensitivity" in found["roc"]
    assert "no pneumonia" in found["confusion"]
    identifiers = [name for text in found.values() for name in re.findall(r'\bid="([^"]+)"', text)]
    assert len(set(identifiers)) == len(identifiers)


def test_ten_classes_have_a_page_too(digits: Evaluation) -> None:
    """Accuracy, macro AUC and a confusion matrix of ten rows, and no operating point."""
    text = page(digits, "digits")
    assert "macro AUC" in text
    assert "operating point" not in text
    assert "accuracy as served" in text
    assert "none called" in text
    assert set(drawings(digits)) == {"reliability", "scores", "confusion"}


def test_a_class_name_is_never_a_formula(digits: Evaluation) -> None:
    """Dollar signs in names are drawn as they are."""
    classes = tuple(replace(known, name=f"$\\frac{known.name}$") for known in digits.manifest.classes)
    assert "confusion" in drawings(replace(digits, manifest=replace(digits.manifest, classes=classes)))


@pytest.mark.parametrize(("split", "words"), [("train", "the weights"), ("val", "the operating point")])
def test_a_split_that_was_learned_from_is_no_test(evaluation: Evaluation, split: str, words: str) -> None:
    """The page warns, and does not say that the operating point was fixed on other data."""
    text = page(replace(evaluation, measures={**evaluation.measures, "split": split}), "drawn")
    assert "This split was learned from" in text
    assert words in text
    assert "fixed on other data" not in text
    assert "fixed on other data" in page(evaluation, "drawn")
