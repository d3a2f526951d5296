"""What `check` makes of peers: those that are away, and those that take reports and no C-ECHO."""

from pathlib import Path

import pytest

from node.config import Settings
from node.domain.profile import COMPREHENSIVE_SR
from node.pipeline.checks.all_checks import check
from tests.support.houses.house import House
from tests.support.houses.line import PACS
from tests.support.peers.pacs import Pacs, serving

pytestmark = pytest.mark.database("any")


def _said(house: House, port: int) -> tuple[str, str]:
    tables = {"node": {"ae_title": "NODE", "data_dir": house.folder}, "database": {"url": house.url}}
    settings = Settings.model_validate(tables).model_copy(update={"peers": (PACS.model_copy(update={"port": port}),)})
    (line,) = (line for line in check(settings, Path("config.toml"), house.clock()) if line.subject == "peer pacs")
    return line.verdict, line.text


def test_a_peer_that_takes_reports_and_no_verification_is_no_fault(house: House) -> None:
    """A strict archive may be configured so; one that is away is a fault."""
    with serving(Pacs(accepts=frozenset({COMPREHENSIVE_SR}))) as pacs:
        state, text = _said(house, pacs.port)
    assert (state, "does not accept Verification" in text) == ("note", True)
    assert _said(house, pacs.port)[0] == "fault"
