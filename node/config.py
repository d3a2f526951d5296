"""config.toml, checked once into frozen settings.

Every fault of a file is reported together, each with its table, key and value, and an unknown key with the nearest
one that is known. Units stand in the names. Relative paths are relative to the folder of the configuration file.
This room knows the form of the settings and nothing of what they are for.
"""

import difflib
import os
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from node.domain.errors import OperatorError

ENVIRONMENT_VARIABLE = "PACS_NODE_CONFIG"
PASSWORD_VARIABLE = "PACS_NODE_DATABASE_PASSWORD"  # noqa: S105 - the name of a variable, not a password


def _ae_title(value: str) -> str:
    stripped = value.strip(" ")
    if not 0 < len(stripped) <= 16 or not stripped.isascii() or not stripped.isprintable() or "\\" in stripped:
        raise ValueError("an AE title has 1 to 16 printable ASCII characters and no backslash (DICOM PS3.5 6.2)")
    return stripped


AETitle = Annotated[str, AfterValidator(_ae_title)]
Port = Annotated[int, Field(ge=0, le=65535)]
PeerPort = Annotated[int, Field(ge=1, le=65535)]
Seconds = Annotated[float, Field(gt=0)]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,31}$")]
OutcomeName = Literal["positive", "negative", "not_assessed"]


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=False)


class NodeSettings(_Table):
    """[node]: who this node is and where it keeps things."""

    ae_title: AETitle
    bind: str = "0.0.0.0"  # noqa: S104 - a DICOM node is there to be reached; AE titles are checked
    port: Port = 11112
    data_dir: Path = Path("var")


class ReceiveSettings(_Table):
    """[receive]: whom it lets in, and its limits."""

    accept_any_calling_ae: bool = False
    max_associations: Annotated[int, Field(ge=1)] = 20
    max_instance_mb: Annotated[int, Field(ge=1)] = 2048
    association_timeout_s: Seconds = 30
    idle_timeout_s: Seconds = 120


class PeerSettings(_Table):
    """[[peers]]: a remote application entity, what it may send and what it gets."""

    name: Name
    ae_title: AETitle
    host: Annotated[str, Field(min_length=1)]
    port: PeerPort
    may_send: bool = False
    gets: tuple[Literal["report"], ...] = ()
    outcomes: tuple[OutcomeName, ...] = ("positive", "negative", "not_assessed")
    profile: Literal["default"] = "default"
    test: bool = False


class DatabaseSettings(_Table):
    """[database]: one URL; its password may come from a file or the environment."""

    url: str = ""
    password_file: Path | None = None


class StorageSettings(_Table):
    """[storage]: what must stay free on the disk."""

    min_free_mb: Annotated[int, Field(ge=0)] = 2048
    min_free_inodes: Annotated[int, Field(ge=0)] = 10000


class StudySettings(_Table):
    """[study]: when a study counts as complete."""

    quiet_period_s: Annotated[float, Field(ge=0)] = 60
    max_wait_s: Seconds = 900


class WorkSettings(_Table):
    """[work]: how reading is done."""

    processes: Annotated[int, Field(ge=1, le=64)] = 1
    deadline_s: Seconds = 120
    attempts: Annotated[int, Field(ge=1)] = 5


class ModelSettings(_Table):
    """[[models]]: seeds a name that the registry does not know yet."""

    name: Name
    bundle: str = "starter"
    modalities: tuple[str, ...] = ("CR", "DX")
    body_parts: tuple[str, ...] = ("CHEST",)
    senders: tuple[str, ...] = ()
    age_years: tuple[float, float] | None = None
    mode: Literal["shadow", "active", "off"] = "shadow"


class GoLiveSettings(_Table):
    """[go_live]: what a model needs before its reports go to clinical peers."""

    require_validation: bool = True


class LogSettings(_Table):
    """[log]: how much is said on stderr, and in which form."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["console", "json"] = "console"


class Settings(_Table):
    """The whole configuration."""

    node: NodeSettings
    receive: ReceiveSettings = ReceiveSettings()
    peers: tuple[PeerSettings, ...] = ()
    database: DatabaseSettings = DatabaseSettings()
    storage: StorageSettings = StorageSettings()
    study: StudySettings = StudySettings()
    work: WorkSettings = WorkSettings()
    models: tuple[ModelSettings, ...] = ()
    go_live: GoLiveSettings = GoLiveSettings()
    log: LogSettings = LogSettings()

    @model_validator(mode="after")
    def _names_are_unique(self) -> "Settings":
        for table, names in (("peers", [p.name for p in self.peers]), ("models", [m.name for m in self.models])):
            twice = sorted({name for name in names if names.count(name) > 1})
            if twice:
                raise ValueError(f"[[{table}]] name {', '.join(twice)} is used more than once")
        return self

    @model_validator(mode="after")
    def _somebody_may_send(self) -> "Settings":
        if not self.receive.accept_any_calling_ae and not any(peer.may_send for peer in self.peers):
            raise ValueError(
                "[[peers]] nobody may send: give at least one peer may_send = true (or, on a closed network, set "
                "[receive] accept_any_calling_ae = true)"
            )
        return self

    def peer(self, name: str) -> PeerSettings | None:
        """Return the peer of that name, or None."""
        return next((peer for peer in self.peers if peer.name == name), None)


def find(explicit: Path | None) -> Path:
    """Return the configuration file: `explicit`, else PACS_NODE_CONFIG, else ./config.toml.

    Raises
    ------
    OperatorError
        When there is none.
    """
    path = explicit or Path(os.environ.get(ENVIRONMENT_VARIABLE) or "config.toml")
    if not path.is_file():
        raise OperatorError(
            f"no configuration at {path}: name one with --config FILE or {ENVIRONMENT_VARIABLE}, or put a config.toml "
            "into this folder (the README shows one)",
            exit_code=2,
        )
    return path


def load(path: Path) -> Settings:
    """Return the checked settings of a configuration file, its relative paths made absolute.

    Raises
    ------
    OperatorError
        With every fault of the file, one a line; exit code 2.
    """
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise OperatorError(f"{path}: not readable as TOML: {error}", exit_code=2) from error
    return parse(raw, path)


def parse(raw: dict[str, Any], path: Path) -> Settings:
    """Return the settings that `raw`, read from `path`, holds; raises as `load` does."""
    try:
        settings = Settings.model_validate(raw)
    except ValidationError as error:
        raise OperatorError("\n".join(_faults(error, raw, path)), exit_code=2) from error
    return _with_absolute_paths(settings, path.resolve().parent)


def _with_absolute_paths(settings: Settings, folder: Path) -> Settings:
    node = settings.node.model_copy(update={"data_dir": folder / settings.node.data_dir})
    database = settings.database.model_copy(update={"url": _database_url(settings.database, node.data_dir, folder)})
    models = tuple(model.model_copy(update={"bundle": _bundle(model.bundle, folder)}) for model in settings.models)
    return settings.model_copy(update={"node": node, "database": database, "models": models})


def _bundle(bundle: str, folder: Path) -> str:
    return bundle if "/" not in bundle else str(folder / bundle)


def _database_url(database: DatabaseSettings, data_dir: Path, folder: Path) -> str:
    if not database.url:
        return f"sqlite:///{data_dir / 'node.db'}"
    if database.url.startswith("sqlite:///"):
        return f"sqlite:///{folder / database.url.removeprefix('sqlite:///')}"
    return _with_password(database.url, _password(database, folder))


def _password(database: DatabaseSettings, folder: Path) -> str | None:
    if database.password_file is None:
        return os.environ.get(PASSWORD_VARIABLE)
    path = folder / database.password_file
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise OperatorError(f"[database] password_file {path}: not readable: {error}", exit_code=2) from error


def _with_password(url: str, password: str | None) -> str:
    scheme, separator, rest = url.partition("://")
    user, at, host = rest.partition("@")
    if password is None or not at or ":" in user:
        return url
    from urllib.parse import quote  # noqa: PLC0415 - only where a password is set

    return f"{scheme}{separator}{user}:{quote(password, safe='')}@{host}"


def _faults(error: ValidationError, raw: dict[str, Any], path: Path) -> list[str]:
    """Return one line per fault: file, table, key, value, and what would do."""
    lines = [f"{path}: {'the file is empty' if not raw else 'not a usable configuration'}"]
    for fault in error.errors(include_url=False):
        place = _place(fault["loc"])
        if fault["type"] == "extra_forbidden":
            lines.append(f"  {place}: unknown key{_nearest(fault['loc'])}")
        elif fault["type"] == "missing":
            lines.append(f"  {place}: missing")
        else:
            value = "" if isinstance(fault["input"], dict) else f" = {fault['input']!r}"
            lines.append(f"  {place}{value}: {fault['msg'].removeprefix('Value error, ')}".replace("  : ", "  "))
    if not raw:
        lines.append("  [[peers]]: missing: nobody may send and nobody gets a report")
    return lines


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
    close = difflib.get_close_matches(str(loc[-1]), known, n=1, cutoff=0.5)
    return f", did you mean {close[0]}?" if close else f" (known: {', '.join(known)})"


def _model_at(loc: tuple[int | str, ...]) -> type[BaseModel]:
    model: type[BaseModel] = Settings
    for part in loc:
        if isinstance(part, str):
            annotation = model.model_fields[part].annotation
            model = (get_args(annotation) or (annotation,))[0]
    return model
