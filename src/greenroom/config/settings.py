"""The server's settings, and where they come from.

Command line, then environment (`GREENROOM_SERVER__PORT=8000`), then `greenroom.yaml`, then defaults. There
are no short names such as GREENROOM_PORT on purpose: container platforms set just that name to an address of
their own for a service called "greenroom".
"""

from __future__ import annotations

import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, ValidationError
from pydantic.functional_validators import AfterValidator

from greenroom.config.document import KeyPath, dotted, read_document
from greenroom.config.errors import ConfigError, Problem, did_you_mean
from greenroom.config.explain import explain, fields_of, item_section, section_of
from greenroom.config.layers import Layers, Origin
from greenroom.config.paths import DataPaths, default_data_dir
from greenroom.config.sections import (
    AgentSettings,
    BuiltinSettings,
    HistorySettings,
    LimitSettings,
    LogSettings,
    OpenAISettings,
    OpsSettings,
    QueueSettings,
    RoomSettings,
    Section,
    ServerSettings,
    SourceSettings,
    TtsSettings,
    VoiceSettings,
    WakeWordSettings,
)
from greenroom.config.security import SecuritySettings, TokenSettings

__all__ = [
    "AgentSettings",
    "BuiltinSettings",
    "HistorySettings",
    "LimitSettings",
    "LogSettings",
    "OpenAISettings",
    "OpsSettings",
    "QueueSettings",
    "RoomSettings",
    "SecuritySettings",
    "ServerSettings",
    "Settings",
    "SourceSettings",
    "TokenSettings",
    "TtsSettings",
    "VoiceSettings",
    "WakeWordSettings",
    "find_settings_file",
    "load_settings",
]

FILE_NAME = "greenroom.yaml"
PREFIX = "GREENROOM_"
FOR_CLIENTS = frozenset({"GREENROOM_TOKEN"})
"""Read by commands that connect to a server (`soak`, `top`), not by the server."""


def _file_name(text: str) -> str:
    if not text or "/" in text or "\\" in text or text.startswith("."):
        raise ValueError('is not a character\'s file name; use a bare name such as "white.yaml"')
    return text


class Settings(Section):
    """All of the server's settings."""

    server: ServerSettings = ServerSettings()
    security: SecuritySettings = SecuritySettings()
    limits: LimitSettings = LimitSettings()
    history: HistorySettings = HistorySettings()
    agent: AgentSettings = AgentSettings()
    voice: VoiceSettings = VoiceSettings()
    rooms: RoomSettings = RoomSettings()
    queue: QueueSettings = QueueSettings()
    sources: tuple[SourceSettings, ...] = Field(default=(), max_length=100)
    """Live chats that feed rooms."""
    ops: OpsSettings = OpsSettings()
    log: LogSettings = LogSettings()
    data_dir: Path | None = None
    """Histories and the user's own files; None: the system's place for them."""
    character: Annotated[str, AfterValidator(_file_name)] = Field(default="white.yaml", max_length=255)
    """The file of the character that a new client meets."""
    characters_dir: Path | None = None
    """The user's characters; None: `characters` in the data folder."""

    @property
    def paths(self) -> DataPaths:
        """The data folder's layout."""
        return DataPaths(self.data_dir or default_data_dir())


@dataclass(frozen=True)
class Gathered:
    """The values of all sources before they are checked, and what was wrong with the sources themselves."""

    layers: Layers
    file: Path | None
    problems: tuple[Problem, ...]
    warnings: tuple[Problem, ...]


def load_settings(
    path: Path | None = None,
    *,
    environ: Mapping[str, str],
    overrides: Mapping[str, Any] | None = None,
) -> Settings:
    """Return the settings out of all sources.

    `path` is the settings file; None looks for `greenroom.yaml` here, then in the data folder. `overrides`
    are the command line's values by dotted name (`{"server.port": 8000}`); None there means "not given".

    Raises ConfigError with everything that is wrong, in all sources.
    """
    return settings_from(gather(path, environ=environ, overrides=overrides))


def find_settings_file(environ: Mapping[str, str], overrides: Mapping[str, Any] | None = None) -> Path | None:
    """Return the settings file that is used when none is named, if there is one."""
    data_dir = (overrides or {}).get("data_dir") or environ.get(PREFIX + "DATA_DIR") or default_data_dir()
    for candidate in (Path(FILE_NAME), Path(data_dir).expanduser() / FILE_NAME):
        if candidate.is_file():
            return candidate
    return None


def gather(
    path: Path | None, *, environ: Mapping[str, str], overrides: Mapping[str, Any] | None = None
) -> Gathered:
    """Read all sources without judging their values; never raises for what a user wrote."""
    layers = Layers()
    problems: list[Problem] = []
    warnings: list[Problem] = []
    file = path if path is not None else find_settings_file(environ, overrides)
    if file is not None:
        try:
            document = read_document(file, environ)
        except ConfigError as error:
            problems += error.problems
        else:
            layers.add_document(document)
            problems += [problem for _, problem in document.missing]
            for odd in document.warnings:
                (problems if odd.field else warnings).append(odd)  # a field given twice is a mistake
            _anchor_paths(layers.data, Settings, file.absolute().parent)
    _add_environment(layers, environ, problems, warnings)
    for name, value in (overrides or {}).items():
        if value is not None:
            _put(layers, tuple(name.split(".")), value, Origin("command line"), problems)
    problems += layers.problems
    return Gathered(layers, file, tuple(problems), tuple(warnings))


def settings_from(gathered: Gathered) -> Settings:
    """Check the values. Raises ConfigError."""
    data = _without_empty_sections(gathered.layers.data, Settings)
    source = str(gathered.file) if gathered.file else "settings"
    problems = list(gathered.problems)
    named = {(problem.file, problem.field) for problem in problems}
    try:
        settings = Settings.model_validate(data)
    except ValidationError as error:
        found = explain(error, Settings, gathered.layers, source)
        problems += [problem for problem in found if (problem.file, problem.field) not in named]
    else:
        if not problems:
            return settings
    raise ConfigError(problems)


def _add_environment(
    layers: Layers, environ: Mapping[str, str], problems: list[Problem], warnings: list[Problem]
) -> None:
    for name in sorted(environ):
        if not name.upper().startswith(PREFIX) or not environ[name] or name in FOR_CLIENTS:
            continue
        path = tuple(name[len(PREFIX) :].lower().split("__"))
        if len(path) == 1 and path[0] not in fields_of(Settings):
            # Perhaps another program's, or the container platform's: no reason not to start.
            near = did_you_mean(path[0], fields_of(Settings))
            message = "is no setting and was not used"
            warnings.append(Problem(f"environment variable {name}", None, "", message, near))
            continue
        _put(layers, path, environ[name], Origin(f"environment variable {name}"), problems)


def _put(layers: Layers, path: KeyPath, value: Any, origin: Origin, problems: list[Problem]) -> None:
    """Put a value at a path that must exist, naming what is near when it does not."""
    section: type[Any] | None = Settings
    for index, step in enumerate(path):
        known = list(fields_of(section)) if section else []
        if step not in known:
            fix = did_you_mean(str(step), known) or (f"known here: {', '.join(known)}" if known else "")
            problems.append(Problem(origin.file, None, dotted(path[: index + 1]), "unknown field", fix))
            return
        section = section_of(fields_of(section)[str(step)].annotation) if section else None
    if section is not None and not isinstance(value, Mapping):
        known = list(fields_of(section))
        fix = f"set one of its fields: {', '.join(known)}"
        problems.append(Problem(origin.file, None, dotted(path), "is a section, not a single value", fix))
        return
    layers.put(path, value, origin)


def _anchor_paths(data: dict[str, Any], section: type[Any], folder: Path) -> None:
    """Make the file's relative paths start at the file's own folder."""
    for name, info in fields_of(section).items():
        value = data.get(name)
        inner = section_of(info.annotation)
        if inner is not None and isinstance(value, dict):
            _anchor_paths(value, inner, folder)
        elif isinstance(value, list) and (inner := item_section(info.annotation)) is not None:
            for item in value:
                if isinstance(item, dict):
                    _anchor_paths(item, inner, folder)
        elif isinstance(value, str) and value and _takes_path(info.annotation):
            data[name] = str(folder / Path(value).expanduser())


def _takes_path(annotation: Any) -> bool:
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        return any(_takes_path(choice) for choice in typing.get_args(annotation))
    return annotation is Path


def _without_empty_sections(data: Mapping[str, Any], section: type[Any]) -> dict[str, Any]:
    """Drop `section:` lines that have nothing below them."""
    kept: dict[str, Any] = {}
    for name, value in data.items():
        info = fields_of(section).get(name)
        inner = section_of(info.annotation) if info else None
        if inner is not None and value is None:
            continue
        kept[name] = _without_empty_sections(value, inner) if inner and isinstance(value, dict) else value
    return kept
