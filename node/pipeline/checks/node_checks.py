"""What `check` says of the node itself: whether it runs, by which configuration, and whom it turned away."""

from collections.abc import Iterator

from node.config import Settings
from node.pipeline import running
from node.pipeline.check_line import CheckLine
from node.pipeline.intake.let_in import let_in_with
from node.pipeline.running import Running
from node.store.arriving import callers
from node.store.arriving.callers import Caller
from node.store.database import Database

_CALLERS_SHOWN = 20
_NO_TITLE = "(no AE title)"


def lines(settings: Settings) -> Iterator[CheckLine]:
    """Yield whether a node runs on the data folder, and whether it knows this configuration."""
    node = running.found(settings)
    if node is None:
        yield CheckLine("node", "note", f"does not run on {settings.node.data_dir}: `pacs-node serve` starts it")
        return
    listens = "starts" if node.port is None else f"listens on port {node.port}"
    since = "" if node.since is None else f" since {node.since:%Y-%m-%d %H:%M:%S} UTC, and {listens}"
    yield CheckLine("node", "ok", f"runs as process {node.process}{since}")
    if not _knows(node, settings):
        text = (
            "it is not what the running node has started with: restart the node, then it counts ([[models]] alone "
            "needs no restart: `pacs-node models configure`)"
        )
        yield CheckLine("config", "note", text)


def turned_away(settings: Settings, database: Database) -> Iterator[CheckLine]:
    """Yield a line for each caller that was rejected and is not let in by now, the latest first."""
    node = running.found(settings)
    refused = [one for one in database.read(callers.all) if not _is_let_in(one, settings, node)]
    yield from (_caller(one, settings) for one in refused[:_CALLERS_SHOWN])
    if len(refused) > _CALLERS_SHOWN:
        text = f"{len(refused) - _CALLERS_SHOWN} more were rejected before these; the log has them"
        yield CheckLine("refused callers", "note", text)


def _knows(node: Running, settings: Settings) -> bool:
    return node.configuration == running.digest_of(settings)


def _is_let_in(caller: Caller, settings: Settings, node: Running | None) -> bool:
    """Return whether the node lets in, or will at its start, whom an earlier start turned away for its AE title."""
    if node is None or node.since is None:
        return node is None and _is_configured(caller, settings)
    return _knows(node, settings) and caller.last_at < node.since and _is_configured(caller, settings)


def _is_configured(caller: Caller, settings: Settings) -> bool:
    may_send = settings.receive.accept_any_calling_ae or any(
        peer.may_send and peer.ae_title == caller.calling_ae_title for peer in settings.peers
    )
    return may_send and bool(let_in_with(caller.reason, caller.calling_ae_title, caller.address))


def _caller(caller: Caller, settings: Settings) -> CheckLine:
    text = (
        f"{caller.calling_ae_title or _NO_TITLE} at {caller.address} called {caller.called_ae_title or _NO_TITLE} "
        f"{caller.times} times, last {caller.last_at:%Y-%m-%d %H:%M:%S} UTC, and was rejected: {caller.reason}"
    )
    if _is_configured(caller, settings):
        return CheckLine("refused caller", "note", f"{text}; config.toml lets it in by now: restart the node")
    way_in = let_in_with(caller.reason, caller.calling_ae_title, caller.address)
    return CheckLine("refused caller", "note", text + (f"; let it in with\n{way_in}" if way_in else ""))
