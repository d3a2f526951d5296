"""What a reader's short text says of classes: there, not there, or nothing that one could rely on.

A label that is wrong harms more than one that is missing, so a text labels only where it is plain; what is in doubt, of
the past, or about change labels nothing and is listed for the operator.
"""

import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from node.domain import label_words as words
from node.domain.label_known import is_known
from node.domain.label_script import TO_SIMPLIFIED

DOUBTFUL = "the text is in doubt, of the past, or about change"
AMBIGUOUS = "it is not plain whether the text negates the finding"
UNKNOWN = "beside the finding stand words that are not known here: they may ask, dispute or tell of something else"
CONTRADICTS = "the text says both that the finding is there and that it is not"


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """What readers and codes call the classes."""

    aliases: Mapping[str, tuple[str, ...]]  #: by class; its own name counts always
    codes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  #: by class, as SCHEME:VALUE

    @property
    def classes(self) -> frozenset[str]:
        """Every class that something names."""
        return frozenset(self.aliases) | frozenset(self.codes)

    def class_of(self, scheme: str, value: str) -> str | None:
        """Return the class that a code names, or None."""
        code = f"{scheme.strip()}:{value.strip()}".casefold()
        return next((name for name, codes in self.codes.items() if code in {one.casefold() for one in codes}), None)


def vocabulary(aliases: Mapping[str, tuple[str, ...]], codes: Mapping[str, tuple[str, ...]]) -> Vocabulary:
    """Return the shipped vocabulary with what a site adds."""
    return Vocabulary(_joined(words.SHIPPED_ALIASES, aliases), _joined(words.SHIPPED_CODES, codes))


def _joined(
    shipped: Mapping[str, tuple[str, ...]], own: Mapping[str, tuple[str, ...]]
) -> Mapping[str, tuple[str, ...]]:
    return {name: (*shipped.get(name, ()), *own.get(name, ())) for name in (*shipped, *own)}


@dataclass(frozen=True, slots=True)
class Said:
    """What a text says of one class."""

    class_name: str
    present: bool | None  #: None where it names the class and says nothing that one could rely on
    why_not: str = ""  #: set where `present` is None


def normalised(text: str) -> str:
    """Return a text as it is compared: NFKC, casefolded, spaces single, dashes and quotes plain, Chinese simplified."""
    folded = unicodedata.normalize("NFKC", text).casefold().translate(_PLAIN)
    return re.sub(r"[ \t\f\v]+", " ", folded).strip()


_PLAIN = {ord(dash): "-" for dash in "‐‑‒–—―−﹣"} | {ord("’"): "'", ord("_"): " "} | TO_SIMPLIFIED


def is_no_name(phrase: str) -> bool:
    """Return whether a phrase negates, doubts or disputes, and so cannot be what readers call a class."""
    cues = (words.DOUBT, words.SURELY_EXCLUDED, words.NEGATION_BEFORE, words.OTHER_NEGATION, words.DISPUTED)
    plain = re.sub(r"(?<![a-z])non-(?=[a-z]+ [a-z])", "", normalised(phrase))  # as in non-small cell carcinoma
    return any(cue.search(plain) for cue in cues)


def said_of_classes(text: str, known: Vocabulary) -> list[Said]:
    """Return what a text says of every class that it names, in the order of their names."""
    plain = normalised(text)
    for other in words.NOT_THE_FINDING:
        plain = re.sub(rf"{re.escape(normalised(other))}(?![a-z])", words.MENTION, plain)
    found = []
    patterns = {name: _pattern(name, known.aliases.get(name, ())) for name in sorted(known.classes)}
    for name, pattern in patterns.items():
        others = [other for other_name, other in patterns.items() if other_name != name]
        mentions = set(_mentions(plain, pattern, others))
        if mentions:
            found.append(_together(name, mentions))
    return found


def _together(name: str, mentions: set[bool | str]) -> Said:
    reasons = sorted(mention for mention in mentions if isinstance(mention, str))
    if reasons:
        return Said(name, None, reasons[0])
    return Said(name, None, CONTRADICTS) if len(mentions) > 1 else Said(name, bool(mentions.pop()))


def _pattern(name: str, aliases: tuple[str, ...]) -> re.Pattern[str]:
    """Return the pattern of a class's names; one of Latin letters stands alone, Chinese has no spaces."""
    each = sorted({normalised(alias) for alias in (name, *aliases)} - {""}, key=len, reverse=True)
    return re.compile("|".join(_alone(alias) for alias in each))


def _alone(alias: str) -> str:
    spaced = r"[ -]+".join(re.escape(word) for word in alias.split())
    before = r"(?<![a-z0-9])" if re.match(r"[a-z0-9]", alias) else ""
    return before + spaced + (r"(?![a-z0-9])" if re.search(r"[a-z0-9]$", alias) else "")


def _mentions(text: str, finding: re.Pattern[str], others: list[re.Pattern[str]]) -> Iterator[bool | str]:
    """Yield what each mention of a finding says: whether it is there, or why that is not plain."""
    disputed = words.DISPUTED.search(text) is not None
    sentences = [words.COMMAS.split(part) for part in words.SENTENCE_ENDS.split(text) if part.strip()]
    for earlier, clauses, following in zip([[""], *sentences], sentences, [*sentences[1:], [""]], strict=False):
        around = _without(",".join([*earlier, *clauses, *following]), [finding, *others])
        for number, clause in enumerate(clauses):
            answer = [*clauses[number + 1 :], *following][0]
            for match in finding.finditer(clause):
                before, after = clause[: match.start()], clause[match.end() :]
                cut_off = number == 0 and _ends_negated(earlier[-1])
                said = AMBIGUOUS if cut_off or _answers(answer) else _polarity(before, after, clauses[:number])
                yield DOUBTFUL if disputed else UNKNOWN if said is True and not is_known(around) else said


def _without(text: str, findings: list[re.Pattern[str]]) -> str:
    """Return a text with a mark for each finding; what is asked or answered right behind one was looked at."""
    for number, finding in enumerate(findings):
        text = re.sub(rf"(?:{finding.pattern}){r'[ ?]*' if number else ''}", words.MENTION, text)
    return words.ANSWERED.sub(words.MENTION, text)


def _ends_negated(clause: str) -> bool:
    """Return whether a clause ends in a negation, as that of a wrapped line does."""
    bare = clause.strip(" .:")
    return any(match.end() == len(bare) for match in words.NEGATION_BEFORE.finditer(bare))


def _answers(clause: str) -> bool:
    """Return whether a clause is a negation or a doubt and nothing else, as in "pneumonia, no"."""
    bare = clause.strip(" .:")
    for cue in (words.DOUBT, words.SURELY_EXCLUDED, words.OTHER_NEGATION, words.FILLERS):
        bare = cue.sub("", bare).strip(" .:")
    return bool(clause.strip(" .")) and not bare


def _polarity(before: str, after: str, earlier: list[str]) -> bool | str:
    """Return whether the finding between two halves of a clause is there, or why that is not plain.

    Parameters
    ----------
    before, after
        The clause around the finding.
    earlier
        The clauses before it in the same sentence.
    """
    excluded = sum(words.SURELY_EXCLUDED.search(half) is not None for half in (before, after))
    before, after = (words.SURELY_EXCLUDED.sub(" ", half) for half in (before, after))
    if any(cue.search(f"{before}{words.MENTION}{after}") for cue in (words.DOUBT, words.OTHER_DISEASE)):
        return DOUBTFUL
    negations = list(words.NEGATION_BEFORE.finditer(before))
    if not negations and not excluded:
        return _asserted(before, after.strip(), earlier)
    between = before[negations[-1].end() :] if negations else ""
    is_plain = len(negations) + excluded == 1 and not words.JOINED.search(between)
    return False if is_plain and not words.OTHER_NEGATION.search(after) else AMBIGUOUS


def _asserted(before: str, after: str, earlier: list[str]) -> bool | str:
    """Return what a clause without a negation before the finding says."""
    if words.NEGATION_AFTER.search(after):
        return False
    if words.AFFIRMATION_AFTER.search(after):
        return True
    if words.OTHER_NEGATION.search(f"{before}{words.MENTION}{after}") or words.CHOICE.search(before + after):
        return AMBIGUOUS
    runs_on = any(words.OTHER_NEGATION.search(clause) for clause in earlier)
    return AMBIGUOUS if runs_on and not words.AFFIRMATION_BEFORE.search(before) else True
