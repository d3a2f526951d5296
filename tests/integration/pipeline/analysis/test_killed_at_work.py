"""SIGKILL at every step of reading and composing, and what the next start makes of it."""

from dataclasses import replace

import pytest
from pydicom import Dataset

from node.pipeline.steps import AnalysisReached, ComposeStep, ReadStep
from node.store.database import Database
from node.store.working import job_claims
from tests.support.houses.house import House, radiograph
from tests.support.houses.killed_at import killed_at
from tests.support.houses.line import Line

_OF_EACH = {ReadStep: 2, ComposeStep: 1}  #: how often a step is taken: by each image, and by the study


@pytest.mark.parametrize("step", [*ReadStep, *ComposeStep])
def test_a_kill_at_any_step_leaves_each_image_read_once_and_one_report(
    house: House, step: ReadStep | ComposeStep
) -> None:
    """What was kept before stays, what was in hand is done again, and nothing is there twice.

    The first image is read before the process dies at the second, so that there is something that must not be lost.
    """
    line = Line(house)
    for uid in ("1.2.3.1.1", "1.2.3.1.2"):
        house.receive(radiograph(sop_instance_uid=uid))
    killed_at(step, lambda reached: _report(house, reached), times=_OF_EACH[type(step)])
    house.database.write(lambda tx: job_claims.rescue(tx, house.clock(), max_attempts=line.attempts, everything=True))
    line.report()
    line.report()
    assert house.rows("SELECT DISTINCT state FROM jobs") == [("done",)]
    assert house.rows("SELECT sop_instance_uid FROM readings ORDER BY 1") == [("1.2.3.1.1",), ("1.2.3.1.2",)]
    assert house.rows("SELECT count(*) FROM audit WHERE event = 'instance read'") == [(2,)]
    for table in ("analyses", "deliveries"):
        assert house.rows(f"SELECT count(*) FROM {table}") == [(1,)], table  # noqa: S608 - names of this file
    forms = [row[0] for row in house.rows("SELECT sop_class_uid FROM renditions")]
    assert len(set(forms)) == len(forms)
    assert {_named(report) for report in line.reports()} == {("1.2.3.1.1", "1.2.3.1.2")}


def _named(report: Dataset) -> tuple[str, ...]:
    (study,) = report.CurrentRequestedProcedureEvidenceSequence
    (series,) = study.ReferencedSeriesSequence
    return tuple(sorted(image.ReferencedSOPInstanceUID for image in series.ReferencedSOPSequence))


def _report(house: House, reached: AnalysisReached) -> None:
    Line(replace(house, database=Database.open(house.url)), reached=reached).report()
