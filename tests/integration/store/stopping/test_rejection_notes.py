"""Which analyses rest on rejected images, on both databases."""

from collections.abc import Callable
from datetime import datetime

from node.domain.finding import Outcome
from node.domain.identifiers import SOPInstanceUID, StudyInstanceUID
from node.domain.rejection import Named, RejectionCode
from node.store.database import Database, Transaction
from node.store.listing import views
from node.store.stopping import rejection_notes
from node.store.working import analyses, queue
from node.store.working.analyses import NewAnalysis
from node.store.working.queue import NewRead
from tests.support.databases.stored import Later

STUDY, FIRST, SECOND = "1.2.3", "1.2.3.1", "1.2.3.2"


def _analysed(tx: Transaction, model: str, at: datetime) -> int:
    return analyses.add(tx, NewAnalysis(StudyInstanceUID(STUDY), model, "1", Outcome.POSITIVE, "d", "c", "k", at))


def _reject(tx: Transaction, uid: str, at: datetime, code: RejectionCode = RejectionCode.QUALITY) -> bool:
    named = [Named(StudyInstanceUID(STUDY), SOPInstanceUID(uid))]
    return rejection_notes.put(tx, f"1.2.99.{uid[-1]}", code, named, "PACS", at)


def test_only_results_of_a_model_that_was_to_read_the_image_rest_on_it(
    database: Database, add_instance: Callable[..., object], now: datetime, later: Later
) -> None:
    """And only those that were made after it came and before it was rejected."""

    def prepare(tx: Transaction) -> dict[str, int]:
        for uid in (FIRST, SECOND):
            add_instance(tx, uid)
        queue.enqueue_reads(tx, [NewRead(FIRST, STUDY, "starter"), NewRead(SECOND, STUDY, "digits")], now)
        made = {model: _analysed(tx, model, later(10)) for model in ("starter", "digits")}
        assert _reject(tx, FIRST, later(20))
        assert not _reject(tx, FIRST, later(21))  # the same note again
        return made | {"afterwards": _analysed(tx, "starter", later(30))}

    made = database.write(prepare)

    def is_untrue(number: int) -> bool:
        return database.read(lambda tx: rejection_notes.is_untrue(tx, number))

    assert {name for name, number in made.items() if is_untrue(number)} == {"starter"}


def test_a_study_all_of_whose_images_are_rejected_is_listed_as_such(
    database: Database, add_instance: Callable[..., object], now: datetime, later: Later
) -> None:
    """With how many; one that was only removed for its age counts until it comes again."""

    def listed() -> tuple[str, int]:
        (row,) = database.read(lambda tx: views.studies(tx, now=now))
        return row["state"], row["rejected"]

    database.write(lambda tx: [add_instance(tx, uid) for uid in (FIRST, SECOND)])
    database.write(lambda tx: _reject(tx, FIRST, later(5)))
    assert listed() == ("not read", 1)
    database.write(lambda tx: _reject(tx, SECOND, later(5), RejectionCode.RETENTION))
    assert listed() == ("rejected", 2)
    assert database.write(lambda tx: rejection_notes.restore(tx, SECOND))
    assert listed() == ("not read", 1)
