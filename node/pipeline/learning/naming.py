"""As whom a patient counts for learning: merges regarded, and headers without an issuer as those of the site's own.

One Patient ID under two issuers may be two persons; with and without one it mostly is one: `[retrain] issuer` says
so. What was kept under another name before moves at the next look, as after a merge (`node.pipeline.learning.merged`).
"""

from collections.abc import Mapping
from dataclasses import dataclass

from node.store.arriving import merges
from node.store.arriving.merges import PatientName
from node.store.database import Transaction
from node.store.learning import splits


@dataclass(frozen=True, slots=True)
class Naming:
    """As whom everybody counts, looked up once."""

    salt: bytes
    survivors: Mapping[PatientName, PatientName]
    issuer: str  #: of a header that names none; "" leaves it without

    def counted(self, patient: PatientName) -> PatientName:
        """Return as whom a patient counts."""
        known = self.survivors.get(patient, patient)
        own = self.own(known)
        return known if own == known else self.survivors.get(own, own)

    def own(self, patient: PatientName) -> PatientName:
        """Return a patient with the site's issuer where none is named; who has no number is nobody's."""
        lacks = self.issuer and patient.patient_id and not patient.issuer
        return PatientName(patient.patient_id, self.issuer) if lacks else patient

    def also(self, patient: PatientName) -> set[PatientName]:
        """Return a patient's name, and the same with and without the site's issuer."""
        bare = {PatientName(patient.patient_id)} if patient.issuer and patient.issuer == self.issuer else set()
        return {patient, self.own(patient)} | bare

    def pseudonym(self, patient: PatientName) -> str:
        """Return what stands for the one as whom a patient counts."""
        return self.plain(self.counted(patient))

    def plain(self, patient: PatientName) -> str:
        """Return what stands for a patient by this very name."""
        return splits.patient_of(self.salt, patient.issuer, patient.patient_id)


def naming(tx: Transaction, salt: bytes, issuer: str) -> Naming:
    """Return as whom everybody counts by now; `issuer` is `[retrain] issuer`."""
    return Naming(salt, merges.survivors(tx), issuer)


def names_of(tx: Transaction, patient: PatientName, whose: Naming) -> set[PatientName]:
    """Return every name of one who is called so, merged names and those without the site's issuer among them."""
    names, known = set[PatientName](), {patient}
    while new := known - names:
        names |= new
        known |= {name for one in new for other in whose.also(one) for name in merges.names_of(tx, other)}
    return names
