"""What two models said of the same images: pairs of results, so that one in shadow is compared with its champion."""

from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import Select, and_, exists, select
from sqlalchemy.orm import aliased

from node.domain.finding import Outcome
from node.store.database import Transaction
from node.store.tables.result_tables import Analysis
from node.store.tables.version_tables import RegisteredModel

_FETCHED_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Pair:
    """The newest results of two models for one study, each of its registered version, of the same images."""

    study_instance_uid: str
    models: tuple[str, str]  #: by name
    outcomes: tuple[Outcome, Outcome]
    present: tuple[dict[str, bool], dict[str, bool]]  #: whether it is there, by class


def pairs(tx: Transaction) -> Iterator[Pair]:
    """Yield all pairs, those of one two models together, the newest first."""
    one, other = aliased(Analysis), aliased(Analysis)
    same_input = and_(
        one.study_instance_uid == other.study_instance_uid,
        one.inputs_digest == other.inputs_digest,
        one.model < other.model,
    )
    columns = (
        *(one.study_instance_uid, one.model, other.model, one.outcome, other.outcome),
        *(one.findings, other.findings),
    )
    query = select(*columns).join(other, same_input)
    for each in (one, other):
        query = _newest_of_registered(query, each)
    ordered = query.order_by(one.model, other.model, other.id.desc())
    for row in tx.execute(ordered.execution_options(yield_per=_FETCHED_AT_ONCE)):
        uid, first, second, of_first, of_second, found, found_too = row
        yield Pair(uid, (first, second), (of_first, of_second), (_present(found), _present(found_too)))


def _newest_of_registered(query: Select[tuple[object, ...]], each: type[Analysis]) -> Select[tuple[object, ...]]:
    newer = aliased(Analysis)
    registered = and_(RegisteredModel.name == each.model, RegisteredModel.version == each.version)
    followed = exists().where(
        newer.study_instance_uid == each.study_instance_uid, newer.model == each.model, newer.id > each.id
    )
    return query.where(exists().where(registered), ~followed)


def _present(findings: list[dict[str, object]]) -> dict[str, bool]:
    return {str(finding["name"]): bool(finding["present"]) for finding in findings}
