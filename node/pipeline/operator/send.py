"""Files on a disk, sent to a peer by C-STORE as they are."""

import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from node.config import Settings
from node.dicom.instance.part10 import NotPart10, part10_of
from node.domain.errors import OperatorError, Permanent, Transient
from node.network.answer_status import Answer, sort_status
from node.network.scu import OutgoingInstance, PeerAddress, SendingAssociation, open_association, worded
from node.pipeline.progress import Reporter

_BATCH_FILES = 500
_BATCH_BYTES = 64 << 20
_BATCH_CONTEXTS = 128  # as many as an association has identifiers for (PS3.8 9.3.2.2)


@dataclass(frozen=True, slots=True)
class NotStored:
    """A file that the peer does not hold, and why."""

    path: str
    reason: str


@dataclass(slots=True)
class Sent:
    """What became of the files."""

    stored: int = 0
    skipped: int = 0  #: not DICOM files
    failed: list[NotStored] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Source:
    """A file on its own or inside a zip; its bytes are read when its turn comes."""

    name: str
    read: Callable[[], bytes]


@dataclass(frozen=True, slots=True)
class _Outgoing:
    name: str
    instance: OutgoingInstance

    @property
    def context(self) -> tuple[str, str]:
        return self.instance.sop_class_uid, self.instance.transfer_syntax_uid


def send(settings: Settings | None, paths: Sequence[Path], to: str, report: Reporter, calling: str = "") -> Sent:
    """Send files, folders and zips to a peer.

    Parameters
    ----------
    settings
        The configuration, where there is one; without it only AE@host:port can be named.
    paths
        What to send; folders and zips are searched for DICOM files.
    to
        A configured peer's name, or ``AE@host:port``.
    report
        Told of the progress.
    calling
        The calling AE title; where it is empty the node's own, or PACSNODE without a configuration.

    Raises
    ------
    OperatorError
        Where a path does not exist or the peer is not known.
    """
    peer = peer_address(settings, to)
    calling = calling or (settings.node.ae_title if settings else "PACSNODE")
    sources = [source for path in paths for source in _sources(path)]
    result, done = Sent(), 0
    for batch in _batches(sources, result):
        _send_batch(peer, calling, batch, result)
        done += len(batch)
        report(f"sending to {to}", done, len(sources) - result.skipped)
    return result


def peer_address(settings: Settings | None, to: str) -> PeerAddress:
    """Return whom `to` names: a configured peer, or ``AE@host:port``.

    Raises
    ------
    OperatorError
        Naming the configured peers.
    """
    if (address := address_of(to)) is not None:
        return address
    peer = settings.peer(to) if settings else None
    if peer is None:
        known = ", ".join(peer.name for peer in settings.peers) if settings else "none: there is no configuration"
        raise OperatorError(f"no peer {to!r} (configured: {known}); name one of these, or AE@host:port", exit_code=2)
    return PeerAddress(peer.ae_title, peer.host, peer.port)


def address_of(to: str) -> PeerAddress | None:
    """Return what ``AE@host:port`` names; None where `to` is not of this form."""
    ae_title, at, rest = to.partition("@")
    host, colon, port = rest.rpartition(":")
    if not (at and colon and host and port.isdigit()):
        return None
    return PeerAddress(ae_title, host, int(port))


def _sources(path: Path) -> Iterator[_Source]:
    if path.is_dir():
        for file in sorted(file for file in path.rglob("*") if file.is_file()):
            yield from _sources(file)
    elif not path.is_file():
        raise OperatorError(f"{path}: no such file or folder", exit_code=2)
    elif zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            names = [name for name in archive.namelist() if not name.endswith("/")]
        for name in names:
            yield _Source(f"{path}:{name}", partial(_from_zip, path, name))
    else:
        yield _Source(str(path), path.read_bytes)


def _from_zip(path: Path, name: str) -> bytes:
    with zipfile.ZipFile(path) as archive:
        return archive.read(name)


def _batches(sources: Iterable[_Source], result: Sent) -> Iterator[list[_Outgoing]]:
    """Yield what fits into one association each: few enough contexts, and not too much memory."""
    batch: list[_Outgoing] = []
    for source in sources:
        outgoing = _outgoing(source, result)
        if outgoing is None:
            continue
        batch.append(outgoing)
        size_bytes = sum(len(each.instance.dataset) for each in batch)
        contexts = {each.context for each in batch}
        if size_bytes > _BATCH_BYTES or len(batch) >= _BATCH_FILES or len(contexts) >= _BATCH_CONTEXTS:
            yield batch
            batch = []
    if batch:
        yield batch


def _outgoing(source: _Source, result: Sent) -> _Outgoing | None:
    try:
        file = part10_of(source.read())
    except NotPart10:
        result.skipped += 1
        return None
    except (OSError, zipfile.BadZipFile) as error:
        result.failed.append(NotStored(source.name, f"it cannot be read: {error}"))
        return None
    instance = OutgoingInstance(file.sop_class_uid, file.sop_instance_uid, file.transfer_syntax_uid, file.dataset)
    return _Outgoing(source.name, instance)


def _send_batch(peer: PeerAddress, calling: str, batch: Sequence[_Outgoing], result: Sent) -> None:
    left = list(batch)
    try:
        with open_association(peer, calling, [each.context for each in batch]) as association:
            while left:
                _send_one(association, left[0], result)
                left.pop(0)
    except Transient as error:  # the association is gone, and with it the rest of the batch
        result.failed.extend(NotStored(each.name, str(error)) for each in left)


def _send_one(association: SendingAssociation, outgoing: _Outgoing, result: Sent) -> None:
    try:
        answer = association.store(outgoing.instance)
    except Permanent as error:
        result.failed.append(NotStored(outgoing.name, str(error)))
        return
    if sort_status(answer.status) is Answer.SENT:
        result.stored += 1
        return
    result.failed.append(NotStored(outgoing.name, f"the peer answered {worded(answer)}"))
