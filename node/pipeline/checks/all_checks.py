"""Everything that could be wrong with a node, a line each.

Each check looks and changes nothing; none of them needs the node to run.
"""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from node.config import Settings
from node.domain.errors import OperatorError, Transient
from node.pipeline.check_line import CheckLine
from node.pipeline.checks import (
    commitment_checks,
    label_checks,
    learning_checks,
    model_checks,
    monitoring_checks,
    node_checks,
    peer_checks,
    replaced_checks,
    rule_checks,
    stop_checks,
    store_checks,
    version_checks,
    work_checks,
)
from node.pipeline.learning import issuers
from node.pipeline.opened import open_database


def check(settings: Settings, path: Path, now: datetime) -> Iterator[CheckLine]:
    """Yield a line for each thing that could be wrong.

    Parameters
    ----------
    settings
        The configuration, whose form is right already.
    path
        Where it was read from.
    now
        The time now, aware.
    """
    yield CheckLine("config", "ok", f"{path}: {len(settings.peers)} peers, {len(settings.models)} models")
    yield from node_checks.lines(settings)
    known = store_checks.schema_line(settings)
    yield known
    yield from store_checks.lines(settings)
    yield from peer_checks.lines(settings)
    yield from model_checks.bundles(settings)
    yield from rule_checks.lines(settings)
    yield from learning_checks.lines(settings, now)
    try:
        with open_database(settings) as database:
            yield from model_checks.registered(settings, database.read(version_checks.models))
            yield from model_checks.not_validated(settings, database)
            yield from version_checks.lines(database)
            yield from replaced_checks.lines(settings, database)
            yield from monitoring_checks.lines(database, settings.monitor)
            yield store_checks.clock_line(database, now)
            yield from stop_checks.lines(database)
            yield from work_checks.lines(settings, database)
            yield from peer_checks.deliveries(settings, database, now)
            yield from commitment_checks.lines(settings, database, now)
            yield from store_checks.kept(settings, database, now)
            yield from label_checks.lines(database)
            yield from learning_checks.kept(settings, database)
            yield from issuers.lines(settings, database)
            yield from node_checks.turned_away(settings, database)
    except (OperatorError, Transient):  # the database's line has said so
        # an empty one has no model; what one of an older schema has is not known
        yield from model_checks.registered(settings, []) if known.verdict != "fault" else ()
