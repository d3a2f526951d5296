"""What a study comes to in one line: what is in it, where it stands, what came of it.

Everything is gathered for all listed studies at once, a query for each kind of fact, so that a listing costs the same
however much each study holds.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from sqlalchemy import Select, Text, cast, func, select

from node.domain.lifecycle import OPEN_STATES, State
from node.store.arriving import synthetic_marks
from node.store.database import Transaction
from node.store.listing.listings import Listed, iso
from node.store.stopping import holds, rejection_notes
from node.store.tables.choices import DeliveryKind, InstanceKind, JobKind
from node.store.tables.image_tables import Instance, Study
from node.store.tables.operation_tables import Rejection
from node.store.tables.result_tables import Analysis, Delivery
from node.store.tables.work_tables import Job
from node.store.working import turned_away

NEWEST_FIRST = (Study.first_received_at.desc(), Study.study_instance_uid)

_WORST_FIRST = (State.BURIED, State.HELD, State.RUNNING, State.WAITING, State.CANCELLED, State.DONE)

Chosen = Select[str]
"""The studies of a listing, as a query: a long listing would not fit into the parameters of one."""


def summaries(tx: Transaction, chosen: Chosen, now: datetime) -> list[Listed]:
    """Return one dict for each chosen study; `node.store.listing.views.studies` names the keys."""
    rows = tx.scalars(select(Study).where(Study.study_instance_uid.in_(chosen)).order_by(*NEWEST_FIRST)).all()
    contents, work, results, sent = _contents(tx, chosen), _work(tx, chosen), _results(tx, chosen), _sent(tx, chosen)
    marked, of_number = synthetic_marks.among(tx, chosen), turned_away.among(tx, chosen)
    held, rejected = _held(tx, chosen), _rejected(tx, chosen)
    return [
        {
            **_identity(row),
            **_content(
                contents[row.study_instance_uid],
                {model for model, *_ in work[row.study_instance_uid]},
                of_number.get(row.study_instance_uid, {}),
            ),
            "synthetic": row.study_instance_uid in marked,
            "state": _state(
                work[row.study_instance_uid],
                now,
                reported=row.study_instance_uid in results,
                is_turned_away=row.study_instance_uid in of_number,
                held=State.HELD in sent[row.study_instance_uid].values(),
                rejected=0 < _images(contents[row.study_instance_uid]) <= rejected.get(row.study_instance_uid, 0),
            ),
            "outcomes": results.get(row.study_instance_uid, {}),
            "deliveries": sent[row.study_instance_uid],
            "hold": held.get(row.study_instance_uid),
            "rejected": rejected.get(row.study_instance_uid, 0),
        }
        for row in rows
    ]


def _identity(row: Study) -> Listed:
    return {
        "study_instance_uid": row.study_instance_uid,
        "patient_id": row.patient_id,
        "patient_name": row.patient_name,
        "accession_number": row.accession_number,
        "study_date": row.study_date,
        "study_description": row.study_description,
        "first_received_at": iso(row.first_received_at),
        "last_received_at": iso(row.last_received_at),
        "closed_by": row.closed_by,
        "closed_at": iso(row.closed_at),
        "origin": row.origin.value,
    }


_Content = tuple[InstanceKind, str, str, int]  # kind, modality, turned_away as JSON text, how many


def _contents(tx: Transaction, chosen: Chosen) -> defaultdict[str, list[_Content]]:
    # grouped in the database: a CT study has thousands of instances that all say the same
    alike = (Instance.study_instance_uid, Instance.kind, Instance.modality, cast(Instance.turned_away, Text))
    query = select(*alike, func.count()).where(Instance.study_instance_uid.in_(chosen)).group_by(*alike)
    grouped: defaultdict[str, list[_Content]] = defaultdict(list)
    for uid, kind, modality, refused, count in tx.execute(query):
        grouped[uid].append((kind, modality, refused, count))
    return grouped


def _content(contents: Iterable[_Content], reading_models: set[str], of_number: Mapping[str, str]) -> Listed:
    images = [content for content in contents if content[0] is InstanceKind.IMAGE]
    reasons: dict[str, str] = {}
    for _, _, refused, _ in contents:
        reasons |= json.loads(refused)
    return {
        "modalities": sorted({modality for _, modality, _, _ in images if modality}),
        "instances": sum(count for *_, count in images),
        "other_objects": sum(count for kind, _, _, count in contents if kind is not InstanceKind.IMAGE),
        "turned_away": {model: reasons[model] for model in sorted(reasons) if model not in reading_models}
        | dict(of_number),
    }


_Work = tuple[str, JobKind, State, datetime]  # model, kind, state, latest due time of such jobs


def _work(tx: Transaction, chosen: Chosen) -> defaultdict[str, list[_Work]]:
    alike = (Job.study_instance_uid, Job.model, Job.kind, Job.state)
    query = select(*alike, func.max(Job.due_at)).where(Job.study_instance_uid.in_(chosen)).group_by(*alike)
    grouped: defaultdict[str, list[_Work]] = defaultdict(list)
    for uid, model, kind, state, due_at in tx.execute(query):
        grouped[uid].append((model, kind, state, due_at))
    return grouped


def _images(contents: Iterable[_Content]) -> int:
    return sum(count for kind, _, _, count in contents if kind is InstanceKind.IMAGE)


def _state(
    work: Sequence[_Work], now: datetime, *, reported: bool, is_turned_away: bool, held: bool, rejected: bool
) -> str:
    states = {state for _, _, state, _ in work}
    discarded = {model for model, kind, state, _ in work if (kind, state) == (JobKind.COMPOSE, State.CANCELLED)}
    if any(state is State.BURIED and model not in discarded for model, _, state, _ in work):
        return "buried"
    if State.RUNNING in states:
        return "reading"
    if any(kind is JobKind.COMPOSE and state is State.WAITING and due_at > now for _, kind, state, due_at in work):
        return "receiving"
    settled = (
        *(("waiting", State.WAITING in states), ("rejected", rejected), ("held", held), ("reported", reported)),
        ("turned away", is_turned_away),
        ("discarded", bool(discarded)),
    )
    return next((name for name, is_so in settled if is_so), "not read")


def _held(tx: Transaction, chosen: Chosen) -> dict[str, str]:
    """Return the hold, in words, that keeps back what has not left of each study."""
    in_force = holds.in_force(tx)
    if not in_force:
        return {}
    open_ones = select(Analysis.study_instance_uid, Analysis.model, Delivery).join(
        Delivery, Delivery.analysis_id == Analysis.id
    )
    of_these = open_ones.where(Analysis.study_instance_uid.in_(chosen), Delivery.state.in_(OPEN_STATES))
    return {
        uid: hold.said
        for uid, model, delivery in tx.execute(of_these)
        for hold in reversed(in_force)
        if hold.covers(model, delivery)
    }


def _rejected(tx: Transaction, chosen: Chosen) -> dict[str, int]:
    """Return how many images of each study are rejected; it begins at the few that are, not at all images."""
    count = func.count(Instance.sop_instance_uid.distinct())
    named = select(Instance.study_instance_uid, count).join(
        Rejection, Rejection.sop_instance_uid == Instance.sop_instance_uid
    )
    images = Instance.study_instance_uid.in_(chosen), Instance.kind == InstanceKind.IMAGE, rejection_notes.counts()
    return dict(tx.execute(named.where(*images).group_by(Instance.study_instance_uid)).all())


def _newest(chosen: Chosen) -> Select[int]:
    of_these = select(func.max(Analysis.id)).where(Analysis.study_instance_uid.in_(chosen))
    return of_these.group_by(Analysis.study_instance_uid, Analysis.model)


def _results(tx: Transaction, chosen: Chosen) -> dict[str, dict[str, str]]:
    newest = select(Analysis.study_instance_uid, Analysis.model, Analysis.outcome).where(
        Analysis.id.in_(_newest(chosen))
    )
    results: dict[str, dict[str, str]] = {}
    for uid, model, outcome in tx.execute(newest.order_by(Analysis.model)):
        results.setdefault(uid, {})[model] = outcome.value
    return results


def _sent(tx: Transaction, chosen: Chosen) -> defaultdict[str, dict[str, str]]:
    """Return the state of each peer's newest delivery; a report that told nothing new has none of its own."""
    is_report = Delivery.kind == DeliveryKind.REPORT
    counts = (Analysis.study_instance_uid.in_(chosen), Delivery.state != State.CANCELLED, is_report)
    whose = (Analysis.study_instance_uid, Analysis.model, Delivery.peer)
    newest = (
        select(func.max(Delivery.id))
        .join(Analysis, Delivery.analysis_id == Analysis.id)
        .where(*counts)
        .group_by(*whose)
    )
    query = (
        select(Analysis.study_instance_uid, Delivery.peer, Delivery.state)
        .join(Analysis, Delivery.analysis_id == Analysis.id)
        .where(Delivery.id.in_(newest))
    )
    found: defaultdict[str, dict[str, str]] = defaultdict(dict)
    # the worst comes last, so that it is what stays
    for uid, peer, state in sorted(tx.execute(query), key=lambda row: -_WORST_FIRST.index(row[2])):
        found[uid][peer] = state.value
    return found
