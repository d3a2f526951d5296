"""The whole main job between programs that nobody here wrote: DCMTK sends, DCMTK and Orthanc receive."""

from collections import Counter
from pathlib import Path

import pytest
from pydicom import dcmread

from tests.peers.conftest import Site
from tests.support.objects.reports import Report
from tests.support.programs.validators import dciodvfy, pixelmed

pytestmark = [pytest.mark.peers, pytest.mark.timeout(480)]


def studies_in(paths: list[Path]) -> Counter[str]:
    """Count the files of each study."""
    return Counter(str(dcmread(path, stop_before_pixels=True).StudyInstanceUID) for path in paths)


def identities(reports: list[Report]) -> dict[str, str]:
    """Return the identity of the report of each study."""
    return {report.study: report.uid for report in reports}


def test_dcmtk_and_orthanc_each_receive_exactly_one_report_for_each_study(site: Site) -> None:
    """As many reports as studies, for the same studies, at either receiver; none came twice."""
    expected = studies_in(site.sent[:-1])
    assert Counter(report.study for report in site.at_receiver()) == expected
    assert Counter(report.study for report in site.at_pacs()) == expected


def test_both_receivers_hold_the_same_report(site: Site) -> None:
    """A study's report has one identity, whoever gets it."""
    assert identities(site.at_receiver()) == identities(site.at_pacs())


def test_every_report_says_whether_the_image_was_assessed(site: Site) -> None:
    """A report either states certainties or says "not assessed"; what is no chest radiograph is never assessed."""
    for report in site.at_receiver():
        assert report.not_assessed == (not report.certainties)
        assert all(0 <= certainty <= 100 for certainty in report.certainties)
        assert report.not_assessed or site.kind == "chest"


def test_most_chest_radiographs_are_assessed(site: Site) -> None:
    """Admission turns away what is foreign, and lets the images pass that the model was made for."""
    if site.kind == "chest":
        assessed = [report for report in site.at_receiver() if not report.not_assessed]
        assert len(assessed) >= len(site.sent[:-1]) * 3 // 4


def test_dciodvfy_finds_no_error_in_any_report(site: Site) -> None:
    """Valid by the definition of the object, as DCMTK holds it and as Orthanc gives it out."""
    reports = [*site.at_receiver(), *site.at_pacs()]
    assert {report.path.name: dciodvfy(report.path) for report in reports} == {
        report.path.name: [] for report in reports
    }


def test_pixelmed_finds_no_error_in_any_report(site: Site) -> None:
    """Valid by the templates of PS3.16; one copy of each report, because the copies are compared elsewhere."""
    paths = [report.path for report in site.at_receiver()]
    assert pixelmed(paths) == {path: [] for path in paths}


def test_reports_that_orthanc_sends_back_start_nothing(site: Site) -> None:
    """No job, no report and no delivery comes of our own objects; a study that Orthanc sends after them is read."""
    known, before = identities(site.at_receiver()), site.node.home.listing("deliveries")
    came_back = site.pacs.find(Modality="SR")
    account = site.pacs.sends("NODE", came_back)
    assert (account["InstancesCount"], account["FailedInstancesCount"]) == (len(known), 0)
    assert site.node.home.open_work() == []
    assert site.node.home.listing("deliveries") == before

    # what the returned reports could have started would be done before a study that was sent after them
    image = site.pacs.keeps(site.sent[-1])
    assert site.pacs.sends("NODE", [image])["FailedInstancesCount"] == 0
    site.wait_for_reports(len(known) + 1)
    assert Counter(report.study for report in site.at_receiver()) == studies_in(site.sent)
    assert known.items() <= identities(site.at_receiver()).items()
    assert len(site.node.home.listing("studies")) == len(site.sent)
