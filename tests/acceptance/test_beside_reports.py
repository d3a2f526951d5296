"""All that a peer may get of one image, made by the node as a process: the report, its text, and its heat maps."""

from pathlib import Path

from pydicom import Dataset, dcmread

from node.demo.pacs import StandInPacs
from node.demo.samples import Sample, samples
from node.domain.chosen_heat_maps import SECONDARY_CAPTURE
from node.domain.profile import COMPREHENSIVE_3D_SR
from node.domain.report import BASIC_TEXT_SR
from tests.support.databases.kinds import MakeFolder
from tests.support.nodes.process import AE_TITLE, MODALITY, Peer, serving

_FLAGGED = "synthetic chest, pneumonia 2"  # by the starter, and unlike its normals


def test_a_flagged_image_comes_back_as_report_text_and_heat_maps_and_once_more_where_asked(
    tmp_path: Path, node_folder: MakeFolder
) -> None:
    """Read, written and drawn by the node's child process with the starter model."""
    (sample,) = (one for one in samples() if one.title == _FLAGGED)
    (tmp_path / "image.dcm").write_bytes(sample.part10)
    (tmp_path / "came").mkdir()
    pacs = StandInPacs(tmp_path / "came", "PACS")
    peer = Peer("pacs", "PACS", pacs.start(), gets_reports=True, beside=("text", "heatmap"))
    home = node_folder(tmp_path / "node", [MODALITY, peer])
    try:
        with serving(home) as node:
            to = f"{AE_TITLE}@127.0.0.1:{node.port}"
            assert home.run("send", str(tmp_path / "image.dcm"), "--to", to, "--from", "MODALITY").returncode == 0
            first = _came(pacs, sample, 4)
            assert "reported anew" in home.run("studies", sample.study_instance_uid, "--recompose").stdout
            second = _came(pacs, sample, 8)[4:]
    finally:
        pacs.stop()
    for came in (first, second):
        assert [one.SOPClassUID for one in came] == [COMPREHENSIVE_3D_SR, BASIC_TEXT_SR, *[SECONDARY_CAPTURE] * 2]
        assert len({(one.PatientID, one.StudyInstanceUID) for one in came}) == 1
        assert all(one.pixel_array.shape == (one.Rows, one.Columns, 3) for one in came[2:])
    assert len({one.SOPInstanceUID for one in (*first, *second)}) == 8
    assert [_predecessor(one) for one in second[:2]] == [one.SOPInstanceUID for one in first[:2]]


def _came(pacs: StandInPacs, sample: Sample, count: int) -> list[Dataset]:
    uid = sample.study_instance_uid
    assert pacs.wait_for(lambda came: len(came.get(uid, ())) == count, 90), pacs.reports
    return [dcmread(path) for path in pacs.reports[uid]]


def _predecessor(document: Dataset) -> str:
    (series,) = document.PredecessorDocumentsSequence[0].ReferencedSeriesSequence
    (one,) = series.ReferencedSOPSequence
    return str(one.ReferencedSOPInstanceUID)
