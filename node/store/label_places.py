"""What a row of labels may name, held against what is here: studies, series and images, and accession numbers."""

from sqlalchemy import func, select

from node.domain.label import Label
from node.store.database import Transaction
from node.store.tables import Instance, InstanceKind, Study


def fault(tx: Transaction, accession: str, study: str, series: str, instance: str) -> str:
    """Return how the UIDs of a row contradict what is here; "" where they do not, or where nothing of it is here."""
    held = _held(tx, instance)
    if held is not None and held.kind is not InstanceKind.IMAGE:
        return f"instance {instance} is here and is no image"
    if held is not None and series and held.series_instance_uid != series:
        return f"instance {instance} is not of series {series}, but of {held.series_instance_uid}"
    of_series = _study_of_series(tx, series)
    found = held.study_instance_uid if held is not None else of_series
    if found and study and found != study:
        return f"what it names is not of study {study}, but of {found}"
    return _fault_of_number(tx, accession, study or found)


def filled(tx: Transaction, accession: str, study: str, series: str, instance: str) -> tuple[str, str]:
    """Return study and series of a row, as far as it says them or what is here does; "" else."""
    held = _held(tx, instance)
    if held is not None:
        return held.study_instance_uid, held.series_instance_uid
    numbered = _studies_of(tx, accession) if accession and not (study or series or instance) else []
    return study or _study_of_series(tx, series) or (numbered[0] if len(numbered) == 1 else ""), series


def is_here(tx: Transaction, label: Label) -> bool:
    """Return whether anything that a label speaks of is here."""
    if label.sop_instance_uid:
        return _held(tx, label.sop_instance_uid) is not None
    if label.series_instance_uid:
        return bool(_study_of_series(tx, label.series_instance_uid))
    return bool(label.study_instance_uid) and tx.get(Study, label.study_instance_uid) is not None


def _fault_of_number(tx: Transaction, accession: str, study: str) -> str:
    if not accession:
        return ""
    if study:
        known = tx.scalar(select(Study.accession_number).where(Study.study_instance_uid == study))
        differs = known is not None and known not in {"", accession}
        return f"study {study} has the accession number {known}, not {accession}" if differs else ""
    several = _studies_of(tx, accession)
    return f"accession number {accession} is that of {len(several)} studies: name one" if len(several) > 1 else ""


def _held(tx: Transaction, instance: str) -> Instance | None:
    return tx.get(Instance, instance) if instance else None


def _studies_of(tx: Transaction, accession: str) -> list[str]:
    query = select(Study.study_instance_uid).where(Study.accession_number == accession)
    return sorted(tx.scalars(query.limit(100)))


def _study_of_series(tx: Transaction, series: str) -> str:
    if not series:
        return ""
    return tx.scalar(select(func.min(Instance.study_instance_uid)).where(Instance.series_instance_uid == series)) or ""
