"""How much memory receivers hold at most while many associations send large images at once."""

import shutil
import tempfile
from collections.abc import Collection, Iterator
from dataclasses import replace
from pathlib import Path

from bench.measuring.memory_held import Peak
from bench.receiving.comparison import MEMORY, started
from bench.receiving.timed_senders import lean
from bench.receiving.workloads import largest_cr

_MEGABYTE = 1_000_000
_EACH = 2  # instances on each association
_MEMORY_OF = ("node", "node-1", "node-2", "node-3", "node-4", "node-undurable", "storescp", "orthanc")


def peaks_of(receivers: Collection[str], disk: Path, associations: int) -> Iterator[tuple[str, int]]:
    """Print and yield the most memory, in bytes, that each receiver held while associations sent 18 MB each at once."""
    workload = largest_cr(1)
    sent = replace(workload, templates=[*workload.templates] * _EACH)
    print(f"\n{associations} associations, each {_EACH} instances of {workload.megabytes:.0f} MB, one after the other")
    for name in (it for it in _MEMORY_OF if it in receivers):
        folder = Path(tempfile.mkdtemp(prefix="bench-sent-", dir=MEMORY))
        try:
            with started(name, disk, associations) as receiver:
                folders = [it for run in range(associations) for it in sent.write(run, folder / str(run), 1)]
                with Peak(receiver.group, receiver.port) as peak:
                    # an association sends the same UID twice, which is one row: here rows are not waited for
                    done = lean(replace(receiver, database=None), folders, sent.sop_class_uid)
        finally:
            shutil.rmtree(folder)
        most = peak.most
        print(
            f"{name:<16} {most.whole / _MEGABYTE:>6.0f} MB of PSS in {most.processes} processes, "
            f"{most.anonymous / _MEGABYTE:.0f} MB of it anonymous; {done.per_second:.0f} instances/s",
            flush=True,
        )
        yield name, most.whole
