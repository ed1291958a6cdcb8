"""A folder of character files, for the tests of this folder."""

from __future__ import annotations

import os
from pathlib import Path

from greenroom.config.characters import CharacterStore
from greenroom.config.paths import shipped_characters
from greenroom.config.settings import Settings

PERSONA = "conf_name: {name}\nconf_uid: uid_{name}\npersona_prompt: You are {name}.\n"


class Room:
    """A data folder, a clock, and the store that looks at both."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.folder = root / "characters"
        self.folder.mkdir()
        self.now = 100.0
        self.settings = Settings(data_dir=root)

    def store(self, *, shipped: bool = False, environ: dict[str, str] | None = None) -> CharacterStore:
        folders = [self.folder, shipped_characters()] if shipped else [self.folder]
        return CharacterStore(folders, self.settings, environ=environ or {}, clock=lambda: self.now)

    def write(self, name: str, text: str | None = None) -> Path:
        path = self.folder / name
        stem = path.stem
        path.write_text(PERSONA.format(name=stem) if text is None else text, encoding="utf-8")
        # Two writes within one tick of the file system's clock must still be told apart.
        before = getattr(self, "_stamp", 1_700_000_000_000_000_000)
        self._stamp = before + 1_000_000_000
        os.utime(path, ns=(self._stamp, self._stamp))
        return path
