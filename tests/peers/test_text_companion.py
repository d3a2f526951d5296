"""Text companions of every outcome, in every language that ships, before dicom3tools and DCMTK."""

import html
from dataclasses import replace
from pathlib import Path

import pytest
from pydicom import dcmread

from node.dicom.check.report_content import BASIC_TEXT_SR
from node.dicom.companions.plain_text import build_text
from node.dicom.instance.part10 import preamble_and_meta
from node.domain.identifiers import SeriesInstanceUID, SOPInstanceUID, derived_uid
from node.domain.words import languages, words_in
from tests.support.objects.reports import concept, content_items
from tests.support.objects.studies import CASES, IMPLICIT_VR_LITTLE_ENDIAN, NAMES, Study, study_of
from tests.support.programs.validators import dcentvfy, dciodvfy, dsr2html, dsrdump

pytestmark = pytest.mark.peers

TITLE = "AI research result, as text"


def _file(study: Study, folder: Path) -> Path:
    uid = SOPInstanceUID(derived_uid("text", study.identity.sop_instance_uid, study.content.language))
    series = SeriesInstanceUID(derived_uid("text series", study.identity.series_instance_uid))
    identity = replace(study.identity, sop_instance_uid=uid, series_instance_uid=series, sop_class_uid=BASIC_TEXT_SR)
    path = folder / "text.dcm"
    encoded = build_text(study.content, identity, study.sources)
    path.write_bytes(preamble_and_meta(BASIC_TEXT_SR, uid, IMPLICIT_VR_LITTLE_ENDIAN) + encoded)
    return path


@pytest.mark.parametrize("character_set", NAMES, ids=lambda name: name or "ASCII")
@pytest.mark.parametrize("language", languages())
@pytest.mark.parametrize("case", CASES)
def test_nobody_finds_anything_in_a_text_companion(
    case: str, language: str, character_set: str, tmp_path: Path
) -> None:
    """Its definition, its images' patient and study, its tree; and every line stands on the page that DCMTK makes."""
    study = study_of(tmp_path, case, character_set).saying(language=language)
    path, page = _file(study, tmp_path), tmp_path / "text.html"
    sources = [source for source in study.sources if isinstance(source, Path)]
    found = [*dciodvfy(path, "BasicTextSR"), *dcentvfy(sources, path), *dsrdump(path, TITLE), *dsr2html(path, page)]
    assert found == []
    lines = [str(item.TextValue) for item in content_items(dcmread(path)) if concept(item) == "121106"]
    assert lines[0] == words_in(language).line("research", model="starter", version="1.0.0")
    shown = html.unescape(page.read_text(encoding="utf-8"))
    assert [line for line in lines if line not in shown] == []
