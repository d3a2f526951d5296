"""Kill the node again and again while studies are sent to it, and count what is left of its promises.

Run with the project's Python: ``.venv/bin/python bench/chaos.py``. It gets SIGKILL at moments drawn from the seed:
while it starts, while it receives, and while it reads, composes and delivers; by turns all its processes at once and
one of them alone. Two senders repeat what was not acknowledged; the receiver keeps every object each time that it
comes, and is slow to say so. Exit status 1 when a promise is broken.
"""

import argparse
import random
import shutil
import sys
import tempfile
from pathlib import Path

from pydicom import dcmread

from bench.killing.kills import draw_kills
from bench.killing.modalities import Sender
from bench.killing.promises import HEADER, Evidence, judge
from bench.killing.recorder import Recorder
from bench.killing.storm import Storm, portions
from bench.running.empty_database import DATABASES, database
from bench.sending.upper_layer import Instance
from tests.support.nodes.process import AE_TITLE, NodeFolder, Peer
from tests.support.objects.images import CHEST, Picture, chest_radiographs, other_images, shifted, write_as_dx
from tests.support.objects.part10 import read_part10_file
from tests.support.programs.processes import free_port
from tests.support.waiting import wait_until

_SENDERS = ("MODALITY1", "MODALITY2")


def main() -> int:
    """Run the scenario, print the verdict and return the exit status."""
    options = _options()
    asked = f"{options.studies} studies of {options.views}, {len(_SENDERS)} senders, {options.kills} kills"
    print(f"seed {options.seed}, {options.database}: {asked}", flush=True)
    folder = Path(tempfile.mkdtemp(prefix="chaos-"))
    instances, studies = _instances(options, folder / "images")
    with Recorder(folder / "receiver", "PACS", options.answer_after) as receiver, database(options.database) as url:
        home = _node_folder(folder / "node", receiver, options, url)
        with Sender(_SENDERS, AE_TITLE) as sender:
            kills = draw_kills(options.kills, random.Random(options.seed))
            storm = Storm(home, sender, kills, portions(instances, options.views, len(kills) + 1))
            node = storm.rage()
            try:
                _settle(options, home, sender, receiver, len(studies))
                lines = judge(
                    Evidence(instances, studies, frozenset(sender.acknowledged), home, receiver.received(), storm.toll)
                )
            finally:
                node.process.kill()
        print(f"\n{sender.attempts} sends for {len(instances)} instances\n\n{HEADER}")
    print("\n".join(map(str, lines)))
    return _concluded(folder, kept=all(line.kept for line in lines))


def _concluded(folder: Path, *, kept: bool) -> int:
    """Return the exit status; what a broken promise left behind stays for whoever looks into it."""
    if kept:
        print("\nevery promise kept")
        shutil.rmtree(folder)
        return 0
    print(f"\nBROKEN; the node's folder, its logs and what arrived: {folder}")
    return 1


def _settle(options: argparse.Namespace, home: NodeFolder, sender: Sender, receiver: Recorder, studies: int) -> None:
    """Wait until all is acknowledged, reported and done; what is still open then is for the verdict to say."""
    limit_s = options.settle
    sender.wait_acknowledged(studies * options.views, limit_s)
    try:
        wait_until(lambda: receiver.identities() >= studies, limit_s, f"{studies} reports at the receiver")
        home.wait_settled(limit_s)
    except TimeoutError as late:
        print(f"not settled: {late}", flush=True)


def _instances(options: argparse.Namespace, folder: Path) -> tuple[list[Instance], frozenset[str]]:
    """Return what is sent, and the Study Instance UIDs."""
    paths = write_as_dx(_pictures(options.studies), folder, options.views)
    files = [read_part10_file(path) for path in paths]
    studies = frozenset(str(dcmread(path, stop_before_pixels=True).StudyInstanceUID) for path in paths)
    return [Instance(file.sop_class_uid, file.sop_instance_uid, file.dataset) for file in files], studies


def _pictures(count: int) -> list[Picture]:
    return shifted(chest_radiographs(count) if CHEST.is_dir() else other_images(), count)


def _node_folder(folder: Path, receiver: Recorder, options: argparse.Namespace, url: str) -> NodeFolder:
    modalities = [Peer(title.lower(), title, free_port(), may_send=True) for title in _SENDERS]
    pacs = Peer("pacs", receiver.ae_title, receiver.port, gets_reports=True)
    tables = {"receive": f"processes = {options.processes}"}
    if url:
        tables["database"] = f'url = "{url}"'
    home = NodeFolder(folder, [*modalities, pacs], options.quiet, tables)
    home.write()
    if url and (done := home.run("migrate")).returncode:
        raise RuntimeError(f"the database was not migrated: {done.stderr}")
    return home


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=100)
    parser.add_argument("--views", type=int, default=1, help="instances in each study")
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--database", choices=DATABASES, default=DATABASES[0])
    parser.add_argument("--processes", type=int, default=2, help="[receive] processes")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--quiet", type=float, default=2.0, help="seconds; with several views, longer than a restart")
    parser.add_argument("--settle", type=float, default=300.0, help="longest wait at the end, in seconds")
    parser.add_argument("--answer-after", type=float, default=0.1, help="seconds that the receiver takes to answer")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
