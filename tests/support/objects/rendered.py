"""A report as DCMTK's dsr2html renders it, item by item; and what was meant, from the values that it was made from."""

import html
import re
from collections.abc import Iterator

from pydicom import Dataset

from node.domain.finding import Anomaly, Finding, Reading
from node.domain.report import ModelIdentity
from tests.support.objects.studies import Study

Item = tuple[str, str]
"""Name and value; a container has no value."""

_ANNEX = re.compile(r'<h2><a name="annex_dst_(\d+)".*?</h2>\n(.*?)(?=<h2>|<hr>)', re.DOTALL)
_TO_ANNEX = re.compile(
    r'<span class="under">[^<]*</span>: [^\n\[]*\[<a name="annex_src_\d+" href="#annex_dst_(\d+)">.*'
)
_LINK = re.compile(r'<a href="[^"]*=([0-9.]+\+[0-9.]+)[^"]*">[^<]*</a>')
_ITEM = re.compile(
    r"<h\d>(?P<container>[^<]*)</h\d>"
    r'|<span class="under">[^<]*</span>: (?P<name>[^\n=]*) = (?P<value>[^\n]*)'
    r"|<b>(?P<title>[^<]*):</b><br>\n(?P<said>[^\n]*)"
)


def rendered(page: str) -> list[Item]:
    """Return the content items of a page in their order, those that it keeps in an annex in their places."""
    body, _, annexes = page.partition("<hr>")[2].partition("<h1>Annex</h1>")
    kept = dict(_ANNEX.findall(annexes))
    body = _LINK.sub(r"\1", _TO_ANNEX.sub(lambda found: _LINK.sub(r"\1", kept[found[1]]), body))
    return [_item(found) for found in _ITEM.finditer(body)]


def _item(found: re.Match[str]) -> Item:
    if found["container"] is not None:
        return html.unescape(found["container"]), ""
    said = re.sub("<[^>]*>", "", found["value"] if found["name"] is not None else found["said"])
    value = html.unescape(said)
    quoted = len(value) > 1 and value[0] == value[-1] == '"'
    return html.unescape(found["name"] or found["title"]), value[1:-1] if quoted else value


def in_tree(item: Dataset) -> Iterator[Item]:
    """Yield the content items of a report as its dataset has them, in the order of the tree."""
    yield item.ConceptNameCodeSequence[0].CodeMeaning, _value(item)
    for child in item.get("ContentSequence", ()):
        yield from in_tree(child)


def _value(item: Dataset) -> str:
    match item.ValueType:
        case "CODE":
            return _coded(item.ConceptCodeSequence[0])
        case "NUM":
            measured = item.MeasuredValueSequence[0]
            return f"{measured.NumericValue} {measured.MeasurementUnitsCodeSequence[0].CodeValue}"
        case "IMAGE":
            referenced = item.ReferencedSOPSequence[0]
            return f"{referenced.ReferencedSOPClassUID}+{referenced.ReferencedSOPInstanceUID}"
        case "SCOORD":
            return str(item.GraphicType).capitalize()
        case "UIDREF":
            return str(item.UID)
        case _:
            return str(item.get("TextValue", ""))


def _coded(code: Dataset) -> str:
    return f"{code.CodeMeaning} ({code.CodeValue}, {code.CodingSchemeDesignator})"


def groups_in(items: list[Item]) -> list[list[Item]]:
    """Return what stands in each measurement group."""
    starts = [place for place, item in enumerate(items) if item == ("Measurement Group", "")]
    return [items[start:end] for start, end in zip(starts, [*starts[1:], len(items)], strict=True)]


def meant(study: Study) -> list[list[Item]]:
    """Return what each measurement group of a report that goes into all images is to hold, among other things."""
    return [
        [*group, *_algorithm(study.content.model)]
        for reading in study.content.readings
        for group in _groups_of(reading)
    ]


def _groups_of(reading: Reading) -> Iterator[list[Item]]:
    if not reading.admission.admitted:
        yield _not_assessed(reading)
    for finding in reading.findings:
        yield _found(finding)
    if reading.anomaly is not None:
        yield _unusual(reading.anomaly)


def _found(finding: Finding) -> list[Item]:
    code, site = finding.finding, finding.site
    return [
        ("Finding", f"{code.meaning} ({code.value}, {code.scheme})"),
        ("Finding Site", f"{site.meaning} ({site.value}, {site.scheme})"),
        ("Certainty of Finding", f"{round(100 * finding.probability, 4)} %"),
        (code.meaning, "Present (52101004, SCT)" if finding.present else "Absent (2667000, SCT)"),
    ]


def _unusual(anomaly: Anomaly) -> list[Item]:
    return [("Finding", "Abnormality (C9440, NCIt)"), ("Z-score", f"{round(anomaly.z_score, 4)} {{SD}}")]


def _not_assessed(reading: Reading) -> list[Item]:
    reason = reading.admission.reason
    if reason is None:
        return [("Summary of Analyses", "Failed (111224, DCM)")]
    why = f"{reason.meaning} ({reason.value}, {reason.scheme})"
    return [("Summary of Analyses", "Not Attempted (111225, DCM)"), ("Conclusion", why)]


def _algorithm(model: ModelIdentity) -> list[Item]:
    family = "Artificial Intelligence (123110, DCM)"
    return [("Algorithm Name", model.name), ("Algorithm Version", model.version), ("Algorithm Family", family)]
