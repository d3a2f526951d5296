"""What the reports of this node said, as far as reading what a person says of them needs it."""

from collections.abc import Callable
from datetime import datetime

from node.domain.finding import Outcome
from node.domain.identifiers import SeriesInstanceUID, SOPInstanceUID, StudyInstanceUID
from node.store.database import Database, Transaction
from node.store.labelling import own_reports
from node.store.tables.choices import DeliveryKind
from node.store.working import analyses
from node.store.working.analyses import NewAnalysis, NewRendition


def test_a_tracking_uid_is_looked_for_in_reports_alone(
    database: Database, add_instance: Callable[..., object], later: Callable[[float], datetime]
) -> None:
    """A heat map is megabytes of pixels, and names no finding by its tracking UID."""

    def fill(tx: Transaction) -> None:
        add_instance(tx)
        new = NewAnalysis(StudyInstanceUID("1.2.3"), "starter", "1", Outcome.POSITIVE, "d", "c", "k", later(0))
        number = analyses.add(tx, new)
        for kind, said in ((DeliveryKind.REPORT, b"... 2.25.71 ..."), (DeliveryKind.HEATMAP, b"... 2.25.72 ...")):
            uid = SOPInstanceUID(f"1.2.9.{kind}")
            made = NewRendition("1", uid, SeriesInstanceUID("1.2.8"), "1.2", said, kind=kind)
            analyses.add_rendition(tx, number, made)

    database.write(fill)
    said = database.read(lambda tx: own_reports.said_under(tx, ["1.2.3"], ["2.25.71", "2.25.72"]))
    assert said == {"2.25.71"}
