"""config.toml found, read, checked, and its relative paths made absolute."""

import os
import tomllib
from pathlib import Path
from typing import Any
from urllib.parse import quote

from pydantic import ValidationError

from node.config.faults import faults_between_tables, faults_of
from node.config.settings import DatabaseSettings, ModelSettings, RetrainSettings, Settings
from node.domain.errors import OperatorError

ENVIRONMENT_VARIABLE = "PACS_NODE_CONFIG"
PASSWORD_VARIABLE = "PACS_NODE_DATABASE_PASSWORD"  # noqa: S105 - the name of a variable, not a password


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
            f"no configuration file at {path.absolute()}: name one with --config FILE or {ENVIRONMENT_VARIABLE}, or "
            "put a config.toml into this folder (the one that comes with pacs-node is a beginning)",
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
    faults = [f"  {fault}" for fault in faults_between_tables(raw)]
    try:
        settings = Settings.model_validate(raw)
    except ValidationError as error:
        raise OperatorError("\n".join([*faults_of(error, raw, path), *faults]), exit_code=2) from error
    if faults:
        raise OperatorError("\n".join([f"{path}: not a usable configuration", *faults]), exit_code=2)
    return _with_absolute_paths(settings, path.resolve().parent)


def _with_absolute_paths(settings: Settings, folder: Path) -> Settings:
    node = settings.node.model_copy(update={"data_dir": folder / settings.node.data_dir})
    database = settings.database.model_copy(update={"url": _database_url(settings.database, node.data_dir, folder)})
    models = tuple(model.model_copy(update=_places(model, folder)) for model in settings.models)
    retrain = settings.retrain.model_copy(update=_folders(settings.retrain, folder))
    return settings.model_copy(update={"node": node, "database": database, "models": models, "retrain": retrain})


def _folders(retrain: RetrainSettings, folder: Path) -> dict[str, Any]:
    recipe = retrain.recipe if "/" not in retrain.recipe else str(folder / retrain.recipe)
    return {"recipe": recipe, "replay": tuple(folder / path for path in retrain.replay)}


def _places(model: ModelSettings, folder: Path) -> dict[str, str | Path | None]:
    bundle = model.bundle if "/" not in model.bundle else str(folder / model.bundle)
    return {"bundle": bundle, "public_key": folder / model.public_key if model.public_key else None}


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
    return f"{scheme}{separator}{user}:{quote(password, safe='')}@{host}"
