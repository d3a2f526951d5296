"""Every transfer syntax that storescu can propose, stored by the node exactly as DCMTK's own storescp stores it."""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from pydicom import Dataset, dcmread
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import ExplicitVRLittleEndian, SecondaryCaptureImageStorage, generate_uid

from tests.peers.conftest import SENDER
from tests.support.nodes.process import AE_TITLE, Node, NodeFolder, Peer, serving
from tests.support.objects.images import sample_file
from tests.support.objects.part10 import Part10File
from tests.support.programs.dcmtk import Storescp, convert, storescp, storescu
from tests.support.programs.processes import free_port

pytestmark = [pytest.mark.peers, pytest.mark.timeout(240)]

Make = Callable[[Path], Path]


def with_tool(tool: str, *options: str, bits: int = 8) -> Make:
    """Return how to make a file with one of DCMTK's converters."""
    return lambda folder: convert(tool, _plain(folder, bits), folder / "converted.dcm", *options)


def from_sample(name: str) -> Make:
    """Return how to make a file from a sample of pydicom that is already in the wanted transfer syntax."""
    return lambda folder: _with_new_identity(dcmread(sample_file(name)), folder / "sample.dcm")


def as_video(transfer_syntax_uid: str) -> Make:
    """Return how to make a file whose pixel data is opaque; neither side decodes what it stores."""

    def make(folder: Path) -> Path:
        dataset = dcmread(_plain(folder, 8))
        dataset.PixelData = encapsulate([bytes(range(256)) * 40, b"\x00\x01" * 77])
        dataset["PixelData"].is_undefined_length = True
        dataset.file_meta.TransferSyntaxUID = transfer_syntax_uid
        return _with_new_identity(dataset, folder / "video.dcm")

    return make


# the option of storescu, the transfer syntax that it then sends, and how to make a file in it
SYNTAXES = {
    "-xi": ("1.2.840.10008.1.2", with_tool("dcmconv", "+ti")),
    "-xe": ("1.2.840.10008.1.2.1", with_tool("dcmconv", "+te")),
    "-xb": ("1.2.840.10008.1.2.2", with_tool("dcmconv", "+tb", bits=12)),
    "-xd": ("1.2.840.10008.1.2.1.99", with_tool("dcmconv", "+td")),
    "-xr": ("1.2.840.10008.1.2.5", with_tool("dcmcrle")),
    "-xs": ("1.2.840.10008.1.2.4.70", with_tool("dcmcjpeg", "+e1")),
    "-xy": ("1.2.840.10008.1.2.4.50", with_tool("dcmcjpeg", "+eb")),
    "-xx": ("1.2.840.10008.1.2.4.51", with_tool("dcmcjpeg", "+ee", bits=12)),
    "-xt": ("1.2.840.10008.1.2.4.80", with_tool("dcmcjpls", "+el")),
    "-xu": ("1.2.840.10008.1.2.4.81", with_tool("dcmcjpls", "+en")),
    "-xv": ("1.2.840.10008.1.2.4.90", from_sample("J2K_pixelrep_mismatch.dcm")),
    "-xw": ("1.2.840.10008.1.2.4.91", from_sample("693_J2KI.dcm")),
    "-xm": ("1.2.840.10008.1.2.4.100", as_video("1.2.840.10008.1.2.4.100")),
    "-xh": ("1.2.840.10008.1.2.4.101", as_video("1.2.840.10008.1.2.4.101")),
    "-xn": ("1.2.840.10008.1.2.4.102", as_video("1.2.840.10008.1.2.4.102")),
    "-xl": ("1.2.840.10008.1.2.4.103", as_video("1.2.840.10008.1.2.4.103")),
    "-x2": ("1.2.840.10008.1.2.4.104", as_video("1.2.840.10008.1.2.4.104")),
    "-x3": ("1.2.840.10008.1.2.4.105", as_video("1.2.840.10008.1.2.4.105")),
    "-xo": ("1.2.840.10008.1.2.4.106", as_video("1.2.840.10008.1.2.4.106")),
    "-x4": ("1.2.840.10008.1.2.4.107", as_video("1.2.840.10008.1.2.4.107")),
    "-x5": ("1.2.840.10008.1.2.4.108", as_video("1.2.840.10008.1.2.4.108")),
}


@dataclass(frozen=True, slots=True)
class Receivers:
    """The node, and the storescp that shows what storescu put on the wire."""

    node: Node
    witness: Storescp


@pytest.fixture(scope="module")
def receivers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Receivers]:
    """Run both receivers for all transfer syntaxes."""
    folder = tmp_path_factory.mktemp("syntaxes")
    modality = Peer("modality", SENDER, free_port(), may_send=True)
    with contextlib.ExitStack() as stack:
        witness = stack.enter_context(storescp(folder / "witness", "WITNESS", 0, "+xa"))
        yield Receivers(stack.enter_context(serving(NodeFolder(folder / "node", [modality]))), witness)


@pytest.mark.parametrize("option", SYNTAXES)
def test_what_storescu_sends_is_stored_byte_for_byte(option: str, receivers: Receivers, tmp_path: Path) -> None:
    """The dataset behind the node's own file meta information equals what a bit-preserving storescp received."""
    transfer_syntax_uid, make = SYNTAXES[option]
    path = make(tmp_path)
    uid = str(dcmread(path, stop_before_pixels=True).SOPInstanceUID)
    for port, called in ((receivers.witness.port, "WITNESS"), (receivers.node.port, AE_TITLE)):
        assert storescu(port, called, SENDER, [path], option).statuses == ["Success"]
    sent, kept = _only(receivers.witness.received(), uid), _only(receivers.node.home.stored(), uid)
    assert sent.transfer_syntax_uid == kept.transfer_syntax_uid == transfer_syntax_uid
    assert kept.dataset == sent.dataset


def _only(files: list[Part10File], uid: str) -> Part10File:
    """Return the single file of an instance."""
    (file,) = [file for file in files if file.sop_instance_uid == uid]
    return file


def _plain(folder: Path, bits: int) -> Path:
    """Write a small uncompressed Secondary Capture image of 8 or of 12 bits."""
    values = np.add.outer(np.arange(48), np.arange(64)) * ((1 << bits) // 128)
    dataset = _header()
    dataset.Rows, dataset.Columns = values.shape
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = (8 if bits == 8 else 16), bits, bits - 1
    dataset.PixelData = values.astype(np.uint8 if bits == 8 else "<u2").tobytes()
    return _with_new_identity(dataset, folder / "plain.dcm")


def _header() -> Dataset:
    dataset = FileDataset("", {}, file_meta=FileMetaDataset(), preamble=b"\x00" * 128)
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.SOPClassUID = SecondaryCaptureImageStorage
    dataset.PatientName, dataset.PatientID, dataset.Modality, dataset.ConversionType = "Peer^Sample", "P1", "OT", "WSD"
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation, dataset.PixelRepresentation = 1, "MONOCHROME2", 0
    return dataset


def _with_new_identity(dataset: Dataset, path: Path) -> Path:
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = generate_uid(), generate_uid()
    dataset.SOPInstanceUID = generate_uid()
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    dataset.save_as(path, enforce_file_format=True)
    return path
