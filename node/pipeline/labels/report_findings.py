"""What the findings of a person's report say of classes: by code with presence or absence, or by their words."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from node.domain.finding import Code
from node.domain.label import LabelRule
from node.domain.label_document import LabelDocument, NamedImage, SaidFinding
from node.domain.label_text import Vocabulary, normalised, said_of_classes

_PRESENT = frozenset({"52101004", "260373001", "10828004", "373066001"})  # present, detected, positive, yes
_ABSENT = frozenset({"2667000", "260415000", "260385009", "373067005"})  # absent, not detected, negative, no
_PRESENCE = frozenset({"SCT:705057003"})  # Presence: said of the finding beside it
_SAYS_WHETHER = frozenset({"presence", "present", "finding present", "存在"})
_UNDETERMINED = frozenset({"373068000", "82334004"})  # undetermined, indeterminate


@dataclass(frozen=True, slots=True)
class Word:
    """A class said to be there, or not, on some images; on studies as a whole where no image is named."""

    class_name: str
    present: bool
    rule: LabelRule
    images: tuple[NamedImage, ...] = ()
    studies: tuple[str, ...] = ()  #: Study Instance UIDs; "" where `images` say it

    def contradicts(self, other: "Word") -> bool:
        """Return whether both speak of one image, or of one study as a whole, and do not agree."""
        if self.class_name != other.class_name or self.present == other.present:
            return False
        mine, others = ({image.sop_instance_uid for image in word.images} for word in (self, other))
        return bool(mine & others or set(self.studies) & set(other.studies))


def found_in(
    document: LabelDocument, vocabulary: Vocabulary, echoes: Collection[str], images: tuple[NamedImage, ...]
) -> tuple[list[Word], list[str]]:
    """Return what the findings of a report say, and why others of them say nothing.

    Parameters
    ----------
    document
        The report.
    vocabulary
        What the classes are called.
    echoes
        Tracking UIDs of findings that this node's own reports said: a viewer that loads such a report and is told to
        save may write them again in the reader's name.
    images
        What the report names, for findings that name no image themselves.
    """
    words, problems = list[Word](), list[str]()
    places = {image.sop_instance_uid: image for image in document.images}
    wanted = {image.sop_instance_uid for image in images}
    for finding in document.findings:
        if finding.tracking_uid and finding.tracking_uid in echoes:
            problems.append("a finding of this node's own report was saved again")
            continue
        own = [_placed(image, places) for image in finding.images if image.sop_instance_uid in wanted]
        where = tuple(own) or images
        studies = () if where else (document.study_instance_uid,)
        for name, present, rule in _said(finding, vocabulary):
            if isinstance(present, bool):
                words.append(Word(name, present, rule, where, studies))
            else:
                problems.append(f"{name}: {present}")
    return words, problems


def _placed(image: NamedImage, places: dict[str, NamedImage]) -> NamedImage:
    place = places[image.sop_instance_uid]
    return NamedImage(place.study_instance_uid, place.series_instance_uid, image.sop_instance_uid, image.of_frames)


def _said(finding: SaidFinding, vocabulary: Vocabulary) -> Iterator[tuple[str, bool | str, LabelRule]]:
    """Yield each class that a finding names, whether it is there (or why that is not plain), and the rule."""
    evaluated = dict(_evaluated(finding.evaluations, vocabulary))
    for evaluated_class, present in evaluated.items():
        yield evaluated_class, present, LabelRule.FINDING_CODE
    whole = _of_the_finding(finding.evaluations)
    for code in finding.codes:
        name = vocabulary.class_of(code.scheme, code.value)
        if name is None:
            yield from _in_words(code.meaning, vocabulary, evaluated, present_means=whole)
        elif name not in evaluated:
            yield name, whole, LabelRule.FINDING_CODE
    for text in finding.texts:
        yield from _in_words(text, vocabulary)


def _in_words(
    text: str, vocabulary: Vocabulary, evaluated: Collection[str] = (), *, present_means: bool | str = True
) -> Iterator[tuple[str, bool | str, LabelRule]]:
    for said in said_of_classes(text, vocabulary):
        if said.class_name in evaluated:
            continue
        if said.present is None:
            yield said.class_name, said.why_not, LabelRule.FINDING_TEXT
        else:
            yield said.class_name, present_means if said.present else False, LabelRule.FINDING_TEXT


def _evaluated(evaluations: Sequence[tuple[Code, Code]], vocabulary: Vocabulary) -> Iterator[tuple[str, bool | str]]:
    """Yield the classes that evaluations name, as in (Pneumonia) = (Absent)."""
    for about, value in evaluations:
        name = vocabulary.class_of(about.scheme, about.value)
        present = _presence(value)
        if name is not None and present is not None:
            yield name, present


def _of_the_finding(evaluations: Sequence[tuple[Code, Code]]) -> bool | str:
    """Return what is said of the finding itself, as in (Presence) = (Absent); a finding alone is there."""
    for about, value in evaluations:
        present = _presence(value)
        is_asked = f"{about.scheme}:{about.value}" in _PRESENCE or normalised(about.meaning) in _SAYS_WHETHER
        if is_asked and present is not None:
            return present
    return True


def _presence(value: Code) -> bool | str | None:
    """Return what a value says of presence; None where it says something else."""
    if value.value in _PRESENT:
        return True
    if value.value in _ABSENT:
        return False
    return "the reader left it undetermined" if value.value in _UNDETERMINED else None
