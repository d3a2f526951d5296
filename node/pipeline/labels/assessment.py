"""A person's word on a report of this node: accepted, rejected, or changed.

No code of such assessments is in general use yet, so they are told by their meaning, in a coded value beside a
reference to the report; a value that could mean two of them means none.

References
----------
IHE RAD AI Result Assessment (2025); DICOM PS3.16 CID 3217 (agreement with findings).
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from enum import Enum

from node.domain.finding import Code, StudyFinding
from node.domain.label import LabelRule
from node.domain.label_document import LabelDocument, NamedImage
from node.domain.label_text import normalised
from node.pipeline.labels.report_findings import Word
from node.store.labelling.own_reports import OwnReport


class _Answer(Enum):
    ACCEPTED = "accepted"
    REJECTED = "rejected"
    CHANGED = "changed"


_CODES = {
    "DCM:122775": _Answer.ACCEPTED,  # Agreement with prior findings
    "DCM:122776": _Answer.REJECTED,  # Disagreement with prior findings
    "SCT:385645004": _Answer.ACCEPTED,
}
_MEANINGS = {
    **dict.fromkeys(("accept", "accepted", "agree", "agreed", "confirmed"), _Answer.ACCEPTED),
    **dict.fromkeys(("接受", "已接受", "同意", "认可", "确认"), _Answer.ACCEPTED),
    **dict.fromkeys(("reject", "rejected", "disagree", "disagreed", "refuted", "declined"), _Answer.REJECTED),
    **dict.fromkeys(("拒绝", "已拒绝", "不同意", "否定"), _Answer.REJECTED),
    **dict.fromkeys(("modify", "modified", "accepted with modifications", "changed", "amended"), _Answer.CHANGED),
    **dict.fromkeys(("修改", "已修改", "修改后接受"), _Answer.CHANGED),
}


@dataclass(frozen=True, slots=True)
class Assessment:
    """What follows for classes, and why nothing does."""

    words: tuple[Word, ...] = ()
    problems: tuple[str, ...] = ()
    is_one: bool = False  #: whether it is a word on a report of this node at all, also one that says what was changed


def assessed(document: LabelDocument, reports: Collection[OwnReport]) -> Assessment:
    """Return what a person's word on reports of this node says of classes; nothing where it is none.

    Parameters
    ----------
    document
        What the person wrote.
    reports
        Those of this node that it names.
    """
    answers = {answer for code in document.verdicts if (answer := _answer(code)) is not None}
    if not reports or not answers:
        return Assessment()
    if answers == {_Answer.CHANGED}:  # what was changed stands among its findings
        return Assessment(is_one=True)
    if len(answers) > 1:
        return Assessment(problems=("it both accepts and rejects a report of this node",), is_one=True)
    words, problems = list[Word](), list[str]()
    for report in reports:
        of_report = [finding for finding in report.findings if finding.assessed]
        if answers == {_Answer.REJECTED} and len(of_report) > 1:
            problems.append("it rejects a report of several findings, and does not say which")
        elif not of_report:
            problems.append("the report that it speaks of assessed nothing")
        else:
            words += _words(report, of_report, is_right=answers == {_Answer.ACCEPTED})
    return Assessment(tuple(words), tuple(problems), is_one=True)


def _answer(code: Code) -> _Answer | None:
    return _CODES.get(f"{code.scheme}:{code.value}") or _MEANINGS.get(normalised(code.meaning))


def _words(report: OwnReport, findings: list[StudyFinding], *, is_right: bool) -> Iterator[Word]:
    """Yield what stands: of an accepted finding the images that showed it, of all else the study as a whole."""
    study = report.study_instance_uid
    for finding in findings:
        keys = finding.key_images if is_right and finding.present else ()
        images = tuple(NamedImage(study, "", key.sop_instance_uid) for key in keys)
        studies = () if images else (study,)
        yield Word(finding.name, finding.present is is_right, LabelRule.ASSESSMENT, images, studies)
