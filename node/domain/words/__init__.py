"""What a person reads in a report, by language: one file of this folder for each, named after its RFC 5646 tag.

A file that is put here is a language that a peer's ``language`` may name. It holds a `[language]` table, all sentences
of ``en.toml`` with the same placeholders, and where wanted the names of findings. Which sentence stands where in a
report is not known here.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from pathlib import Path
from string import Formatter
from time import struct_time
from typing import Any

from node.domain.finding import Code

ENGLISH = "en"
"""The language that is there where none is asked for, and that the others are compared with."""

_FOLDER = Path(__file__).parent


class WordsError(ValueError):
    """A language that does not ship, or a file of words that is not whole; the message says which and what would do."""


@dataclass(frozen=True, slots=True)
class Words:
    """One language."""

    tag: str
    language: Mapping[str, str]
    sentences: Mapping[str, str]
    findings: Mapping[str, str]  #: names, by coding scheme and code value

    @property
    def code(self) -> Code:
        """The language itself (DICOM PS3.16 CID 5000)."""
        return Code(self.language["code"], "RFC5646", self.language["meaning"])

    def lines(self, sentence: str, **values: object) -> list[str]:
        """Return the lines of a sentence, with its placeholders filled."""
        return self.sentences[sentence].strip("\n").format_map(values).split("\n")

    def line(self, sentence: str, **values: object) -> str:
        """Return a sentence as one line."""
        return self.language["between_lines"].join(self.lines(sentence, **values))

    def named(self, finding: Code) -> str:
        """Return the name of a finding; where this language has none, the meaning that came with the code."""
        return self.findings.get(f"{finding.scheme} {finding.value}", finding.meaning)

    def listed(self, names: list[str]) -> str:
        """Return names in one line."""
        return self.language["between_names"].join(names)

    def date(self, of: date) -> str:
        """Return a date as this language writes it."""
        return self.language["date"].format_map(_parts(of.timetuple()))

    def time(self, of: datetime) -> str:
        """Return a date with its time of day, as its zone has it."""
        return self.language["time"].format_map(_parts(of.timetuple()))


def _parts(of: struct_time) -> dict[str, str]:
    parts = {"month": of.tm_mon, "day": of.tm_mday, "hour": of.tm_hour, "minute": of.tm_min}
    return {"year": f"{of.tm_year:04}"} | {name: f"{number:02}" for name, number in parts.items()}


def languages(folder: Path = _FOLDER) -> list[str]:
    """Return the tags of the languages that ship, English first."""
    return sorted((path.stem for path in folder.glob("*.toml")), key=lambda tag: (tag != ENGLISH, tag))


@cache
def words_in(language: str, folder: Path = _FOLDER) -> Words:
    """Return the words of a language.

    Parameters
    ----------
    language
        An RFC 5646 tag, such as "en".
    folder
        Where the files are.

    Raises
    ------
    WordsError
        Where it does not ship, or its file lacks a sentence or a placeholder.
    """
    known = languages(folder)
    if language not in known:
        raise WordsError(f"no language that ships: {', '.join(known)} do, and another is one file beside theirs")
    words = _read(language, folder)
    _compare(words, _read(ENGLISH, folder))
    return words


def placeholders(sentence: str) -> frozenset[str]:
    """Return the names in braces of a sentence.

    Raises
    ------
    ValueError
        Where its braces do not match.
    """
    return frozenset(name for _, name, _, _ in Formatter().parse(sentence) if name is not None)


def _read(language: str, folder: Path) -> Words:
    try:
        tables = tomllib.loads((folder / f"{language}.toml").read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise WordsError(f"{language}.toml cannot be read: {error}") from error
    if unknown := sorted(set(tables) - {"language", "sentences", "findings"}):
        raise WordsError(f"{language}.toml does not know the tables {', '.join(unknown)}")
    return Words(language, *(_texts(language, name, tables) for name in ("language", "sentences", "findings")))


def _texts(language: str, name: str, tables: Mapping[str, Any]) -> dict[str, str]:
    table = tables.get(name, {})
    if not isinstance(table, dict) or not all(isinstance(text, str) for text in table.values()):
        raise WordsError(f"{language}.toml [{name}] is not a table of texts")
    return table


def _compare(words: Words, english: Words) -> None:
    """Refuse a language that says less, or other things, than English does."""
    for table, given, needed in (
        ("language", words.language, english.language),
        ("sentences", words.sentences, english.sentences),
    ):
        _same(f"{words.tag}.toml [{table}]", frozenset(given), frozenset(needed))
        for key, text in given.items():
            _compare_text(f"{words.tag}.toml [{table}] {key}", text, needed[key])
    for key, text in {**words.sentences, "code": words.language["code"], "meaning": words.language["meaning"]}.items():
        if not text.strip():
            raise WordsError(f"{words.tag}.toml {key} is empty")


def _compare_text(where: str, given: str, english: str) -> None:
    try:
        names = placeholders(given)
    except ValueError as error:
        raise WordsError(f"{where}: {error}") from error
    _same(f"{where}, placeholders:", names, placeholders(english))


def _same(where: str, given: frozenset[str], needed: frozenset[str]) -> None:
    faults = [f"lacks {', '.join(sorted(needed - given))}"] if needed - given else []
    faults += [f"does not know {', '.join(sorted(given - needed))}"] if given - needed else []
    if faults:
        raise WordsError(f"{where} {' and '.join(faults)}")
