"""The default reading of an object that may carry labels: which rule fits first, and what it says by that rule.

It concludes from values alone. Where nothing is plain it says why, and the object is listed for the operator: a label
that is wrong harms more than one that is missing.

References
----------
DICOM PS3.16 CID 7010 (titles of Key Object Selections), TID 1500; IHE RAD AI Result Assessment.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from node.domain.label import LabelRule, SourceKind, Verdict
from node.domain.label_document import LabelDocument, NamedImage
from node.domain.label_text import Vocabulary, said_of_classes
from node.domain.rejection import RejectionCode
from node.pipeline.labels.assessment import assessed
from node.pipeline.labels.report_findings import Word, found_in
from node.store.labelling.own_reports import OwnReport

QUALITY_ISSUE = "113010"
_OF_A_DEVICE = "a device says it, and no person verified it"
_OF_AN_AI = "its manufacturer is in [study] ai_manufacturers, and it names no person as its observer"
_BY_NOBODY = "it does not say that a person made it, and it is not verified"


@dataclass(frozen=True, slots=True)
class Known:
    """What this node knows that an object itself does not say."""

    device_uids: frozenset[str] = frozenset()  #: of this node's models
    reports: Mapping[str, OwnReport] = field(default_factory=dict)  #: of the reports that the object names, by UID
    echoes: frozenset[str] = frozenset()  #: tracking UIDs in it under which this node's reports have said findings
    is_own: bool = False  #: whether its equipment is a model of this node
    ai_manufacturers: frozenset[str] = frozenset()  #: in lower case: what they make is no person's word


@dataclass(frozen=True, slots=True)
class Understood:
    """What an object says in the end."""

    verdict: Verdict
    words: tuple[Word, ...] = ()
    excluded: tuple[NamedImage, ...] = ()
    reason: str = ""  #: why it labels nothing, or not all that it says


def understood(document: LabelDocument, vocabulary: Vocabulary, titles: Mapping[str, str], known: Known) -> Understood:
    """Return what an object says, by the first rule that fits.

    Parameters
    ----------
    document
        As it stands.
    vocabulary
        What the classes are called.
    titles
        By SCHEME:VALUE of a Key Object's title, the text as which it counts.
    known
        What the node knows beside it.
    """
    observed = not known.device_uids.isdisjoint(document.device_uids) and not document.says_person
    if known.is_own or observed:
        return Understood(Verdict.IGNORED, reason="a model of this node says it")
    if document.kind is SourceKind.KEY_OBJECT:
        return _of_key_objects(document, vocabulary, titles, known)
    if not (document.says_person or document.verified):
        if document.says_device:
            return Understood(Verdict.IGNORED, reason=_OF_A_DEVICE)
        return Understood(Verdict.UNMAPPED, reason=_BY_NOBODY)
    assessment = assessed(document, known.reports.values())
    echoes = frozenset[str]() if assessment.is_one else known.echoes  # a changed finding keeps its tracking UID
    words, problems = found_in(document, vocabulary, echoes, _images(document, known))
    return _together(assessment.words or words, [*assessment.problems, *problems])


def _of_key_objects(
    document: LabelDocument, vocabulary: Vocabulary, titles: Mapping[str, str], known: Known
) -> Understood:
    title = document.title
    code = title.value if title is not None and title.scheme == "DCM" else ""
    if code in set(RejectionCode):
        return Understood(Verdict.IGNORED, reason="it is a rejection note: `pacs-node rejections` says what it did")
    images = _images(document, known)
    if not images:
        return Understood(Verdict.UNMAPPED, reason="it names no image")
    if code == QUALITY_ISSUE:
        return Understood(Verdict.EXCLUDED, excluded=images)
    if machine := _of_a_machine(document, known):
        return Understood(Verdict.IGNORED, reason=machine)
    by_text = _of_texts(document.texts, vocabulary, images, LabelRule.KEY_OBJECT_TEXT)
    if by_text.words or by_text.reason:
        return by_text
    mapped = titles.get(f"{title.scheme}:{title.value}", "") if title is not None else ""
    by_title = _of_texts((mapped,), vocabulary, images, LabelRule.TITLE)
    return by_title if by_title.words else Understood(Verdict.UNMAPPED, reason="its text names no class")


def _of_a_machine(document: LabelDocument, known: Known) -> str:
    """Return why no person says what a Key Object says, or "" where one may."""
    if document.says_person:
        return ""
    if document.says_device:
        return _OF_A_DEVICE
    return _OF_AN_AI if any(name.strip().lower() in known.ai_manufacturers for name in document.makers) else ""


def _of_texts(
    texts: Sequence[str], vocabulary: Vocabulary, images: tuple[NamedImage, ...], rule: LabelRule
) -> Understood:
    """Return what the first text that names a class says; what is in doubt there is not sought elsewhere."""
    for text in texts:
        said = said_of_classes(text, vocabulary)
        if said:
            words = [Word(one.class_name, one.present, rule, images) for one in said if one.present is not None]
            doubts = [f"{one.class_name}: {one.why_not}" for one in said if one.present is None]
            return _together(words, doubts)
    return Understood(Verdict.UNMAPPED)


def _together(words: Sequence[Word], problems: Sequence[str]) -> Understood:
    """Return what is left when nothing may stand that speaks of a single frame, or contradicts itself."""
    frames = {word for word in words if not word.present and any(image.of_frames for image in word.images)}
    kept = [word for word in words if word not in frames]
    contrary = {word.class_name for word in kept for other in kept if word.contradicts(other)}
    said = [
        *problems,
        *(f"{word.class_name}: it is absent from single frames, and the image is not said" for word in frames),
        *(f"{name}: it says of one image both that it is there and that it is not" for name in sorted(contrary)),
    ]
    left = tuple(dict.fromkeys(word for word in kept if word.class_name not in contrary))
    reason = "; ".join(dict.fromkeys(said))
    if left:
        return Understood(Verdict.LABELLED, left, reason=reason)
    return Understood(Verdict.UNMAPPED, reason=reason or "it names no class")


def _images(document: LabelDocument, known: Known) -> tuple[NamedImage, ...]:
    """Return the instances that a document names, without this node's reports."""
    return tuple(image for image in document.images if image.sop_instance_uid not in known.reports)
