"""The languages that ship: whole, alike in keys and placeholders, and with nothing taken away."""

import shutil
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from node.domain import words as shipped
from node.domain.finding import Code
from node.domain.words import ENGLISH, WordsError, languages, placeholders, words_in

PNEUMONIA = Code("233604007", "SCT", "Pneumonia")
RESEARCH = {
    "en": "RESEARCH RESULT by starter 1.0.0. Not a cleared medical device. Not for diagnosis or treatment. Unverified.",
    "zh": "研究结果，由 starter 1.0.0 生成。本软件并非获批上市的医疗器械。不得用于诊断或治疗。未经医师审核。",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with the languages that ship, to be changed."""
    for tag in languages():
        shutil.copy(Path(shipped.__file__).with_name(f"{tag}.toml"), tmp_path)
    return tmp_path


def test_english_and_chinese_ship() -> None:
    """English first: it is there where none is asked for."""
    assert languages() == ["en", "zh"]


@pytest.mark.parametrize("language", languages())
def test_every_language_has_the_keys_and_the_placeholders_of_the_english_one(language: str) -> None:
    """What one language says, all say, with the same numbers in it."""
    english, other = words_in(ENGLISH), words_in(language)
    assert other.sentences.keys() == english.sentences.keys()
    for key, sentence in english.sentences.items():
        assert placeholders(other.sentences[key]) == placeholders(sentence), key


@pytest.mark.parametrize("language", languages())
def test_no_sentence_is_left_in_english(language: str) -> None:
    """A copied file that was half translated is found."""
    english, other = words_in(ENGLISH), words_in(language)
    same = [key for key, sentence in other.sentences.items() if sentence == english.sentences[key]]
    assert language == ENGLISH or same == []


@pytest.mark.parametrize("language", languages())
def test_the_research_line_is_whole_in_every_language(language: str) -> None:
    """What it is, what made it, what it is not, and that nobody has verified it."""
    words = words_in(language)
    lines = words.lines("research", model="starter", version="1.0.0")
    assert words.line("research", model="starter", version="1.0.0") == RESEARCH[language]
    assert len(lines) == 3
    assert "starter 1.0.0" in lines[0]


def test_findings_have_names_in_chinese_and_keep_their_meaning_where_they_have_none() -> None:
    """A model may find what nobody has translated."""
    chinese = words_in("zh")
    assert chinese.named(PNEUMONIA) == "肺炎"
    assert chinese.named(Code("D3", "99TEST", "Digit 3")) == "Digit 3"
    assert chinese.listed(["肺炎", "气胸"]) == "肺炎、气胸"
    assert words_in("en").named(PNEUMONIA) == "Pneumonia"


def test_dates_are_written_as_the_language_writes_them() -> None:
    """Whatever the locale of the process."""
    at = datetime(2026, 3, 9, 8, 5, tzinfo=UTC)
    assert words_in("en").time(at) == "2026-03-09 08:05"
    assert words_in("zh").time(at) == "2026年03月09日 08:05"
    assert words_in("zh").date(date(2026, 3, 9)) == "2026年03月09日"


def test_another_language_is_one_file(folder: Path) -> None:
    """Nothing else names it."""
    german = (folder / "en.toml").read_text(encoding="utf-8").replace('code = "en"', 'code = "de"')
    (folder / "de.toml").write_text(german.replace('"not flagged"', '"nicht markiert"'), encoding="utf-8")
    words = words_in("de", folder)
    assert (words.code.value, words.line("not_flagged")) == ("de", "nicht markiert")
    assert languages(folder) == ["en", "de", "zh"]


def test_a_language_that_does_not_ship_is_refused_with_those_that_do() -> None:
    """And with the way to another one."""
    with pytest.raises(WordsError, match="no language that ships: en, zh do, and another is one file"):
        words_in("tlh")


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ('flagged = "已标记"', "", r"zh.toml \[sentences\] lacks flagged"),
        ('flagged = "已标记"', 'flagged = "已标记"\nmarked = "已标记"', r"\[sentences\] does not know marked"),
        ('flagged = "已标记"', 'flagged = " "', "zh.toml flagged is empty"),
        ("由 {model} {version} 生成", "", r"research, placeholders: lacks model, version"),
        ("{model} {version}", "{model} {version", r"research: expected '}'"),
        ("{day}日 {hour}", "{day}日 {hours}", r"\[language\] time, placeholders: lacks hour and does not know hours"),
        ('meaning = "Chinese"', 'meaning = ""', "zh.toml meaning is empty"),
        ('meaning = "Chinese"', "meaning = 3", r"zh.toml \[language\] is not a table of texts"),
        ("[findings]", "[names]", "does not know the tables names"),
        ("[sentences]", "[sentences", "zh.toml cannot be read"),
    ],
)
def test_a_file_that_is_not_whole_is_refused(folder: Path, old: str, new: str, fault: str) -> None:
    """Naming the file, the key and what is wrong, so that no report ever lacks a line."""
    chinese = (folder / "zh.toml").read_text(encoding="utf-8")
    (folder / "zh.toml").write_text(chinese.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(WordsError, match=fault):
        words_in("zh", folder)
