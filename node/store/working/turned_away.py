"""Complete studies that get no result of a model because of the number of their images, each with the reason.

What a rule says of one image stands in the instance's row; this is of the study as a whole.
"""

from datetime import datetime

from sqlalchemy import Select, delete, func, select

from node.domain.rule import IS_OFF
from node.store.connection.upsert import insert_into
from node.store.database import Transaction
from node.store.tables.image_tables import Instance
from node.store.tables.work_tables import TurnedAwayStudy


def put(tx: Transaction, study_uid: str, model: str, reason: str, now: datetime) -> bool:
    """Note why a study gets no result of a model; return whether that is news."""
    before = tx.get(TurnedAwayStudy, (study_uid, model), populate_existing=True)
    if before is not None and before.reason == reason:
        return False
    new = insert_into(tx, TurnedAwayStudy).values(study_instance_uid=study_uid, model=model, reason=reason, at=now)
    key = [TurnedAwayStudy.study_instance_uid, TurnedAwayStudy.model]
    tx.execute(new.on_conflict_do_update(index_elements=key, set_={"reason": reason, "at": now}))
    return True


def has(tx: Transaction, study_uid: str, model: str) -> bool:
    """Return whether a study gets no result of a model, as its last compose found."""
    return tx.get(TurnedAwayStudy, (study_uid, model), populate_existing=True) is not None


def clear(tx: Transaction, study_uid: str, model: str) -> None:
    """Forget it: the study gets a result of the model."""
    this = (TurnedAwayStudy.study_instance_uid == study_uid, TurnedAwayStudy.model == model)
    tx.execute(delete(TurnedAwayStudy).where(*this), execution_options={"synchronize_session": False})


def studies_while_off(tx: Transaction, model: str) -> int:
    """Return how many studies hold images that came while a model was off, and that it therefore does not read."""
    said = Instance.turned_away[model].as_string() == IS_OFF
    return tx.execute(select(func.count(Instance.study_instance_uid.distinct())).where(said)).scalar_one()


def among(tx: Transaction, chosen: Select[str]) -> dict[str, dict[str, str]]:
    """Return {study: {model: reason}} of those of the chosen studies that get no result of a model."""
    found: dict[str, dict[str, str]] = {}
    chosen_rows = select(TurnedAwayStudy).where(TurnedAwayStudy.study_instance_uid.in_(chosen))
    for row in tx.scalars(chosen_rows.order_by(TurnedAwayStudy.model)):
        found.setdefault(row.study_instance_uid, {})[row.model] = row.reason
    return found
