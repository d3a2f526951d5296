"""What the service says of what it refuses."""

from dataclasses import dataclass, field
from typing import Any

import pytest
from structlog.testing import capture_logs

from node.domain.errors import Refused
from node.network.command import WITH_DATASET, CommandField, Element, decode_command, encode_command
from node.network.incoming import Announced, Reception
from node.network.presentation import Syntaxes
from node.network.service import Introduction, StorageService

_CT = "1.2.840.10008.5.1.4.1.1.2"


@dataclass(frozen=True)
class _Served:
    """An association that a modality has asked for."""

    introduction = Introduction("MODALITY", "NODE", "10.0.0.7")
    accepted = {1: Syntaxes(_CT, "1.2.840.10008.1.2.1")}  # noqa: RUF012 - never changed
    studies: set[str] = field(default_factory=set)

    def hand_to_library(self, context_id: int, command: bytes, dataset: bytes) -> None:
        """Nothing is handed on here."""


def _refuse(_: Announced) -> Reception:
    raise Refused(0xA700, "no room")


def _log_of_refusal(sop_instance_uid: str) -> dict[str, Any]:
    encoded = encode_command(
        {
            Element.AFFECTED_SOP_CLASS_UID: _CT,
            Element.COMMAND_FIELD: CommandField.C_STORE_RQ,
            Element.MESSAGE_ID: 1,
            Element.COMMAND_DATA_SET_TYPE: WITH_DATASET,
            Element.AFFECTED_SOP_INSTANCE_UID: sop_instance_uid,
        }
    )
    with capture_logs() as logs:
        StorageService(_refuse, 100).open(_Served(), 1, decode_command(encoded), encoded).finish()
    (line,) = logs
    return dict(line)


@pytest.mark.parametrize(("named", "logged"), [("1.2.3", "1.2.3"), ("DOE^JANE", "")])
def test_the_log_of_a_refusal_says_who_sent_which_instance(named: str, logged: str) -> None:
    """The operator has to have it sent again; what is no UID may be anything, and is left out."""
    line = _log_of_refusal(named)
    assert line["event"] == "instance refused"
    assert (line["calling_ae_title"], line["address"], line["sop_instance_uid"]) == ("MODALITY", "10.0.0.7", logged)
