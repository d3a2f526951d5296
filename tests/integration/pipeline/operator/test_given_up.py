"""Work that was given up is told: a fault in `check`, and a line in the log that leads to its study."""

import queue
import random
from datetime import UTC, datetime
from pathlib import Path

import pytest
from structlog.testing import capture_logs
from typer.testing import CliRunner, Result

from node.app.parts import Parts, about
from node.cli import application
from node.config import Settings
from node.domain.errors import OperatorError, Permanent
from node.pipeline.check_line import CheckLine
from node.pipeline.checks import work_checks
from node.pipeline.stopping import control
from node.runtime.keeping import Keeper
from node.runtime.loop import WorkLoop
from node.store.registering import registry
from node.store.tables.choices import JobKind, Mode
from tests.support.databases.claimed import claim_one
from tests.support.houses.house import House, radiograph
from tests.support.houses.line import PACS, Line


@pytest.fixture
def settings(house: House) -> Settings:
    """Give a site with one peer."""
    return house.settings(peers=[PACS])


@pytest.fixture
def line(house: House) -> Line:
    """Give a node with a report that waits."""
    line = Line(house)
    house.receive(radiograph())
    line.report()
    return line


@pytest.fixture
def parts(line: Line, settings: Settings) -> Parts:
    """Give what the loops of a node are joined from."""
    house, jitter = line.house, random.Random(1)
    given = (settings, house.database, house.files, line.catalogue, house.clock, jitter)
    return Parts(*given, house.wake, lambda _: None, Keeper(60.0))


def _told(line: Line, settings: Settings) -> list[CheckLine]:
    return list(work_checks.lines(settings, line.house.database))


def test_check_calls_it_a_fault_and_says_how_to_see_and_to_retry_it(line: Line, settings: Settings) -> None:
    """With its study; somebody waits for that result."""
    assert _told(line, settings) == []
    line.house.execute("UPDATE jobs SET state = 'buried' WHERE kind = 'compose'")
    line.house.execute("UPDATE deliveries SET state = 'buried'")
    said = _told(line, settings)
    assert [(told.subject, told.verdict) for told in said] == [("queue", "fault"), ("deliveries", "fault")]
    for told in said:
        assert f"1 were given up, so that results are missing, of study 1.2.3: `pacs-node {told.subject}`" in told.text
        assert "`pacs-node retry --all` tries them again" in told.text


def test_an_image_of_which_a_report_says_that_it_could_not_be_read_is_no_fault(line: Line, settings: Settings) -> None:
    """Until one says so, somebody waits for it."""
    line.house.execute("UPDATE jobs SET state = 'buried' WHERE kind = 'read'")
    (told,) = _told(line, settings)
    assert (told.verdict, told.text[:28]) == ("note", "1 images could not be read, ")
    line.house.execute("UPDATE jobs SET state = 'waiting' WHERE kind = 'compose'")
    assert [told.verdict for told in _told(line, settings)] == ["fault"]


@pytest.mark.database("any")
def test_a_delivery_that_was_given_up_can_be_discarded(line: Line, settings: Settings) -> None:
    """By its number; then nobody is told of it any more, and the study keeps who said so."""
    line.house.execute("UPDATE deliveries SET state = 'buried'")
    (row,) = line.deliveries()
    assert "1 deliveries discarded" in control.release_deliveries(settings, [row["id"]], "ada", _now(), discard=True)
    assert _told(line, settings) == []
    assert [row["state"] for row in line.deliveries()] == ["cancelled"]
    (told,) = [entry["detail"] for entry in line.study()["timeline"] if entry["event"] == "delivery cancelled"]
    assert told["by"] == "ada"


def test_a_compose_that_was_given_up_can_be_discarded(line: Line, settings: Settings) -> None:
    """With the images that could not be read: nobody is told of them any more, and the study keeps who said so."""
    line.house.execute("UPDATE deliveries SET state = 'done'")
    line.house.execute("UPDATE jobs SET state = 'buried', last_error = 'no room'")
    jobs = {row["kind"]: row["id"] for row in line.study()["jobs"]}
    with pytest.raises(OperatorError, match=f"no composes that were given up: {jobs['read']}"):
        control.discard_jobs(settings, list(jobs.values()), "ada", _now())
    assert [told.verdict for told in _told(line, settings)] == ["fault"]
    assert "1 jobs discarded" in control.discard_jobs(settings, [jobs["compose"]], "ada", _now())
    assert [told.verdict for told in _told(line, settings)] == ["note"]
    (told,) = [entry["detail"] for entry in line.study()["timeline"] if entry["event"] == "job cancelled"]
    assert (told["by"], told["job"], told["error"]) == ("ada", jobs["compose"], "no room")
    with pytest.raises(OperatorError, match="no composes that were given up"):
        control.discard_jobs(settings, [jobs["compose"]], "ada", _now())


@pytest.mark.database("any")
def test_the_verb_discards_a_job_only_where_it_is_said(line: Line, tmp_path: Path) -> None:
    """`retry` is what puts one back; what is of deliveries or models goes without it."""
    line.house.execute("UPDATE jobs SET state = 'buried' WHERE kind = 'compose'")
    ((number,),) = line.house.rows("SELECT id FROM jobs WHERE kind = 'compose'")
    file = tmp_path / "config.toml"
    tables = '[node]\nae_title = "A"\n[[peers]]\nname = "m"\nae_title = "M"\nhost = "m"\nport = 104\nmay_send = true\n'
    file.write_text(f'{tables}[database]\nurl = "{line.house.url}"\n')

    def released(*options: str) -> Result:
        return CliRunner().invoke(application, ["--config", str(file), "release", "--job", str(number), *options])

    for options, told in (((), "needs --discard"), (("--discard", "--delivery", "1"), "one of them")):
        refused = released(*options).exception
        assert isinstance(refused, OperatorError)
        assert refused.exit_code == 2
        assert told in str(refused)
    assert released("--discard").output.startswith("1 jobs discarded")
    assert line.house.rows("SELECT state FROM jobs WHERE kind = 'compose'") == [("cancelled",)]


def test_an_image_that_comes_has_a_discarded_study_reported(house: House, settings: Settings) -> None:
    """What an operator gave up on was the study as it was; it is listed as such until then."""
    line = Line(house)
    house.receive(radiograph())
    assert line.read() == 1
    house.execute("UPDATE jobs SET state = 'buried' WHERE kind = 'compose'")
    ((number,),) = house.rows("SELECT id FROM jobs WHERE kind = 'compose'")
    control.discard_jobs(settings, [number], "ada", _now())
    assert line.study()["state"] == "discarded"
    house.receive(radiograph(sop_instance_uid="1.2.3.1.9"))
    assert house.rows("SELECT state FROM jobs WHERE kind = 'compose'") == [("waiting",)]
    line.report()
    assert line.study()["state"] == "reported"


@pytest.mark.database("any")
def test_what_the_mode_keeps_here_is_no_fault(line: Line, settings: Settings) -> None:
    """An operator has put the model into shadow, so nobody waits for it."""
    line.house.execute("UPDATE deliveries SET state = 'buried'")
    line.house.database.write(lambda tx: registry.set_mode(tx, "starter", Mode.SHADOW))
    (told,) = _told(line, settings)
    assert (told.subject, told.verdict) == ("deliveries", "note")
    line.house.execute("UPDATE deliveries SET kind = 'rejection_note'")
    (told,) = _told(line, settings)
    assert told.verdict == "fault", "what takes a report back is waited for in any mode"


@pytest.mark.database("any")
def test_the_log_names_the_study_of_a_delivery_that_was_given_up(line: Line) -> None:
    """Beside the reason, so that an alarm leads somewhere."""
    delivery = line.claim_delivery()
    assert delivery is not None
    with capture_logs() as logged:
        line.courier(PACS).fail(delivery, Permanent("the peer takes no reports"))
    (told,) = [entry for entry in logged if entry["event"] == "delivery given up"]
    assert (told["study_instance_uid"], told["peer"], told["log_level"]) == ("1.2.3", "pacs", "error")
    assert told["reason"] == "the peer takes no reports"


@pytest.mark.database("any")
def test_the_log_names_the_study_of_a_job_that_was_given_up(line: Line, parts: Parts) -> None:
    """Of a reading, too, of which the loop itself says nothing."""
    line.house.receive(radiograph(sop_instance_uid="1.2.3.1.9"))
    now = line.house.clock()
    job = line.house.database.write(lambda tx: claim_one(tx, [JobKind.READ], now, 60, "test"))
    assert job is not None
    with capture_logs() as logged:
        parts.fail_job(job, Permanent("pixels unreadable"))
    (told,) = logged
    assert (told["event"], told["study_instance_uid"], told["kind"]) == ("job given up", "1.2.3", "read")
    assert (told["sop_instance_uid"], told["reason"]) == ("1.2.3.1.9", "pixels unreadable")


def _now() -> datetime:
    return datetime.now(UTC)


@pytest.mark.database("any")
def test_the_log_names_the_study_of_work_that_failed(line: Line) -> None:
    """Whether or not it is tried again."""
    delivery = line.claim_delivery()
    claims, failed = iter([delivery]), queue.SimpleQueue[str]()

    def handle(_: object) -> None:
        raise Permanent("no")

    loop = WorkLoop("deliver", lambda: next(claims, None), handle, lambda *_: failed.put("failed"), _now, _now, about)
    with capture_logs() as logged:
        loop.start()
        assert failed.get(timeout=10) == "failed"
        loop.finish()
        assert loop.ended(10)
    (told,) = [entry for entry in logged if entry["event"] == "work failed"]
    assert (told["study_instance_uid"], told["reason"]) == ("1.2.3", "no")
