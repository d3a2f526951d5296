"""What labels may name, held against what is here: studies, series and images, and accession numbers."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from sqlalchemy import select

from node.store.connection.driver_statement import Lookup
from node.store.database import Transaction
from node.store.tables.choices import InstanceKind
from node.store.tables.image_tables import Instance, Study


@dataclass(frozen=True, slots=True)
class Place:
    """What a label says of where it belongs; "" for what it does not say."""

    accession: str = ""
    study: str = ""
    series: str = ""
    instance: str = ""


@dataclass(frozen=True, slots=True)
class _Held:
    study: str
    series: str
    is_image: bool


@dataclass(frozen=True, slots=True)
class Places:
    """What is here of what some labels name, asked once for all of them."""

    instances: Mapping[str, _Held] = field(default_factory=dict)
    study_of_series: Mapping[str, str] = field(default_factory=dict)
    number_of_study: Mapping[str, str] = field(default_factory=dict)
    studies_of_number: Mapping[str, list[str]] = field(default_factory=dict)

    def fault(self, named: Place) -> str:
        """Return how what is named contradicts what is here; "" where it does not, or where nothing of it is here."""
        held = self.instances.get(named.instance)
        if held is not None and not held.is_image:
            return f"instance {named.instance} is here and is no image"
        if held is not None and named.series not in {"", held.series}:
            return f"instance {named.instance} is not of series {named.series}, but of {held.series}"
        found = held.study if held is not None else self.study_of_series.get(named.series, "")
        if found and named.study not in {"", found}:
            return f"what it names is not of study {named.study}, but of {found}"
        return self._fault_of_number(named.accession, named.study or found)

    def filled(self, named: Place) -> tuple[str, str]:
        """Return study and series, as what is here says them, or else the label; "" where neither does."""
        held = self.instances.get(named.instance)
        if held is not None:
            return held.study, held.series
        study = named.study or self.study_of_series.get(named.series, "")
        if study or named.series or named.instance:
            return study, named.series
        numbered = self.studies_of_number.get(named.accession, [])
        return numbered[0] if len(numbered) == 1 else "", ""

    def is_here(self, named: Place) -> bool:
        """Return whether anything that is named is here."""
        if named.instance:
            return named.instance in self.instances
        if named.series:
            return named.series in self.study_of_series
        return named.study in self.number_of_study or named.accession in self.studies_of_number

    def _fault_of_number(self, accession: str, study: str) -> str:
        if not accession:
            return ""
        if study:
            known = self.number_of_study.get(study, "")
            differs = known not in {"", accession}
            return f"study {study} has the accession number {known}, not {accession}" if differs else ""
        several = len(self.studies_of_number.get(accession, []))
        return f"accession number {accession} is that of {several} studies: name one" if several > 1 else ""


def places_of(tx: Transaction, named: Iterable[Place]) -> Places:
    """Return what is here of what these labels name."""
    wanted = list(named)
    held = {
        uid: _Held(study, series, kind is InstanceKind.IMAGE)
        for uid, study, series, kind in _INSTANCES.rows(tx, sorted({one.instance for one in wanted} - {""}))
    }
    series = dict(_SERIES.rows(tx, sorted({one.series for one in wanted} - {""})))
    studies = {one.study for one in wanted} | {one.study for one in held.values()} | set(series.values())
    numbers = dict(_STUDIES.rows(tx, sorted(studies - {""})))
    of_number = defaultdict[str, list[str]](list)
    for number, study in sorted(_NUMBERS.rows(tx, sorted({one.accession for one in wanted} - {""}))):
        of_number[number].append(study)
    return Places(held, series, numbers, dict(of_number))


_INSTANCES = Lookup(
    lambda among: select(
        Instance.sop_instance_uid, Instance.study_instance_uid, Instance.series_instance_uid, Instance.kind
    ).where(among(Instance.sop_instance_uid))
)
_SERIES = Lookup(
    lambda among: (
        select(Instance.series_instance_uid, Instance.study_instance_uid)
        .where(among(Instance.series_instance_uid))
        .distinct()
    )
)
_STUDIES = Lookup(
    lambda among: select(Study.study_instance_uid, Study.accession_number).where(among(Study.study_instance_uid))
)
_NUMBERS = Lookup(
    lambda among: select(Study.accession_number, Study.study_instance_uid).where(among(Study.accession_number))
)
