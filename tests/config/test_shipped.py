"""Tests of the characters and pictures in the package."""

from __future__ import annotations

import re
import struct
from pathlib import Path
from xml.etree import ElementTree

import pytest

from greenroom.config.characters import CharacterStore
from greenroom.config.paths import shipped_avatars, shipped_backgrounds, shipped_characters
from greenroom.config.settings import Settings

FILES = ["bloodsucker.yaml", "sakura.yaml", "white.yaml"]
DRAWINGS = [
    *sorted(shipped_avatars().glob("*.svg")),
    *sorted((shipped_backgrounds() / "sources").glob("*.svg")),
]


@pytest.fixture(scope="module")
def store() -> CharacterStore:
    """The package's characters alone."""
    return CharacterStore([shipped_characters()], Settings(), environ={})


def test_all_load_without_a_word(store: CharacterStore):
    """Every shipped file is a character, without problems or warnings."""
    assert [entry.filename for entry in store.entries()] == FILES
    assert store.problems == ()
    assert store.warnings == ()


@pytest.mark.parametrize(
    ("filename", "uid", "language", "letters"),
    [
        ("sakura.yaml", "greenroom_sakura", "ja", r"[\u3041-\u30ff]"),
        ("bloodsucker.yaml", "greenroom_bloodsucker", "zh", r"[\u4e00-\u9fff]"),
        ("white.yaml", "greenroom_white", "en", r"[A-Za-z]"),
    ],
)
def test_each_in_its_own_language(
    store: CharacterStore, filename: str, uid: str, language: str, letters: str
):
    """Each speaks its own language, and keeps its id for ever: histories hang on it."""
    character = store.load(filename)
    assert (character.conf_uid, character.language) == (uid, language)
    assert character.greeting is not None
    for text in (
        character.persona_prompt,
        character.greeting,
        character.proactive_prompt,
        character.description,
    ):
        assert len(re.findall(letters, text)) > len(text) / 2


@pytest.mark.parametrize("filename", FILES)
def test_wake_words_are_there_but_off(store: CharacterStore, filename: str):
    """Wake and end words exist in three languages and wait to be turned on."""
    words = store.load(filename).wake_words
    assert words is not None
    assert not words.enabled
    for by_language in (words.wake, words.end):
        assert set(by_language) == {"en", "zh", "ja"}
        assert all(by_language.values())


@pytest.mark.parametrize("filename", FILES)
def test_avatar_exists(store: CharacterStore, filename: str):
    """Each has a portrait in the package."""
    assert (shipped_avatars() / store.load(filename).avatar).is_file()


@pytest.mark.parametrize("path", DRAWINGS, ids=lambda path: path.name)
def test_drawings_are_harmless(path: Path):
    """A drawing holds shapes only: no script, no handler, nothing from elsewhere."""
    root = ElementTree.fromstring(path.read_text(encoding="utf-8"))
    for element in root.iter():
        tag = element.tag.rpartition("}")[2]
        assert tag not in {"script", "foreignObject", "image", "style", "a", "iframe"}
        for name, value in element.attrib.items():
            assert not name.lower().startswith("on")
            if name.rpartition("}")[2] == "href":
                assert value.startswith("#")
            assert "//" not in value
    ids = {element.get("id") for element in root.iter()}
    for reference in re.findall(r"url\(#([^)]+)\)|href=\"#([^\"]+)\"", path.read_text(encoding="utf-8")):
        assert "".join(reference) in ids


@pytest.mark.parametrize("path", sorted(shipped_avatars().glob("*.svg")), ids=lambda path: path.name)
def test_avatars_are_square(path: Path):
    """An avatar is 256 by 256."""
    root = ElementTree.fromstring(path.read_text(encoding="utf-8"))
    assert (root.get("width"), root.get("height"), root.get("viewBox")) == ("256", "256", "0 0 256 256")


def test_backgrounds():
    """The page's own default is among the three pictures; all are JPEGs of modest size."""
    pictures = sorted(shipped_backgrounds().glob("*.jpeg"))
    assert [path.name for path in pictures] == [
        "ceiling-window-room-day.jpeg",
        "ceiling-window-room-night.jpeg",
        "stage.jpeg",
    ]
    for path in pictures:
        raw = path.read_bytes()
        assert len(raw) <= 150 * 1024
        assert raw.startswith(b"\xff\xd8\xff")
        assert raw.endswith(b"\xff\xd9")
        frame = re.search(rb"\xff[\xc0\xc2]..\x08(....)", raw, re.DOTALL)
        assert frame is not None
        assert struct.unpack(">HH", frame.group(1)) == (900, 1600)
        assert (shipped_backgrounds() / "sources" / f"{path.stem}.svg").is_file()
