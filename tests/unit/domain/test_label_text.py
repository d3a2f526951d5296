"""What a reader's short text says of a class: hard cases in English and Chinese, and what is never guessed."""

import pytest

from node.domain.label_text import AMBIGUOUS, CONTRADICTS, DOUBTFUL, said_of_classes, vocabulary

KNOWN = vocabulary({"pneumonia": ("PN",), "tuberculosis": ("TB", "肺结核")}, {})

THERE = (
    *("pneumonia", "PNEUMONIA", "Right lower lobe pneumonia with air bronchogram", "bronchopneumonia both lungs"),
    *("atypical pneumonia", "pneumonia, no effusion", "no effusion. Pneumonia", "no effusion, but pneumonia"),
    *("pneumonia: yes", "pneumonia = 1", "COVID-19 pneumonia", "consistent with pneumonia", "nothing but pneumonia"),
    *("PN", "Pneumonia", "pneumonia (+)", "pneumonia in the left lung, not in the right"),
    *(
        "肺炎",
        "右下肺肺炎",
        "肺炎,未见积液",
        "未见积液,可见肺炎",
        "肺炎(+)",
        "社区获得性肺炎",
        "非典型肺炎",
        "肺炎支原体肺炎",
    ),
    *("可见肺部感染", "右下叶后段肺炎", "肺炎。双肺无积液"),
)
NOT_THERE = (
    *("no pneumonia", "No evidence of pneumonia", "no signs of acute pneumonia", "no focal pneumonia", "not pneumonia"),
    *("no effusion or pneumonia", "effusion but no pneumonia", "pneumonia excluded", "pneumonia has been ruled out"),
    *("pneumonia: no", "pneumonia = 0", "Pneumonia absent", "pneumonia not seen", "negative for pneumonia"),
    *("w/o pneumonia", "lungs clear. No pneumonia.", "no pneumothorax, no pneumonia", "NO PNEUMONIA"),
    *(
        "未见肺炎",
        "未见明显肺炎征象",
        "无肺炎",
        "没有肺炎",
        "肺炎(-)",
        "肺炎(-)",
        "肺炎阴性",
        "已排除肺炎",
        "肺炎已排除",
    ),
    *("未见胸腔积液及肺炎", "未见积液、肺炎", "不符合肺炎", "并非肺炎", "肺炎:无"),
)
IN_DOUBT = (
    *("pneumonia not excluded", "pneumonia cannot be excluded", "pneumonia is not ruled out", "possible pneumonia"),
    *("pneumonia?", "?pneumonia", "r/o pneumonia", "rule out pneumonia", "exclude pneumonia", "pneumonia likely"),
    *("pneumonia unlikely", "history of pneumonia", "resolved pneumonia", "no change in pneumonia"),
    *("no longer pneumonia", "not only pneumonia", "no abnormality except pneumonia", "no doubt pneumonia"),
    *(
        "don't think pneumonia",
        "isn't pneumonia",
        "pneumonia vs atelectasis",
        "fails to show pneumonia",
        "sem pneumonia",
    ),
    *(
        "肺炎待排",
        "肺炎?",
        "不除外肺炎",
        "肺炎不能排除",
        "考虑肺炎",
        "肺炎可能",
        "疑似肺炎",
        "排除肺炎",
        "肺炎较前吸收",
        "肺炎后改变",
    ),
    *("肺炎、待排", "肺炎病史"),
)
NOT_PLAIN = (
    *("no effusion, pneumonia", "no effusion and pneumonia", "pneumonia, no", "pneumonia. Not excluded"),
    *("pneumonia without effusion", "atelectasis or pneumonia", "no cavitation in pneumonia", "no no pneumonia"),
    *(
        "pneumonia was never present",
        "pneumonia not completely excluded",
        "未见积液,肺炎",
        "肺炎不伴积液",
        "未治疗肺炎",
    ),
    *("肺炎,待排", "肺炎。待排"),
)


def _said(text: str) -> list[tuple[str, bool | None, str]]:
    return [(one.class_name, one.present, one.why_not) for one in said_of_classes(text, KNOWN)]


@pytest.mark.parametrize("text", THERE)
def test_a_finding_that_is_named_plainly_is_there(text: str) -> None:
    """Whatever its case, width and place, and whatever else is negated."""
    assert _said(text) == [("pneumonia", True, "")]


@pytest.mark.parametrize("text", NOT_THERE)
def test_a_negated_finding_is_not_there(text: str) -> None:
    """Before it, after it, and in lists."""
    assert _said(text) == [("pneumonia", False, "")]


@pytest.mark.parametrize("text", IN_DOUBT)
def test_what_is_in_doubt_or_of_the_past_labels_nothing(text: str) -> None:
    """Nor is it taken for absence, which the negations in it would suggest."""
    assert _said(text) == [("pneumonia", None, DOUBTFUL)]


@pytest.mark.parametrize("text", NOT_PLAIN)
def test_a_negation_whose_reach_is_not_plain_labels_nothing(text: str) -> None:
    """Two readers of the text could take it for opposites."""
    assert _said(text) == [("pneumonia", None, AMBIGUOUS)]


def test_a_text_that_contradicts_itself_labels_nothing() -> None:
    """Mention by mention."""
    assert _said("Pneumonia left. No pneumonia.") == [("pneumonia", None, CONTRADICTS)]


@pytest.mark.parametrize(
    "text",
    ["", "Of Interest", "pneumonitis", "Klebsiella pneumoniae", "肺炎疫苗", "肺炎球菌", "pneumonia vaccine", "SPN"],
)
def test_another_word_that_holds_the_name_is_not_the_finding(text: str) -> None:
    """Germs, vaccines, other diseases, other abbreviations."""
    assert _said(text) == []


def test_each_class_is_read_by_itself() -> None:
    """With what the site calls it."""
    assert _said("no TB; pneumonia") == [("pneumonia", True, ""), ("tuberculosis", False, "")]
    assert _said("肺结核?,肺炎") == [("pneumonia", True, ""), ("tuberculosis", None, DOUBTFUL)]


def test_codes_name_classes_whatever_their_case() -> None:
    """Shipped ones, and those of a site."""
    known = vocabulary({}, {"pneumonia": ("99SITE:P1",)})
    assert known.class_of("SCT", "233604007") == known.class_of("99site", "p1") == "pneumonia"
    assert known.class_of("SCT", "36118008") is None
