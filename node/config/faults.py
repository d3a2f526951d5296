"""What is wrong with a configuration, in words: file, table, key, value, and what would do."""

import difflib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from node.config.settings import Settings
from node.domain.masking import masked


def faults_of(error: ValidationError, raw: dict[str, Any], path: Path) -> list[str]:
    """Return one line per fault: file, table, key, value, and what would do."""
    lines = [f"{path}: {'the file is empty' if not raw else 'not a usable configuration'}"]
    for fault in error.errors(include_url=False):
        place = _place(fault["loc"])
        if fault["type"] == "extra_forbidden":
            lines.append(f"  {place}: unknown key{_nearest(fault['loc'])}")
        elif fault["type"] == "missing":
            lines.append(f"  {place}: missing")
        elif fault["type"] == "tuple_type" and isinstance(fault["input"], str):
            lines.append(f'  {place} = {fault["input"]!r}: a list is asked for: write ["{fault["input"]}"]')
        else:
            value = "" if isinstance(fault["input"], dict) else f" = {masked(repr(fault['input']))}"
            lines.append(f"  {place}{value}: {fault['msg'].removeprefix('Value error, ')}".replace("  : ", "  "))
    return lines


def faults_between_tables(raw: dict[str, Any]) -> Iterator[str]:
    """Yield what is wrong between keys that are right by themselves, whatever else is wrong."""
    peers, models = _tables(raw, "peers"), _tables(raw, "models")
    for table, entries in (("peers", peers), ("models", models)):
        names = [str(entry.get("name")) for entry in entries]
        yield from (
            f"[[{table}]] name {name} is used more than once" for name in sorted(set(names)) if names.count(name) > 1
        )
    if not peers:
        yield "[[peers]]: missing: nobody may send and nobody gets a report"
    elif not any(peer.get("may_send") for peer in peers) and not _table(raw, "receive").get("accept_any_calling_ae"):
        yield (
            "[[peers]] nobody may send: give at least one peer may_send = true (or, on a closed network, set "
            "[receive] accept_any_calling_ae = true)"
        )
    study = _table(raw, "study")
    quiet, longest = study.get("quiet_period_s", 60), study.get("max_wait_s", 900)
    if isinstance(quiet, int | float) and isinstance(longest, int | float) and quiet > longest:
        yield f"[study] quiet_period_s = {quiet} is longer than max_wait_s = {longest}: it would never be waited for"
    yield from _peers_without_end(peers, longest)


def _peers_without_end(peers: list[dict[str, Any]], longest: Any) -> Iterator[str]:
    for peer in peers:
        quiet = peer.get("quiet_period_s")
        if isinstance(quiet, int | float) and isinstance(longest, int | float) and quiet > longest:
            yield (
                f"[[peers]] {peer.get('name')}: quiet_period_s = {quiet} is longer than [study] max_wait_s = {longest}"
                ": it would never be waited for"
            )


def _table(raw: dict[str, Any], name: str) -> dict[str, Any]:
    found = raw.get(name)
    return found if isinstance(found, dict) else {}


def _tables(raw: dict[str, Any], name: str) -> list[dict[str, Any]]:
    found = raw.get(name)
    return [entry for entry in found if isinstance(entry, dict)] if isinstance(found, list) else []


def _place(loc: tuple[int | str, ...]) -> str:
    """Write ('peers', 0, 'port') as ``[[peers]] #1 port`` and ('node', 'port') as ``[node] port``."""
    if not loc:
        return ""
    table, rest = loc[0], loc[1:]
    field = Settings.model_fields.get(str(table))
    if rest and isinstance(rest[0], int):
        return f"[[{table}]] #{rest[0] + 1} {'.'.join(map(str, rest[1:]))}".rstrip()
    listed = field is not None and str(field.annotation).startswith("tuple")
    return f"[{'[' if listed else ''}{table}]{']' if listed else ''} {'.'.join(map(str, rest))}".rstrip()


def _nearest(loc: tuple[int | str, ...]) -> str:
    known = list(_model_at(loc[:-1]).model_fields)
    close = difflib.get_close_matches(str(loc[-1]), known, n=1, cutoff=0.6)
    return f", did you mean {close[0]}?" if close else f" (known: {', '.join(known)})"


def _model_at(loc: tuple[int | str, ...]) -> type[BaseModel]:
    model: type[BaseModel] = Settings
    for part in loc:
        if isinstance(part, str):
            annotation = model.model_fields[part].annotation
            model = (get_args(annotation) or (annotation,))[0]
    return model
