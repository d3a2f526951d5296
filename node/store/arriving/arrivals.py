"""Many instances recorded at once, in few statements: the way of every received image.

What is decided about an instance is its caller's business; here it is looked up and written, in the order of UIDs, so
that two processes that write the same rows wait for each other and never in a circle.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import itemgetter
from typing import Any

from sqlalchemy import ClauseElement, literal, select, union_all

from node.domain.rejection import RejectionCode
from node.store.arriving import instances, studies
from node.store.arriving.instances import NewInstance
from node.store.connection.driver_statement import Among, Lookup, Statement
from node.store.connection.upsert import insert_for
from node.store.database import Transaction
from node.store.tables.choices import InstanceKind
from node.store.tables.image_tables import Instance
from node.store.tables.operation_tables import Rejection
from node.store.tables.result_tables import Rendition

_HELD, _OWN, _REJECTED = range(3)  # what a UID is known as


@dataclass(frozen=True, slots=True)
class Known:
    """What the database knows of some SOP Instance UIDs."""

    held: frozenset[str]  #: those under which an instance is stored
    own: frozenset[str]  #: those of reports that this node made
    rejected: frozenset[str] = frozenset()  #: those that a rejection note called wrong, whether they are stored or not


def known_among(tx: Transaction, sop_uids: Collection[str]) -> Known:
    """Return which of these UIDs are stored, which are those of this node's own reports, and which are rejected."""
    found = _KNOWN.rows(tx, list(sop_uids))
    return Known(*(frozenset(uid for uid, kind in found if kind == wanted) for wanted in (_HELD, _OWN, _REJECTED)))


def add_all(tx: Transaction, arrivals: Sequence[NewInstance]) -> None:
    """Store new instances and bring their studies up to date.

    Of the images of one study the last in the list gives the patient's identity. An image moves the study's
    `last_received_at`; anything else moves neither.

    Parameters
    ----------
    tx
        The transaction.
    arrivals
        Instances of any number of studies, in the order in which they came; no UID twice.

    Raises
    ------
    sqlalchemy.exc.IntegrityError
        Where a UID is already stored; `known_among` tells before.
    """
    by_study: dict[str, list[NewInstance]] = {}
    for arrival in arrivals:
        by_study.setdefault(arrival.header.study_instance_uid, []).append(arrival)
    studies.put_all(tx, [_study(of_study) for of_study in by_study.values()])
    rows = [row for of_study in by_study.values() for row in _rows(of_study)]
    _ADD.run(tx, sorted(rows, key=itemgetter("sop_instance_uid")))


def _rows(of_study: Sequence[NewInstance]) -> Iterator[dict[str, Any]]:
    """Yield the rows of a study's instances, with how many images came after each: its header is as much older."""
    later = 0
    for arrival in reversed(of_study):
        yield instances.as_row(arrival) | {"of_study": arrival.header.study_instance_uid, "before_last": later}
        later += arrival.kind is InstanceKind.IMAGE


def _study(arrivals: Sequence[NewInstance]) -> dict[str, Any]:
    """Return the row of a study of which these came, in this order."""
    images = [arrival for arrival in arrivals if arrival.kind is InstanceKind.IMAGE]
    newest = images[-1] if images else arrivals[0]
    return studies.row(newest.header) | {
        "first_received_at": min(map(_received_at, arrivals)),
        "last_received_at": max(map(_received_at, images)) if images else None,
        "origin": newest.origin,
        "headers": len(images),
    }


def _received_at(arrival: NewInstance) -> datetime:
    return arrival.received_at


def _known(among: Among) -> ClauseElement:
    held = select(Instance.sop_instance_uid, literal(_HELD)).where(among(Instance.sop_instance_uid))
    own = select(Rendition.sop_instance_uid, literal(_OWN)).where(among(Rendition.sop_instance_uid))
    called_wrong = Rejection.code_value != RejectionCode.RETENTION.value
    rejected = select(Rejection.sop_instance_uid, literal(_REJECTED)).where(among(Rejection.sop_instance_uid))
    return union_all(held, own, rejected.where(called_wrong))


_KNOWN = Lookup(_known)
_LATER = ("removed_at", "header_number")  # columns that an arrival leaves empty, or does not know
_ADD = Statement(
    lambda dialect: insert_for(dialect, Instance).values(header_number=studies.header_number()),
    tuple(name for name in Instance.__table__.columns.keys() if name not in _LATER),  # noqa: SIM118 - not a dict
)
