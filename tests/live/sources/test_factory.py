"""Tests of making sources from addresses and settings."""

from __future__ import annotations

import subprocess
import sys

import pytest
from tests.tasks.virtual_loop import ticks, virtual

from greenroom.config.sections import ModerationSettings, SourceSettings
from greenroom.config.source_urls import parse_source_url
from greenroom.live.sources.factory import create_source, rules_of, start_sources
from greenroom.live.sources.moderation import ModerationRules
from greenroom.tasks import TaskScope


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("https://twitch.tv/Somebody", "the chat of somebody on Twitch"),
        ("irc://localhost:7000/chat", "#chat on the IRC server localhost:7000"),
        ("bilibili://5", "room 5 on Bilibili"),
        ("youtube://@somebody", "the live chat of @somebody on YouTube"),
    ],
)
def test_each_platform(url: str, words: str):
    """Each kind of address gives its source, which says what it reads."""
    source = create_source(parse_source_url(url), {})
    assert source.describe() == words
    assert source.url == str(parse_source_url(url))
    assert source.url in repr(source)


def test_keys():
    """The key comes from the platform's variable, or from the one that the settings name."""
    environ = {"YOUTUBE_API_KEY": " usual ", "MINE": "own", "BILIBILI_SESSDATA": "cookie"}
    video, room = parse_source_url("youtube://@somebody"), parse_source_url("bilibili://5")
    assert create_source(video, environ)._key == "usual"  # type: ignore[attr-defined]
    assert create_source(video, environ, key_env="MINE")._key == "own"  # type: ignore[attr-defined]
    assert create_source(video, {"YOUTUBE_API_KEY": " "})._key is None  # type: ignore[attr-defined]
    assert create_source(room, environ)._sessdata == "cookie"  # type: ignore[attr-defined]


def test_moderation_settings_are_the_rules():
    """The defaults of the settings and of the rules are the same, and each setting becomes its rule."""
    source = SourceSettings(url="twitch://somebody")
    assert rules_of(source) == ModerationRules()
    chosen = ModerationSettings(
        max_length=1, links=True, blocked_words=("x",), max_repeats=2, sender_per_minute=3, per_minute=4,
        ignore_commands=False,
    )  # fmt: skip
    rules = rules_of(SourceSettings(url="twitch://somebody", moderation=chosen))
    assert rules == ModerationRules(1, True, ("x",), 2, 3, 4, False)


@virtual
async def test_sources_of_the_settings_run():
    """Every source of the settings is started for its room, and ends with the scope."""
    settings = [
        SourceSettings(url="irc://127.0.0.1:1/a"),
        SourceSettings(url="youtube://@somebody", room="second"),
    ]
    async with TaskScope("test") as scope:
        runners = start_sources(settings, scope, lambda room, message: None, {})
        assert [runner.room for runner in runners] == ["main", "second"]
        await runners[1].wait()
        await ticks()
        states = [runner.statistics().state for runner in runners]
        assert states[1] == "failed"
        assert states[0] in ("connecting", "waiting")


def test_only_what_is_needed_is_loaded():
    """The command line starts without any platform's libraries."""
    code = (
        "import sys, greenroom.cli\n"
        "heavy = {'httpx', 'websockets', 'brotli', 'structlog', 'pydantic'} & set(sys.modules)\n"
        "sys.exit(f'loaded: {heavy}' if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
