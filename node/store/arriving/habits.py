"""What senders were seen to do: the longest gap between two images within each of their latest studies.

A study that is closed again, because an image came late, says more than it did, and not the same twice: a gap stands
beside the study of which it was learnt, and the later one takes the earlier one's place.
"""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select

from node.domain.completion import HABITS_KEPT, longest_gap_s
from node.store.connection.driver_statement import Lookup
from node.store.connection.upsert import insert_into
from node.store.database import Transaction
from node.store.tables.choices import InstanceKind
from node.store.tables.image_tables import Instance
from node.store.tables.operation_tables import SenderHabit
from node.store.working.closing import is_read


def gaps_of(tx: Transaction, calling_ae_titles: Sequence[str]) -> dict[str, list[float]]:
    """Return the longest gaps in seconds of each sender, the latest study's last; those that are known."""
    known = _GAPS.rows(tx, calling_ae_titles)
    return {title: [gap if isinstance(gap, int | float) else gap[0] for gap in gaps] for title, gaps in known}


def learn(tx: Transaction, study_uid: str, calling_ae_titles: Sequence[str], at_most_s: float, now: datetime) -> None:
    """Remember the longest gap within a study that has just been closed, for those of these titles that sent it.

    Only images that some model reads count, as they alone are waited for.

    Parameters
    ----------
    tx
        The transaction that closes the study.
    study_uid
        Whose images.
    calling_ae_titles
        The senders to learn of.
    at_most_s
        A longer gap counts as this one.
    now
        Aware.
    """
    times: dict[str, list[datetime]] = {}
    of_study = Instance.study_instance_uid == study_uid, Instance.kind == InstanceKind.IMAGE
    came = select(Instance.calling_ae_title, Instance.received_at).where(
        *of_study, Instance.calling_ae_title.in_(calling_ae_titles), is_read()
    )
    for title, at in tx.execute(came):
        times.setdefault(title, []).append(at)
    known = dict(_GAPS.rows(tx, sorted(times))) if times else {}
    for title in sorted(times):  # the same order in every process, so that none waits in a circle
        of_others = [gap for gap in known.get(title, ()) if isinstance(gap, int | float) or gap[1] != study_uid]
        gaps_s = [*of_others, [longest_gap_s(times[title], at_most_s), study_uid]][-HABITS_KEPT:]
        put = insert_into(tx, SenderHabit).values(calling_ae_title=title, gaps_s=gaps_s, updated_at=now)
        values = {"gaps_s": gaps_s, "updated_at": now}
        tx.execute(put.on_conflict_do_update(index_elements=["calling_ae_title"], set_=values))


_GAPS = Lookup(
    lambda among: select(SenderHabit.calling_ae_title, SenderHabit.gaps_s).where(among(SenderHabit.calling_ae_title))
)
