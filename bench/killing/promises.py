"""What was promised, counted after the storm."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from bench.killing.kills import Toll
from bench.measuring.stored_files import torn_files
from bench.sending.upper_layer import Instance
from tests.support.nodes.process import NodeFolder
from tests.support.objects.part10 import Part10File
from tests.support.objects.reports import reports


@dataclass(frozen=True, slots=True)
class Line:
    """One promise: what must be, and what was found; a line without a promise only informs."""

    text: str
    found: int
    promised: int | None = None

    @property
    def kept(self) -> bool:
        """Whether the promise was kept."""
        return self.promised is None or self.found == self.promised

    def __str__(self) -> str:
        """Return the line of the table."""
        promised = "" if self.promised is None else str(self.promised)
        verdict = "" if self.promised is None else ("kept" if self.kept else "BROKEN")
        return f"{self.text:<58} {promised:>9} {self.found:>7}  {verdict}".rstrip()


HEADER = f"{'':<58} {'promised':>9} {'found':>7}"


@dataclass(frozen=True, slots=True)
class Evidence:
    """What there is to judge by."""

    sent: Sequence[Instance]
    studies: frozenset[str]  #: the Study Instance UIDs of what was sent
    acknowledged: frozenset[str]  #: the SOP Instance UIDs that the node answered with Success
    home: NodeFolder
    arrived: Sequence[Part10File]  #: every object that the receiver got, once for each time
    toll: Toll


def judge(evidence: Evidence) -> list[Line]:
    """Return every line of the verdict."""
    home = evidence.home
    return [
        Line("instances acknowledged", len(evidence.acknowledged), len(evidence.sent)),
        *_stored(evidence),
        *_reported(evidence),
        *_survived(evidence.toll),
        Line("jobs waiting, running or buried", len(_unfinished(home, "queue")), 0),
        Line("deliveries waiting, running or buried", len(_unfinished(home, "deliveries")), 0),
    ]


def _stored(evidence: Evidence) -> list[Line]:
    acknowledged = evidence.acknowledged
    files = [file for file in evidence.home.stored() if file.sop_instance_uid in acknowledged]
    kept = {(file.sop_instance_uid, file.dataset) for file in files}
    intact = acknowledged & {it.sop_instance_uid for it in evidence.sent if (it.sop_instance_uid, it.dataset) in kept}
    sent = {it.dataset for it in evidence.sent}
    temporaries = [path for path in (evidence.home.data / "incoming").rglob("*") if path.is_file()]
    listed = Counter(row["sop_instance_uid"] for row in evidence.home.listing("instances"))
    return [
        Line("acknowledged instances stored byte for byte", len(intact), len(acknowledged)),
        Line("torn files, in the store or set aside", len(torn_files(evidence.home.data, sent)), 0),
        Line("temporary files left", len(temporaries), 0),
        Line("acknowledged instances listed", len(acknowledged & set(listed)), len(acknowledged)),
        Line("instances listed more than once", sum(count > 1 for count in listed.values()), 0),
        Line("files beyond one for each instance", len(files) - len({file.sop_instance_uid for file in files})),
    ]


def _reported(evidence: Evidence) -> list[Line]:
    received = reports(evidence.arrived)
    identities = {study: {report.uid for report in received if report.study == study} for study in evidence.studies}
    copies = {(file.sop_instance_uid, file.dataset) for file in evidence.arrived}
    distinct = {report.uid for report in received}
    return [
        Line("studies with a report at the receiver", sum(map(bool, identities.values())), len(evidence.studies)),
        Line("studies with more than one report identity", sum(len(uids) > 1 for uids in identities.values()), 0),
        Line("reports of studies that were never sent", sum(it.study not in evidence.studies for it in received), 0),
        Line("report identities that arrived with differing bytes", len(copies) - len(distinct), 0),
        Line("reports that say not assessed", len({it.uid for it in received if it.not_assessed})),
        Line("reports that arrived once more under the same identity", len(received) - len(distinct)),
    ]


def _survived(toll: Toll) -> list[Line]:
    return [
        Line("processes that outlived a killed main process", toll.outlived, 0),
        Line("times that the node ended with a killed child", toll.fell, 0),
        Line("kills that struck a receiving process beside the main one", toll.receivers),
    ]


def _unfinished(home: NodeFolder, verb: str) -> list[object]:
    return [row for row in home.listing(verb) if row["state"] in {"waiting", "running", "buried"}]
