"""From readings to a conclusion: pure rules about what a study's report says and who gets it."""

import hashlib
import json
from collections.abc import Collection, Iterable

from node.config import PeerSettings
from node.domain.finding import Outcome, Reading, StudyFinding
from node.domain.instance import InstanceHeader
from node.store.working.analyses import NewAnalysis


def conclusion_of(
    outcome: Outcome, findings: Iterable[StudyFinding], *, synthetic: bool = False, partial: bool = False
) -> str:
    """Return the conclusion as text that is equal for two reports when a reader would learn nothing new.

    It holds the outcome, which classes are present in the study, whether it is synthetic and whether images of it were
    still to be read, and neither scores nor the number of images: the report of all images always follows that of a
    part.
    """
    present = sorted(finding.name for finding in findings if finding.present)
    said: dict[str, object] = {"outcome": outcome, "present": present}
    said |= {"synthetic": True} if synthetic else {}
    return json.dumps(said | {"partial": True} if partial else said)


def says_the_same(one: NewAnalysis, other: NewAnalysis) -> bool:
    """Return whether a reader of the one learns nothing new from the other: conclusion and patient are the same."""
    return (one.conclusion, one.patient_key) == (other.conclusion, other.patient_key)


def patient_key(header: InstanceHeader) -> str:
    """Return a digest of what says whose study this is; a changed one makes a corrected report."""
    identity = (
        header.patient_id,
        header.issuer_of_patient_id,
        header.patient_name,
        header.patient_birth_date,
        header.patient_sex,
        header.accession_number,
        header.study_instance_uid,
    )
    return hashlib.sha256("\x00".join(identity).encode()).hexdigest()[:32]


def inputs_of(readings: Iterable[Reading], unread: Collection[str]) -> tuple[str, ...]:
    """Return what identifies a report's inputs: the images' UIDs, marked where the reading of one was given up.

    An image that is read at last, after an operator's retry, then makes another report than its failure did.

    Parameters
    ----------
    readings
        All readings of the report.
    unread
        SOP Instance UIDs of the images whose reading was given up.
    """
    uids = (reading.sop_instance_uid for reading in readings)
    return tuple(sorted(f"{uid} unread" if uid in unread else uid for uid in uids))


def digest_of(inputs: Iterable[str]) -> str:
    """Return a digest of the inputs."""
    return hashlib.sha256(",".join(inputs).encode()).hexdigest()


def destinations(peers: Iterable[PeerSettings], mode: str, outcome: Outcome, *, synthetic: bool = False) -> list[str]:
    """Return the names of the peers that get a report of this outcome from a model in this mode.

    A model in shadow reports only to peers with ``test = true``; one that is active reports to every peer that
    `gets` reports and whose `outcomes` hold this one. A report about synthetic images goes to peers with
    ``test = true`` alone, whatever the mode: it is about nobody, and belongs into no patient's record.
    """
    if mode == "off":
        return []
    everyone = mode == "active" and not synthetic
    return [
        peer.name for peer in peers if "report" in peer.gets and outcome in peer.outcomes and (everyone or peer.test)
    ]
