"""Everything that can be known to be wrong before the server starts: what `greenroom check` prints."""

from __future__ import annotations

import ipaddress
import os
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from greenroom.config.character import Character
from greenroom.config.characters import CharacterStore
from greenroom.config.errors import ConfigError, Problem
from greenroom.config.paths import shipped_avatars
from greenroom.config.settings import Gathered, OpenAISettings, Settings, gather, settings_from
from greenroom.config.tokens import Token, load_tokens, refuse_to_be_open

__all__ = ["Report", "check"]


@dataclass(frozen=True)
class Report:
    """`problems` keep something from working; `warnings` are worth knowing."""

    problems: tuple[Problem, ...]
    warnings: tuple[Problem, ...]
    settings_file: Path | None = None
    characters: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether the server would start and serve every character."""
        return not self.problems

    def text(self) -> str:
        """Return the report for a person to read."""
        lines: list[str] = []
        for title, found in (("Problems", self.problems), ("Warnings", self.warnings)):
            if found:
                lines += [f"{title}:", *(f"  {problem}" for problem in found), ""]
        where = str(self.settings_file) if self.settings_file else "defaults (no greenroom.yaml)"
        lines += [f"Settings: {where}", f"Characters: {', '.join(self.characters) or 'none'}"]
        lines.append(f"{_count(self.problems, 'problem')}, {_count(self.warnings, 'warning')}.")
        return "\n".join(lines)


def check(
    path: Path | None, environ: Mapping[str, str], overrides: Mapping[str, Any] | None = None
) -> Report:
    """Check the settings, every character and the data folder. Creates nothing and never raises for them."""
    problems: list[Problem] = []
    gathered = gather(path, environ=environ, overrides=overrides)
    warnings: list[Problem] = list(gathered.warnings)
    try:
        settings = settings_from(gathered)
    except ConfigError as error:
        problems += error.problems
        settings = _best_guess(gathered)
    source = str(gathered.file) if gathered.file else "settings"

    def place(*field: str) -> tuple[str, int | None]:
        origin = gathered.layers.origin(field)
        return (origin.file, origin.line) if origin else (source, None)

    if problem := settings.paths.problem():
        problems.append(
            Problem(*place("data_dir"), problem.field, f"{problem.file} {problem.message}", problem.fix)
        )
    page = settings.server.page_dir
    if page is not None and not (page / "index.html").is_file():
        fix = "give the folder of a built page"
        problems.append(Problem(*place("server", "page_dir"), "server.page_dir", "has no index.html", fix))
    tokens: tuple[Token, ...] = ()
    try:
        tokens = load_tokens(settings)
    except ConfigError as error:
        problems += error.problems
    else:
        if open_door := refuse_to_be_open(settings, tokens):
            problems.append(open_door)
    _check_readers(gathered, warnings)
    own = settings.characters_dir
    if own is not None and not own.is_dir():
        fix = "create it, or correct the path"
        problems.append(Problem(*place("characters_dir"), "characters_dir", "is not a folder", fix))

    store = CharacterStore.for_settings(settings, environ=environ)
    problems += store.problems
    warnings += store.warnings
    try:
        _ = store.default
    except ConfigError as error:
        if settings.character not in {problem.file for problem in store.problems}:
            found = error.problems[0]
            problems.append(Problem(*place("character"), "character", found.message, found.fix))
    characters = [store.load(entry.filename) for entry in store.entries()]
    _check_together(characters, problems, warnings)
    for character in characters:
        _check_avatar(character, settings, warnings)
    _check_keys(characters, environ, problems, warnings)
    return Report(tuple(problems), tuple(warnings), gathered.file, tuple(one.filename for one in characters))


def _best_guess(gathered: Gathered) -> Settings:
    """Return settings good enough to find the characters although others of them are wrong."""
    known: dict[str, Path] = {}
    for name in ("data_dir", "characters_dir"):
        value = gathered.layers.data.get(name)
        if isinstance(value, str | Path) and value:
            known[name] = Path(value)
    return Settings.model_validate(known)


def _check_readers(gathered: Gathered, warnings: list[Problem]) -> None:
    """Tell of tokens written into a settings file that others on this machine can read."""
    file, section = gathered.file, gathered.layers.data.get("security")
    if file is None or os.name == "nt" or not isinstance(section, dict):
        return
    try:
        mode = file.stat().st_mode
    except OSError:
        return  # reading it has been complained of
    for field in ("token", "ops_token", "tokens"):
        origin = gathered.layers.origin(("security", field))
        values = section.get(field)
        inline = any("token" in one for one in values) if isinstance(values, list) else bool(values)
        if mode & 0o044 and inline and origin is not None and origin.line is not None and not origin.hidden:
            message = "stands in a file that others on this machine can read"
            fix = f"run: chmod 600 {file}, or use token_file"
            warnings.append(Problem(origin.file, origin.line, f"security.{field}", message, fix))


def _check_together(characters: list[Character], problems: list[Problem], warnings: list[Problem]) -> None:
    by_uid: defaultdict[str, list[Character]] = defaultdict(list)
    by_name: defaultdict[str, list[Character]] = defaultdict(list)
    for character in characters:
        by_uid[character.conf_uid].append(character)
        by_name[character.conf_name].append(character)
    for uid, same in by_uid.items():
        for other in same[1:]:
            message = f'"{uid}" is also that of {same[0].filename}: they would share their histories'
            problems.append(Problem(other.filename, None, "conf_uid", message, "give each its own"))
    for name, same in by_name.items():
        for other in same[1:]:
            message = f'"{name}" is also that of {same[0].filename}: pages cannot tell them apart'
            warnings.append(Problem(other.filename, None, "conf_name", message, "give each its own"))


def _check_avatar(character: Character, settings: Settings, warnings: list[Problem]) -> None:
    if not character.avatar:
        return
    folders = (settings.paths.avatars, shipped_avatars())
    if not any((folder / character.avatar).is_file() for folder in folders):
        message = f"there is no picture {character.avatar}"
        fix = f"put it into {folders[0]}"
        warnings.append(Problem(character.filename, None, "avatar", message, fix))


def _check_keys(
    characters: list[Character], environ: Mapping[str, str], problems: list[Problem], warnings: list[Problem]
) -> None:
    """Tell of variables that should hold a key and do not, once for each place the key is for."""
    told: set[tuple[str | None, str]] = set()
    for character in characters:
        agent, api = character.agent, character.agent.openai
        if agent.kind == "builtin" or (agent.kind == "auto" and api.base_url is None):
            continue
        place = (api.base_url, api.api_key_env)
        if api.key(environ) is not None or not api.api_key_env or _is_local(api) or place in told:
            continue
        told.add(place)
        message = f"the environment variable {api.api_key_env} is not set, so no key is sent"
        fix = "set it, or empty api_key_env if none is needed"
        found = Problem(character.filename, None, "agent.openai.api_key_env", message, fix)
        (problems if api.base_url is None else warnings).append(found)


def _is_local(api: OpenAISettings) -> bool:
    host = urlsplit(api.base_url).hostname if api.base_url else None
    if host is None:
        return False
    if host == "localhost" or host.endswith((".local", ".localhost")) or not set(host) & {".", ":"}:
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False  # a name on the open net
    return address.is_private


def _count(found: tuple[Problem, ...], word: str) -> str:
    return f"{len(found)} {word}" if len(found) == 1 else f"{len(found)} {word}s"
