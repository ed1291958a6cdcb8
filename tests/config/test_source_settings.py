"""Tests of the settings of live chats: a list of sections, whose mistakes are named line by line."""

from __future__ import annotations

from pathlib import Path

import pytest

from greenroom.config.errors import ConfigError
from greenroom.config.settings import Settings, load_settings

GOOD = """
sources:
  - url: https://www.twitch.tv/somebody
  - url: youtube://@somebody
    room: second
    key_env: MY_KEY
    poll_seconds: 10
    moderation:
      links: true
      blocked_words: [one, "two words"]
"""
BAD = """
sources:
  - url: twich://somebody
    rom: x
  - room: "a b"
    moderation:
      link: yes
      max_length: 9999
      blocked_words: [""]
    poll_seconds: 0
  - twitch://somebody
"""


def test_none_by_default():
    """Without settings nothing is read from anywhere."""
    assert Settings().sources == ()


def test_sources(tmp_path: Path):
    """A source names its address; the room and the moderation have defaults."""
    file = tmp_path / "greenroom.yaml"
    file.write_text(GOOD)
    first, second = load_settings(file, environ={}).sources
    assert (first.url, first.room, first.key_env) == ("https://www.twitch.tv/somebody", "main", "")
    assert (first.moderation.max_length, first.moderation.links) == (300, False)
    assert (second.room, second.key_env, second.poll_seconds) == ("second", "MY_KEY", 10)
    assert second.moderation.blocked_words == ("one", "two words")
    assert second.moderation.links
    assert hash(first) != hash(second)


def test_every_mistake_has_its_line(tmp_path: Path):
    """Fields inside a list are named with their own line, and what is known there."""
    file = tmp_path / "greenroom.yaml"
    file.write_text(BAD)
    with pytest.raises(ConfigError) as error:
        load_settings(file, environ={})
    found = {problem.field: problem for problem in error.value.problems}
    assert {field: problem.line for field, problem in found.items()} == {
        "sources[0].url": 3,
        "sources[0].rom": 4,
        "sources[1].url": 5,
        "sources[1].room": 5,
        "sources[1].moderation.link": 7,
        "sources[1].moderation.max_length": 8,
        "sources[1].moderation.blocked_words[0]": 9,
        "sources[1].poll_seconds": 10,
        "sources[2]": 11,
    }
    assert found["sources[0].rom"].fix == 'did you mean "room"?'
    assert found["sources[1].moderation.link"].fix == 'did you mean "links"?'
    assert found["sources[1].moderation.max_length"].fix == "use 0..2000"
    assert 'did you mean "twitch"?' in found["sources[0].url"].fix


def test_a_single_value_is_no_list(tmp_path: Path):
    """An address where the list belongs is told how a list is written."""
    file = tmp_path / "greenroom.yaml"
    file.write_text("sources: twitch://somebody\n")
    with pytest.raises(ConfigError, match="is not a list; write"):
        load_settings(file, environ={})
