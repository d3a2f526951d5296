"""A copy in the quarantine, and an operator who decides: it counts from then on, or it goes."""

from typing import Any

import numpy as np
import pytest

from node.dicom.instance.part10 import read_part10
from node.domain.errors import OperatorError
from node.pipeline.intake import quarantine_decisions
from node.pipeline.intake.recovery import Recovered
from node.store.arriving.quarantine import FORMER
from node.store.working import job_claims
from tests.support.databases.claimed import claim_one
from tests.support.houses.house import PIXELS, House, radiograph
from tests.test_docs import documented_json_keys

_ACCEPTED = "FROM audit WHERE event = 'quarantined copy accepted'"
FIRST = radiograph()
SECOND = radiograph(np.flipud(PIXELS).copy(), patient_age="004Y")


def _listed(house: House) -> list[dict[str, Any]]:
    return quarantine_decisions.listed(house.settings())


def _dataset(house: House, path: str) -> bytes:
    return read_part10(house.folder / path).dataset


@pytest.fixture
def contradicted(house: House) -> House:
    """Give a house that holds an image, which was read, and a copy of its UID with other pixels."""
    assert house.receive(FIRST) == 0x0000
    house.execute("UPDATE jobs SET state = 'done'")
    assert house.receive(SECOND) == 0x0111
    return house


def test_the_listing_says_what_contradicts_what(contradicted: House) -> None:
    """With the keys of the manual, and both files to open in a viewer."""
    (row,) = _listed(contradicted)
    assert set(row) == set(documented_json_keys("quarantine"))
    assert row["reason"] == "other pixels under the same UID"
    assert (row["study_instance_uid"], row["sop_instance_uid"]) == ("1.2.3", "1.2.3.1.1")
    assert _dataset(contradicted, row["path"]) == SECOND.dataset
    assert _dataset(contradicted, row["held_path"]) == FIRST.dataset


def test_an_accepted_copy_counts_and_the_former_is_kept(contradicted: House) -> None:
    """Its file lies among the others, its header counts, it is read and composed again; nothing is left to do."""
    (row,) = _listed(contradicted)
    said = quarantine_decisions.accept(contradicted.settings(), row["id"], "tech", contradicted.clock())
    assert "counts from now on" in said
    ((path, newest, header),) = contradicted.rows("SELECT path, newest_path, header FROM instances")
    assert path == newest
    assert _dataset(contradicted, path) == SECOND.dataset
    assert "004Y" in str(header)
    ((kind, reason, kept),) = contradicted.rows("SELECT kind, reason, path FROM instance_copies")
    assert (kind, reason) == ("revision", FORMER)
    assert _dataset(contradicted, kept) == FIRST.dataset
    assert not contradicted.kept("quarantine")
    assert contradicted.rows("SELECT kind, state FROM jobs ORDER BY kind") == [
        ("compose", "waiting"),
        ("read", "waiting"),
    ]
    assert _listed(contradicted) == []
    assert contradicted.recovery.run() == Recovered()
    (entry,) = contradicted.rows(f"SELECT study_instance_uid, detail {_ACCEPTED}")
    assert entry[0] == "1.2.3"
    assert "tech" in str(entry[1])


def test_after_an_acceptance_both_copies_may_come_again(contradicted: House) -> None:
    """The one that counts is nothing new; the former is answered as the second was, and not kept twice."""
    quarantine_decisions.accept(contradicted.settings(), _listed(contradicted)[0]["id"], "tech", contradicted.clock())
    assert contradicted.receive(SECOND) == 0x0000
    assert contradicted.receive(FIRST) == 0x0111
    assert _listed(contradicted) == []
    assert len(contradicted.kept("instances")) == 2


def test_a_read_that_runs_meanwhile_is_done_once_more(contradicted: House) -> None:
    """It has the former pixels in hand."""
    contradicted.execute("UPDATE jobs SET state = 'waiting' WHERE kind = 'read'")
    job = contradicted.database.write(lambda tx: claim_one(tx, ["read"], contradicted.clock(), 60, "w"))
    assert job is not None
    quarantine_decisions.accept(contradicted.settings(), _listed(contradicted)[0]["id"], "tech", contradicted.clock())
    contradicted.database.write(lambda tx: job_claims.finish(tx, job, contradicted.clock()))
    assert contradicted.rows("SELECT state FROM jobs WHERE kind = 'read'") == [("waiting",)]


def test_a_copy_of_another_study_takes_the_image_there(house: House) -> None:
    """Both studies are composed again, and the timelines of both say why."""
    house.receive(FIRST)
    house.execute("UPDATE jobs SET state = 'done'")
    assert house.receive(radiograph(np.flipud(PIXELS).copy(), study_instance_uid="1.2.4")) == 0x0111
    quarantine_decisions.accept(house.settings(), _listed(house)[0]["id"], "tech", house.clock())
    assert house.rows("SELECT study_instance_uid FROM instances") == [("1.2.4",)]
    composes = "SELECT study_instance_uid, state FROM jobs WHERE kind = 'compose' ORDER BY study_instance_uid"
    assert house.rows(composes) == [("1.2.3", "waiting"), ("1.2.4", "waiting")]
    assert house.rows(f"SELECT study_instance_uid {_ACCEPTED} ORDER BY study_instance_uid") == [("1.2.3",), ("1.2.4",)]


def test_a_copy_is_accepted_where_the_held_file_is_gone(contradicted: House) -> None:
    """Then nothing is missing any more."""
    contradicted.kept("instances")[0].unlink()
    said = quarantine_decisions.accept(
        contradicted.settings(), _listed(contradicted)[0]["id"], "tech", contradicted.clock()
    )
    assert "was gone already" in said
    assert not contradicted.rows("SELECT * FROM instance_copies")
    assert contradicted.recovery.run() == Recovered()


def test_a_discarded_copy_leaves_its_entry_alone(contradicted: House) -> None:
    """File and row are gone, the timeline says who did it, and what counts stays as it is."""
    before = contradicted.rows("SELECT path, newest_path, header_number FROM instances")
    quarantine_decisions.discard(contradicted.settings(), _listed(contradicted)[0]["id"], "tech", contradicted.clock())
    assert not contradicted.kept("quarantine")
    assert not contradicted.rows("SELECT * FROM instance_copies")
    assert contradicted.rows("SELECT path, newest_path, header_number FROM instances") == before
    assert len(contradicted.rows("SELECT * FROM audit WHERE event = 'quarantined copy discarded'")) == 1
    assert contradicted.recovery.run() == Recovered()
    assert contradicted.receive(SECOND) == 0x0111


def test_the_number_of_a_copy_is_never_that_of_another(contradicted: House) -> None:
    """Whoever noted it to discard it later finds it gone, and no other object in its place."""
    noted = _listed(contradicted)[0]["id"]
    quarantine_decisions.discard(contradicted.settings(), noted, "tech", contradicted.clock())
    assert contradicted.receive(SECOND) == 0x0111
    assert _listed(contradicted)[0]["id"] > noted
    with pytest.raises(OperatorError, match=f"no copy {noted} is in the quarantine"):
        quarantine_decisions.discard(contradicted.settings(), noted, "tech", contradicted.clock())


@pytest.mark.parametrize("decide", [quarantine_decisions.accept, quarantine_decisions.discard])
def test_what_is_not_in_the_quarantine_is_said_so(contradicted: House, decide: Any) -> None:
    """A number that nobody has, and one that was decided on already."""
    (row,) = _listed(contradicted)
    with pytest.raises(OperatorError, match="no copy 999 is in the quarantine"):
        decide(contradicted.settings(), 999, "tech", contradicted.clock())
    decide(contradicted.settings(), row["id"], "tech", contradicted.clock())
    with pytest.raises(OperatorError, match="is in the quarantine"):
        decide(contradicted.settings(), row["id"], "tech", contradicted.clock())


def test_a_copy_whose_file_is_gone_can_only_be_discarded(contradicted: House) -> None:
    """Nothing changes, and the way out is named."""
    (row,) = _listed(contradicted)
    (contradicted.folder / row["path"]).unlink()
    with pytest.raises(OperatorError, match="put it back from a backup, or discard"):
        quarantine_decisions.accept(contradicted.settings(), row["id"], "tech", contradicted.clock())
    assert len(contradicted.kept("instances")) == 1
    quarantine_decisions.discard(contradicted.settings(), row["id"], "tech", contradicted.clock())
    assert _listed(contradicted) == []
