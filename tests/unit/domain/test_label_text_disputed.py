"""What a reader's short text says of a class where it answers, asks, tells of the past, or is in another script."""

import pytest

from node.domain.label_text import said_of_classes, vocabulary

KNOWN = vocabulary({}, {})

NOT_THERE = (
    *(
        "無肺炎",
        "沒有肺炎",
        "無明顯肺炎",
        "兩肺無肺炎徵象",
        "肺炎:無",
        "肺炎：無",
        "未見肺炎",
        "未發現肺炎",
        "已排除肺炎",
    ),
    *("nil pneumonia", "zero effusion. No pneumonia", "history of smoking. No pneumonia"),
)
THERE = (
    *(
        "RLL/LLL pneumonia",
        "X-ray shows left-sided pneumonia",
        "pneumonia - left",
        "Pneumonia!",
        "impression: pneumonia",
    ),
    *(
        "atelectasis, pneumonia",
        "RLL pneumonia, no effusion or pneumothorax",
        "mild right lower lobe pneumonia",
        "pneumonia (right)",
        "there is pneumonia",
    ),
    *("兩肺肺炎", "右下肺肺炎", "肺炎、肺不张", "双肺肺炎，少量胸腔积液", "新型冠狀病毒肺炎", "肺炎(+)", "輕度肺炎"),
)
ANSWERS = (
    *("disagree with pneumonia", "AI said pneumonia, I disagree", "AI pneumonia wrong", "pneumonia rejected"),
    *(
        "reject pneumonia",
        "pneumonia overcalled",
        "misread as pneumonia",
        "false positive pneumonia",
        "AI: no pneumonia",
    ),
    *("AI: pneumonia; disagree", "mislabelled as pneumonia", "pneumonia. I don't agree", "pneumonia. Nope"),
    *("AI误报肺炎", "误诊肺炎", "假阳性肺炎", "肺炎假阳性", "肺炎误报", "肺炎错误", "AI誤報肺炎", "假陽性肺炎"),
)
QUESTIONS = (
    *("evaluate for pneumonia", "eval for pneumonia", "indication: cough, pneumonia", "indication: pneumonia"),
    *(
        "reason for exam: pneumonia",
        "concern for pneumonia",
        "assess pneumonia",
        "pneumonia screening",
        "rule out pneumonia",
    ),
    *("is there pneumonia", "pneumonia?", "? pneumonia", "clinical: pneumonia", "Indication. Pneumonia"),
    *(
        "检查目的：肺炎",
        "临床诊断：肺炎",
        "肺炎筛查",
        "檢查目的：肺炎",
        "臨床診斷：肺炎",
        "有无肺炎",
        "是否肺炎",
        "肺炎？",
    ),
)
PAST_OR_OTHERS = (
    *("f/u pneumonia", "scar from pneumonia", "pneumonia cleared", "pneumonia last year", "mother had pneumonia"),
    *("pneumonia in 2019", "pneumonia gone", "pneumonia has gone", "sequelae of pneumonia", "contact with pneumonia"),
    *("肺炎史", "有肺炎史", "肺炎已好", "肺炎复诊", "肺炎後改變", "肺炎較前吸收", "母亲肺炎", "肺炎术后"),
)
DOUBTS = (
    *(
        "low probability of pneumonia",
        "hardly pneumonia",
        "pneumonia improbable",
        "pneumonia ✗",
        "pneumonia n",
        "pneumonia x",
    ),
    *(
        "pneumonia nil",
        "zero pneumonia",
        "!pneumonia",
        "~pneumonia",
        "pneumonia ✓",
        "-pneumonia",
        "pneumonia, not seen",
    ),
    *(
        "pneumonia, nothing",
        "no\npneumonia",
        "pneumonia. Finding: none",
        "pneumonia, evidence none",
        "atelectasis/pneumonia",
        "pneumonia, or effusion",
        "pneumonia/atelectasis",
        "pneumonia, maybe",
        "考慮肺炎",
        "懷疑肺炎",
    ),
    *("缺乏肺炎证据", "肺炎证据不足", "肺炎 ×", "肺炎 ✗", "肺不张/肺炎", "肺炎,不明显", "肺炎?", "肺炎尚不能除外"),
)
OTHERS = (
    *(
        "pneumonia mimic",
        "pneumonia-like opacity",
        "organizing pneumonia",
        "organising pneumonia",
        "interstitial pneumonia",
    ),
    *(
        "no interstitial pneumonia",
        "usual interstitial pneumonia",
        "pneumonia protocol",
        "artefact mimicking pneumonia",
    ),
    *("间质性肺炎", "間質性肺炎", "机化性肺炎", "肺炎样改变", "类肺炎改变", "肺炎性改变"),
    *("pas de pneumonia", "нет pneumonia", "keine pneumonia", "pneumonia aucune", "sin pneumonia", "冇肺炎"),
)


def _said(text: str) -> list[bool | None]:
    return [one.present for one in said_of_classes(text, KNOWN)]


@pytest.mark.parametrize("text", NOT_THERE)
def test_traditional_characters_and_rarer_words_negate_too(text: str) -> None:
    """They are folded before anything is compared."""
    assert _said(text) == [False]


@pytest.mark.parametrize("text", THERE)
def test_known_words_beside_a_finding_leave_it_there(text: str) -> None:
    """Sides, sites, degrees, other findings, certainty."""
    assert _said(text) == [True]


@pytest.mark.parametrize("text", [*ANSWERS, *QUESTIONS, *PAST_OR_OTHERS, *DOUBTS, *OTHERS])
def test_what_answers_asks_or_tells_of_something_else_labels_nothing(text: str) -> None:
    """It names the class and is listed, whatever word it was."""
    assert _said(text) == [None]
