"""The demo from start to end."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from node import config
from node.app import utc_now
from node.demo.node_process import running_node
from node.demo.pacs import StandInPacs
from node.demo.samples import Sample, samples
from node.dicom.documents.as_text import report_text
from node.dicom.instance.part10 import part10_of, read_part10
from node.dicom.result.lines import told_apart
from node.domain.errors import OperatorError
from node.network.scu import OutgoingInstance, PeerAddress, open_association
from node.pipeline.operator import operate

_WAIT_S = 240.0
_MARK = "demo.made-by-pacs-node"
_MODEL = "starter"
_TITLE = "Research results, not for diagnosis; the chests are synthetic, of no patient"
_CLASS = "pneumonia"  # the one that the starter knows
_EMPTY = {"finding": "", "score": "", "anomaly": "", "admission": ""}
_console = Console(highlight=False, soft_wrap=True)

PrintTable = Callable[[list[dict[str, str]]], None]
"""Prints rows of text under their keys."""


@dataclass(frozen=True, slots=True)
class Result:
    """What came back for one sample."""

    sample: Sample
    outcome: str
    finding: str
    score: str
    anomaly: str
    admission: str
    was_read: bool
    reports: tuple[Path, ...]

    @property
    def right(self) -> bool:
        """Whether exactly the expected came: one report of a right outcome about an image that was read, or none."""
        if self.sample.expected is None:
            return not self.reports
        return len(self.reports) == 1 and self.outcome in self.sample.expected and self.was_read

    @property
    def errs(self) -> bool:
        """Whether the model says what is known not to be so."""
        return self.sample.truth is not None and self.outcome in {"positive", "negative"} - {self.sample.truth}


def run(out: Path, print_table: PrintTable) -> bool:
    """Run the demo, print its table and one report, and return whether every expected report came.

    Parameters
    ----------
    out
        Folder for the configuration, the node's data, its log and the report files.
    print_table
        How listings are printed.
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
    _print(results, reports, print_table)
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
        was_read=reading is not None,
        reports=reports,
        **(_cells(reading) if reading else {**_EMPTY, "admission": turned_away}),
    )


def _cells(reading: dict[str, Any]) -> dict[str, str]:
    admission, anomaly = reading["admission"], reading["anomaly"]
    if admission["score"] is None:
        return {**_EMPTY, "finding": "not assessed", "admission": admission["sentence"]}
    if not admission["admitted"]:
        refused = f"refused ({admission['score']:.2f} > {admission['limit']:.2f})"
        return {**_EMPTY, "finding": "not assessed", "admission": refused}
    finding = reading["findings"][0]
    flagged = "flagged" if finding["probability"] >= finding["threshold"] else "not flagged"
    return {
        "finding": flagged,
        "score": told_apart(finding["probability"], finding["threshold"])[0],
        "anomaly": f"z {anomaly['z_score']:+.2f}",
        "admission": f"admitted ({admission['score']:.2f} <= {admission['limit']:.2f})",
    }


def _print(results: list[Result], reports: Path, print_table: PrintTable) -> None:
    _console.print(_TITLE, style="dim")
    print_table([_row(result) for result in results])
    if said := model_errors(results):
        _console.print(f"\n{said}", markup=False)
    with_report = [result for result in results if result.reports]
    # a flagged one says most
    for result in sorted(with_report, key=lambda result: result.outcome != "positive")[:1]:
        _console.print(f"\n{result.sample.title}: {result.reports[0].name}, as text:\n", style="dim")
        _console.print(report_text(read_part10(result.reports[0]).dataset), markup=False)
    _console.print(f"\n{sum(len(result.reports) for result in results)} report files in {reports}", markup=False)


def _row(result: Result) -> dict[str, str]:
    cells = {_CLASS: result.finding, "score": result.score, "anomaly": result.anomaly, "admission": result.admission}
    return {"study": result.sample.title, **cells, "report came": _came(result)}


def _came(result: Result) -> str:
    if result.right:
        return "yes" if result.reports else "no, rightly"
    wanted = " or ".join(result.sample.expected or ("no report",))
    return f"WRONG: {len(result.reports)} reports of it, outcome {result.outcome}, wanted {wanted}"


def model_errors(results: list[Result]) -> str:
    """Return which of the painted samples the model is wrong about, in a sentence; "" where it is about none."""
    painted = [result for result in results if result.sample.truth is not None]
    wrong = [f"{result.sample.title} ({result.finding})" for result in painted if result.errs]
    if not wrong:
        return ""
    counted = f"The model is wrong about {len(wrong)} of the {len(painted)} painted chests: {', '.join(wrong)}"
    return f"{counted}. How often it errs, and on whom: docs/model-card.md"
