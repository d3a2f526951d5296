"""Small rules of the pipeline: refused callers, repeats, failures, whom `send` means."""

import pytest

from node import config
from node.dicom.encoding.mapped import temporary_file
from node.domain.errors import OperatorError, Permanent, Transient
from node.pipeline.failure import described, is_permanent
from node.pipeline.intake.let_in import let_in_with
from node.pipeline.intake.repeat import Repeat, compare
from node.pipeline.kept_file import KeptFile
from node.pipeline.operator.send import peer_address
from tests.support.houses.house import radiograph
from tests.support.houses.line import PACS

EXPLICIT, JPEG = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.4.50"


def test_the_lines_that_let_a_caller_in_are_a_configuration_that_is_accepted() -> None:
    """An operator copies them."""
    import tomllib  # noqa: PLC0415

    text = let_in_with("calling AE title not recognised", "CT 1", "10.0.0.7")
    (table,) = tomllib.loads(text)["peers"]
    peer = config.PeerSettings.model_validate(table)
    assert (peer.ae_title, peer.host, peer.may_send) == ("CT 1", "10.0.0.7", True)


def test_a_caller_rejected_for_another_reason_gets_no_such_lines() -> None:
    """They would not help."""
    assert let_in_with("called AE title not recognised", "CT1", "10.0.0.7") == ""


def test_the_same_uid_again_is_one_of_five_things() -> None:
    """Equal bytes, changed header, other pixels; other transfer syntax, of the same patient and study or of another."""
    held = radiograph().dataset
    renamed = radiograph(patient_name="Roe^Jane").dataset
    other = held[:-2] + b"\xff\xff"
    assert _compared(held, held) is Repeat.EQUAL
    assert _compared(held, renamed) is Repeat.REVISION
    assert _compared(held, other) is Repeat.OTHER_PIXELS
    assert _compared(held, held, JPEG) is Repeat.OTHER_TRANSFER_SYNTAX
    assert _compared(held, renamed, JPEG, same_identity=False) is Repeat.OTHER_IDENTITY


def _compared(held: bytes, came: bytes, came_in: str = EXPLICIT, *, same_identity: bool = True) -> Repeat:
    files = (KeptFile(EXPLICIT, "CR1", memoryview(held)), KeptFile(came_in, "CR1", memoryview(came)))
    return compare(*files, temporary_file, same_identity=same_identity)


def test_errors_of_the_house_speak_and_foreign_ones_tell_only_their_place() -> None:
    """A foreign message may quote a dataset."""
    assert described(Transient("the peer is away")) == "the peer is away"
    assert is_permanent(Permanent("x"))
    assert not is_permanent(Transient("x"))
    with pytest.raises(ValueError, match="Doe") as caught:
        int("Doe^Jane")
    assert described(caught.value).startswith("unexpected ValueError at test_small_rules.py:")
    assert not is_permanent(caught.value)


def test_send_goes_to_a_configured_peer_or_to_an_address() -> None:
    """AE@host:port needs no configuration."""
    settings = config.Settings(
        node=config.NodeSettings(ae_title="N"), peers=(PACS.model_copy(update={"may_send": True}),)
    )
    assert peer_address(settings, "pacs").ae_title == "PACS"
    there = peer_address(None, "ARCHIVE@10.1.2.3:11112")
    assert (there.ae_title, there.host, there.port) == ("ARCHIVE", "10.1.2.3", 11112)
    with pytest.raises(OperatorError, match="configured: pacs"):
        peer_address(settings, "nobody")
