"""The loop that composes reports."""

from collections.abc import Iterator
from functools import partial
from typing import Any

from node.app.parts import Parts
from node.pipeline.analysis.beside import write_extra
from node.pipeline.analysis.completion_signals import Closer
from node.pipeline.analysis.compose import Composer
from node.pipeline.analysis.renditions import write_renditions
from node.pipeline.analysis.result_writer import Writer
from node.pipeline.analysis.warm_report import warm_reports
from node.pipeline.senders import senders_of
from node.pipeline.stopping.taking_back import NoteWriter
from node.runtime.child import Child
from node.runtime.loop import WorkLoop
from node.store.tables.choices import JobKind


def compose_loops(parts: Parts, child: Child) -> Iterator[WorkLoop[Any]]:
    """Yield the one loop; reports are written in a child process, so that a long one holds up nothing else."""
    settings = parts.settings
    closer = Closer(settings.study.quiet_period_s, settings.study.max_wait_s, senders_of(settings))
    write_notes = NoteWriter(parts.database, settings.peers, parts.clock).of_heat_maps
    composer = Composer(
        parts.database,
        parts.catalogue,
        settings.peers,
        closer,
        parts.clock,
        partial(parts.wake_only, ("deliver", "read")),
        writer=Writer(
            parts.files, partial(child.call, write_renditions), partial(child.call, write_extra), write_notes
        ),
    )
    loop = parts.jobs_loop("compose", JobKind.COMPOSE, 1, lambda jobs: composer.handle(jobs[0]))
    if parts.catalogue.bundles:  # where no model is, hardly a report will be
        loop.at_start(partial(child.call, warm_reports))
    yield loop
