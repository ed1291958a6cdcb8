"""Where files are: the user's data folder, and what the package ships."""

from __future__ import annotations

import os
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import platformdirs

from greenroom.config.errors import ConfigError, Problem

__all__ = ["DataPaths", "default_data_dir", "shipped_avatars", "shipped_backgrounds", "shipped_characters"]


def default_data_dir() -> Path:
    """Return the system's place for this user's data of this program."""
    return Path(platformdirs.user_data_dir("greenroom", appauthor=False))


@dataclass(frozen=True, slots=True)
class DataPaths:
    """The layout of the data folder. Asking for a path creates nothing."""

    root: Path

    @property
    def histories(self) -> Path:
        """The database of conversations."""
        return self.root / "histories.sqlite3"

    @property
    def characters(self) -> Path:
        """The user's character files."""
        return self.root / "characters"

    @property
    def backgrounds(self) -> Path:
        """The user's background pictures."""
        return self.root / "backgrounds"

    @property
    def avatars(self) -> Path:
        """The user's avatar pictures."""
        return self.root / "avatars"

    @property
    def live2d_models(self) -> Path:
        """The user's Live2D models, one folder each."""
        return self.root / "live2d-models"

    @property
    def model_dict(self) -> Path:
        """The list of Live2D models and their gestures."""
        return self.root / "model_dict.json"

    @property
    def folders(self) -> tuple[Path, ...]:
        """All folders, outermost first."""
        return (self.root, self.characters, self.backgrounds, self.avatars, self.live2d_models)

    def ensure(self) -> None:
        """Create what is missing. Raises ConfigError when a folder cannot be made or written to."""
        for folder in self.folders:
            try:
                folder.mkdir(mode=0o700 if folder is self.root else 0o755, parents=True, exist_ok=True)
            except OSError as error:
                reason = error.strerror or type(error).__name__
                raise ConfigError([_unusable(folder, f"cannot be created: {reason}")]) from error
        if problem := self.problem():
            raise ConfigError([problem])

    def problem(self) -> Problem | None:
        """Return why the data folder could not be used, without creating it."""
        for folder in self.folders:
            place = folder
            while not place.exists() and place != place.parent:
                place = place.parent
            if not place.is_dir():
                return _unusable(folder, f"cannot be created: {place} is not a folder")
            if not os.access(place, os.W_OK | os.X_OK):
                return _unusable(folder, "cannot be written to")
        return None


def _unusable(folder: Path, message: str) -> Problem:
    return Problem(
        str(folder), None, "data_dir", message, "give this user the right to write, or set data_dir"
    )


def shipped_characters() -> Path:
    """Return the folder of the characters in the package."""
    return _shipped("characters")


def shipped_avatars() -> Path:
    """Return the folder of the avatars in the package."""
    return _shipped("assets", "avatars")


def shipped_backgrounds() -> Path:
    """Return the folder of the background pictures in the package."""
    return _shipped("assets", "bg")


def _shipped(*names: str) -> Path:
    return Path(str(files("greenroom").joinpath(*names)))
