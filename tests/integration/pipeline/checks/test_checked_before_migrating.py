"""What `check` says after an update, before `migrate`: nothing of what the database holds, for that is not known."""

from pathlib import Path

import pytest

from node.config import Settings
from node.pipeline.checks.all_checks import check
from node.pipeline.registry.catalogue import seeded
from tests.support.houses.house import House

pytestmark = pytest.mark.database("each")


def test_a_model_in_a_database_of_an_older_schema_is_not_called_unregistered(house: House) -> None:
    """It is there: the first start was long ago."""
    tables = {"node": {"ae_title": "PACSNODE", "data_dir": house.folder}, "database": {"url": house.url}}
    settings = Settings.model_validate(tables | {"models": [{"name": "starter"}]})
    seeded(settings, house.database, house.clock)
    house.execute("UPDATE alembic_version SET version_num = '0018'")
    lines = list(check(settings, Path("config.toml"), house.clock()))
    assert "run `pacs-node migrate`" in next(line.text for line in lines if line.subject == "database")
    assert [line.text for line in lines if "not registered" in line.text] == []
