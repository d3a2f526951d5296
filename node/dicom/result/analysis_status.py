"""How the analyses of a report went, in code: what (111065, DCM, Summary of Analyses) says, and why.

References
----------
DICOM PS3.16 CID 6042 (Result Status); reasons from CID 42 (Numeric Value Qualifier), CID 800 (Protocol Assertion) and
CID 9300 (Procedure Discontinuation Reason), as their definitions in Annex D read
"""

from collections.abc import Iterable

from highdicom.sr import CodedConcept

from node.dicom.result import codes
from node.dicom.result.lines import cause_of
from node.domain.finding import Admission, Cause, Reading
from node.domain.report import ReportContent

_NOT_ATTEMPTED: dict[Cause, CodedConcept] = {
    Cause.OUTSIDE_LIMITS: codes.OUTSIDE_LIMITS,
    Cause.FRAMES_OUTSIDE_LIMITS: codes.OUTSIDE_LIMITS,
    Cause.TOO_MANY_FRAMES: codes.OUTSIDE_LIMITS,
    Cause.FILE_REMOVED: codes.SET_INCOMPLETE,
}
_FAILED: dict[Cause, CodedConcept] = {
    Cause.UNDECODABLE: codes.INCORRECTLY_FORMATTED,
    Cause.NOT_FINITE: codes.CALCULATION_FAILURE,
    Cause.READING_FAILED: codes.EQUIPMENT_FAILURE,
}
_REASONS: dict[Cause, CodedConcept] = _NOT_ATTEMPTED | _FAILED


def status_of_study(content: ReportContent) -> CodedConcept:
    """Return how the analyses of a study went: a part of one succeeds in part."""
    status = _status_of_all([status_of(reading) for reading in content.readings])
    return codes.PARTIALLY_SUCCEEDED if status == codes.SUCCEEDED and content.unread else status


def reasons_of_study(content: ReportContent) -> list[CodedConcept]:
    """Return why images were not assessed, each reason once."""
    return _once(reason_of(one.admission) for one in content.readings if not one.admission.admitted)


def status_of(reading: Reading) -> CodedConcept:
    """Return how it went for one image: not attempted where it may not be read, failed where reading it did."""
    admission = reading.admission
    if admission.admitted:
        whole = all(frame.admitted for frame in reading.frames)
        return codes.SUCCEEDED if whole else codes.PARTIALLY_SUCCEEDED
    return codes.FAILED if cause_of(admission) in _FAILED else codes.NOT_ATTEMPTED


def reason_of(admission: Admission) -> CodedConcept:
    """Return why an image was not assessed: as its model said, or as the Standard calls the cause."""
    if admission.reason is not None:
        return codes.concept(admission.reason)
    return _REASONS[cause_of(admission)]


def _status_of_all(statuses: list[CodedConcept]) -> CodedConcept:
    """Return how the analyses of all images went; where none succeeded, one that failed counts most."""
    if codes.SUCCEEDED in statuses or codes.PARTIALLY_SUCCEEDED in statuses:
        return codes.SUCCEEDED if all(it == codes.SUCCEEDED for it in statuses) else codes.PARTIALLY_SUCCEEDED
    return codes.FAILED if codes.FAILED in statuses else codes.NOT_ATTEMPTED


def _once(reasons: Iterable[CodedConcept]) -> list[CodedConcept]:
    return list({(one.value, one.scheme_designator): one for one in reasons}.values())
