"""The first report made before the first study: its libraries take as long to load as many reports to write."""

from datetime import UTC, datetime

from node.domain.finding import Admission, Code, Finding, Outcome, Reading
from node.domain.identifiers import SeriesInstanceUID, SOPInstanceUID, StudyInstanceUID
from node.domain.instance import InstanceHeader
from node.domain.report import ModelIdentity, ReportContent, report_identity

_STUDY, _IMAGE = StudyInstanceUID("2.25.1"), SOPInstanceUID("2.25.3")
_DX, _EXPLICIT, _SR = "1.2.840.10008.5.1.4.1.1.1.1", "1.2.840.10008.1.2.1", "1.2.840.10008.5.1.4.1.1.88.34"
_SOMETHING, _SOMEWHERE = Code("404684003", "SCT", "Clinical finding"), Code("51185008", "SCT", "Thorax")


def warm_reports() -> None:
    """Make a report of nobody and drop it; in the process that composes, before the first study is complete."""
    from node.dicom.report.build import build_report  # noqa: PLC0415 - a process that only receives never imports it

    header = InstanceHeader(_DX, _IMAGE, _STUDY, SeriesInstanceUID("2.25.2"), _EXPLICIT, rows=1, columns=1)
    model = ModelIdentity("warm", "1", "2.25.4")
    finding = Finding("something", _SOMETHING, _SOMEWHERE, probability=0.0, threshold=0.5)
    reading = Reading(_IMAGE, Admission(admitted=True, score=0.0, limit=1.0), (finding,))
    content = ReportContent(_STUDY, model, Outcome.NEGATIVE, (reading,), datetime.now(UTC))
    build_report(content, report_identity(_STUDY, model, (_IMAGE,), _SR), [header])
