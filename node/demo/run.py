"""The demo from start to end."""

import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from node import config
from node.app import utc_now
from node.demo.pacs import StandInPacs
from node.demo.process import running_node
from node.demo.samples import Sample, samples
from node.dicom.part10 import part10_of, read_part10
from node.dicom.report_text import report_text
from node.domain.errors import OperatorError
from node.network.scu import OutgoingInstance, PeerAddress, open_association
from node.pipeline.operator import operate

_WAIT_S = 240.0
_MARK = "demo.made-by-pacs-node"
_MODEL = "starter"
_PEER = "pacs"
_TITLE = "Research results, not for diagnosis; the chests are synthetic, of no patient"
_EMPTY = {"finding": "", "certainty": "", "anomaly": "", "admission": ""}
_console = Console(highlight=False, width=None if sys.stdout.isatty() else 200)


@dataclass(frozen=True, slots=True)
class Result:
    """What came back for one sample."""

    sample: Sample
    outcome: str
    finding: str
    certainty: str
    anomaly: str
    admission: str
    delivery: str
    was_read: bool
    reports: tuple[Path, ...]

    @property
    def right(self) -> bool:
        """Whether exactly the expected came: one report of a right outcome about an image that was read, or none."""
        if self.sample.expected is None:
            return not self.reports
        return len(self.reports) == 1 and self.outcome in self.sample.expected and self.was_read


def run(out: Path) -> bool:
    """Run the demo, print its table and one report, and return whether every expected report came.

    Parameters
    ----------
    out
        Folder for the configuration, the node's data, its log and the report files.
    """
    reports = _prepared(out) / "reports"
    studies = samples()
    pacs = StandInPacs(reports, "STANDIN")
    pacs_port = pacs.start()
    try:
        with running_node(out, pacs_port) as (configuration, port):
            _console.print(f"node on port {port}, stand-in PACS on port {pacs_port}; sending {len(studies)} studies")
            _send(studies, port)
            expected = {sample.study_instance_uid for sample in studies if sample.expected is not None}
            _console.print(f"all acknowledged; waiting for {len(expected)} reports", style="dim")
            pacs.wait_for(lambda arrived: expected <= arrived.keys(), _WAIT_S)
        # the node has drained: what it says of its deliveries is final
        settings = config.load(configuration)
        results = [_result(sample, settings, pacs) for sample in studies]
    finally:
        pacs.stop()
    _print(results, reports)
    right = all(result.right for result in results)
    if not right:
        _console.print(f"not all is as it should be; the node's log is {out / 'node.log'}", markup=False, style="red")
    return right


def _prepared(out: Path) -> Path:
    """Return `out`, empty; a folder that an earlier demo did not make is never touched."""
    if out.exists() and any(out.iterdir()):
        if not (out / _MARK).exists():
            raise OperatorError(f"{out} holds files that no demo made: name an empty folder with --out", exit_code=2)
        shutil.rmtree(out)
    (out / "reports").mkdir(parents=True)
    (out / _MARK).touch()
    return out.resolve()


def _send(studies: list[Sample], port: int) -> None:
    for sample in studies:
        part10 = part10_of(sample.part10)
        node = PeerAddress("PACSNODE", "127.0.0.1", port)
        with open_association(node, "SENDER", [(part10.sop_class_uid, part10.transfer_syntax_uid)]) as association:
            answer = association.store(
                OutgoingInstance(
                    part10.sop_class_uid, part10.sop_instance_uid, part10.transfer_syntax_uid, part10.dataset
                )
            )
        if answer.status != 0x0000:
            raise OperatorError(f"the node answered 0x{answer.status:04X} to {sample.title}: {answer.comment}")


def _result(sample: Sample, settings: config.Settings, pacs: StandInPacs) -> Result:
    """Return what the node's own listing says of a sample, and what arrived at the stand-in PACS."""
    study = operate.study(settings, sample.study_instance_uid, utc_now())
    reports = tuple(pacs.reports.get(sample.study_instance_uid, ()))
    turned_away = "; ".join(study["turned_away"].values())
    reading = study["readings"][0] if study["readings"] else None
    return Result(
        sample=sample,
        outcome=study["outcomes"].get(_MODEL, "no report"),
        delivery=study["deliveries"].get(_PEER, "none"),
        was_read=reading is not None,
        reports=reports,
        **(_cells(reading) if reading else {**_EMPTY, "admission": turned_away}),
    )


def _cells(reading: dict[str, Any]) -> dict[str, str]:
    admission, anomaly = reading["admission"], reading["anomaly"]
    if admission["score"] is None:
        return {**_EMPTY, "admission": admission["sentence"]}
    if not admission["admitted"]:
        return {**_EMPTY, "admission": f"refused ({admission['score']:.2f} > {admission['limit']:.2f})"}
    finding = reading["findings"][0]
    flagged = "flagged" if finding["probability"] >= finding["threshold"] else "not flagged"
    return {
        "finding": f"{finding['name']}: {flagged}",
        "certainty": f"{100 * finding['probability']:.1f} %",
        "anomaly": f"z {anomaly['z_score']:+.2f}",
        "admission": f"admitted ({admission['score']:.2f} <= {admission['limit']:.2f})",
    }


def _print(results: list[Result], reports: Path) -> None:
    columns = ("study", "outcome", "finding", "certainty", "anomaly score", "admission", "delivery", "")
    table = Table(*columns, box=None, header_style="bold", title=_TITLE, title_style="dim")
    for result in results:
        wanted = " or ".join(result.sample.expected or ("no report",))
        verdict = "ok" if result.right else f"WRONG: {len(result.reports)} reports of it, wanted {wanted}"
        cells = (result.outcome, result.finding, result.certainty, result.anomaly, result.admission, result.delivery)
        table.add_row(result.sample.title, *cells, verdict)
    _console.print(table)
    shown = next((result.reports[0] for result in results if result.reports), None)
    if shown:
        _console.print(f"\n{shown.name}, as text:\n", style="dim")
        _console.print(report_text(read_part10(shown).dataset), markup=False)
    _console.print(f"\n{sum(len(result.reports) for result in results)} report files in {reports}", markup=False)
