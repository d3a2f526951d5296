"""Digits wrapped as radiographs go through the node like any image, and come back as reports that name them."""

import contextlib
import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.filereader import read_dataset

import models
from models.bundle.folder import open_bundle
from node.dicom.instance.part10 import part10_of
from node.dicom.samples.wrap import Subject, wrap_as_dx
from node.domain.identifiers import derived_uid
from node.network.incoming import IncomingInstance, gathered
from node.network.scp import ScpSettings, StorageSCP
from node.network.scu import OutgoingInstance, PeerAddress, open_association
from tests.support.databases.kinds import MakeFolder
from tests.support.nodes.process import MODALITY, NodeFolder, Peer, start
from tests.support.objects.reports import concept, content_items
from tests.support.waiting import wait_until

DIGITS = 20
PRESENT, CERTAINTY = "52101004", "111012"
EVERY = {"x_train": 15, "y_train": 15, "x_test": 25, "y_test": 25}
QUICK = {"epochs = 14": "epochs = 4", "averaging = 0.998": "averaging = 0.95", "threads = 2": "threads = 1"}


@dataclass
class Receiver:
    """A PACS that keeps what it gets."""

    port: int = 0
    received: list[IncomingInstance] = field(default_factory=list)

    def take(self, instance: IncomingInstance) -> int:
        """Keep an instance and say success."""
        self.received.append(instance)
        return 0x0000

    @property
    def reports(self) -> dict[str, Dataset]:
        """What came, by study."""
        datasets = [read_dataset(io.BytesIO(one.dataset), True, True) for one in self.received]
        return {str(dataset.StudyInstanceUID): dataset for dataset in datasets}


@contextlib.contextmanager
def receiving() -> Iterator[Receiver]:
    """Run a receiver on a free port."""
    receiver = Receiver()
    settings = ScpSettings(ae_title="PACS", bind="127.0.0.1", port=0, accept_any_calling_ae=True)
    scp = StorageSCP(settings, gathered(receiver.take), lambda _refused: None)
    receiver.port = scp.start()
    try:
        yield receiver
    finally:
        scp.drain(5)


@pytest.fixture(scope="module")
def few_digits(public_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a fifteenth of the public digits, which lie sorted in their file, to learn from in seconds."""
    path = tmp_path_factory.mktemp("digits") / "few.npz"
    with np.load(public_data / "mnist" / "mnist.npz") as stored:
        np.savez(path, **{name: stored[name][::step] for name, step in EVERY.items()})
    return path


@pytest.fixture(scope="module")
def digits_bundle(few_digits: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a bundle that the command line trained with the shipped recipe, made short."""
    folder = tmp_path_factory.mktemp("bundle")
    recipe = models.recipes()["mnist"].read_text(encoding="utf-8")
    for old, new in QUICK.items():
        assert old in recipe
        recipe = recipe.replace(old, new)
    (folder / "quick.toml").write_text(recipe, encoding="utf-8")
    arguments = ["--recipe", str(folder / "quick.toml"), "--data", str(few_digits), "--out", str(folder / "digits")]
    done = NodeFolder(folder, []).run("train", *arguments)
    assert done.returncode == 0, done.stderr
    return folder / "digits"


def unseen(public_data: Path) -> tuple[NDArray[np.uint8], list[int]]:
    """Return test images that the training had no part of, and what they are."""
    with np.load(public_data / "mnist" / "mnist.npz") as stored:
        return stored["x_test"][7::500], stored["y_test"][7::500].tolist()


def wrapped(pixels: NDArray[np.uint8], number: int) -> OutgoingInstance:
    """Return a digit as a modality would send it, in a study of its own; white on black, four times as large."""
    subject = Subject(
        patient_id=f"DIGIT{number}",
        patient_name=f"Digit^{number}",
        study_instance_uid=derived_uid("study", f"digit {number}"),
        series_instance_uid=derived_uid("series", f"digit {number}"),
        sop_instance_uid=derived_uid("instance", f"digit {number}"),
        body_part="",
    )
    large = np.repeat(np.repeat(pixels, 4, axis=0), 4, axis=1)
    part10 = part10_of(wrap_as_dx(large, subject))
    return OutgoingInstance(part10.sop_class_uid, part10.sop_instance_uid, part10.transfer_syntax_uid, part10.dataset)


def flagged(report: Dataset) -> list[str]:
    """Return the codes of the findings that a report calls present."""
    items = (item for item in content_items(report) if item.ValueType == "CODE")
    return [concept(item) for item in items if str(item.ConceptCodeSequence[0].CodeValue) == PRESENT]


@pytest.mark.data
def test_a_short_training_by_command_knows_most_digits(digits_bundle: Path) -> None:
    """Ten classes that exclude each other, codes of our own, no admission and no anomaly score."""
    manifest = open_bundle(digits_bundle).manifest
    assert [known.name for known in manifest.classes] == [f"digit {number}" for number in range(10)]
    assert {known.finding[1] for known in manifest.classes} == {"99PACSNODE"}
    assert manifest.classifier.activation == "softmax"
    assert manifest.admission is None
    assert manifest.anomaly is None
    assert manifest.measures["test"]["accuracy"] > 0.9
    assert not digits_bundle.with_name(".digits-training").exists()


@pytest.mark.data
@pytest.mark.database("sqlite", reason="what is shown is the network's, whose training takes long")
def test_digits_sent_to_the_node_come_back_as_reports_that_name_them(
    digits_bundle: Path, public_data: Path, tmp_path: Path, node_folder: MakeFolder
) -> None:
    """One report a study; never two digits present in one; most of them right."""
    pixels, truth = unseen(public_data)
    outgoing = [wrapped(one, number) for number, one in enumerate(pixels)]
    with receiving() as pacs:
        peers = [MODALITY, Peer("pacs", "PACS", pacs.port, gets_reports=True)]
        home = node_folder(tmp_path, peers, models=())
        home.write()
        with home.configuration.open("a", encoding="utf-8") as file:
            file.write(f'[[models]]\nname = "digits"\nbundle = "{digits_bundle}"\nbody_parts = []\n')
        node = start(home)
        try:
            contexts = [(outgoing[0].sop_class_uid, outgoing[0].transfer_syntax_uid)]
            address = PeerAddress("PACSNODE", "127.0.0.1", node.port)
            with open_association(address, "MODALITY", contexts) as association:
                assert [association.store(one).status for one in outgoing] == [0x0000] * DIGITS
            wait_until(lambda: len(pacs.received) >= DIGITS, 90, "all reports")
        finally:
            assert node.process.terminate() == 0
        reports = pacs.reports
    assert len(pacs.received) == len(reports) == DIGITS
    found = [flagged(reports[derived_uid("study", f"digit {number}")]) for number in range(DIGITS)]
    assert max(len(codes) for codes in found) == 1
    right = sum(codes == [f"DIGIT-{digit}"] for codes, digit in zip(found, truth, strict=True))
    assert right >= DIGITS * 3 // 4
    for report in reports.values():
        certainties = [
            float(item.MeasuredValueSequence[0].NumericValue)
            for item in content_items(report)
            if concept(item) == CERTAINTY
        ]
        assert len(certainties) == 10
        assert sum(certainties) == pytest.approx(100, abs=0.01)
