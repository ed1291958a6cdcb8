"""Tests of the settings' sections: defaults, ranges, secrets."""

from __future__ import annotations

import pytest
from pydantic import SecretStr, ValidationError

from greenroom.config.sections import (
    AgentSettings,
    BuiltinSettings,
    LimitSettings,
    OpenAISettings,
    ServerSettings,
    TtsSettings,
)


def test_defaults():
    """The defaults are those of the plan."""
    limits = LimitSettings()
    assert (limits.max_connections, limits.max_connections_per_address) == (2500, 50)
    assert (limits.max_text_bytes, limits.max_audio_bytes, limits.max_image_bytes) == (65536, 262144, 5242880)
    assert (limits.messages_per_second, limits.message_burst, limits.turns_waiting) == (50, 100, 3)
    assert (limits.turn_seconds, limits.init_seconds, limits.close_seconds) == (120, 60, 5)
    assert (limits.outbox_messages, limits.outbox_bytes, limits.outbox_drain_seconds) == (256, 16777216, 10)
    assert (limits.memory_tokens, limits.speech_jobs, limits.engines_idle_seconds) == (8000, 2, 300)
    assert ServerSettings() == ServerSettings(host="127.0.0.1", port=12393, page_dir=None)


def test_equal_settings_share_an_engine():
    """Settings can be the key of a pool: equal ones are one key."""
    pool = {AgentSettings(): 1}
    pool[AgentSettings(openai=OpenAISettings())] = 2
    pool[AgentSettings(builtin=BuiltinSettings(words=5))] = 3
    assert len(pool) == 2


def test_frozen():
    """Nobody changes settings that others share."""
    with pytest.raises(ValidationError):
        AgentSettings().kind = "openai"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("section", "field", "value"),
    [
        (ServerSettings, "port", 65536),
        (ServerSettings, "port", -1),
        (ServerSettings, "host", "a b"),
        (ServerSettings, "host", ""),
        (LimitSettings, "turn_seconds", 0),
        (LimitSettings, "turn_seconds", float("inf")),
        (LimitSettings, "max_text_bytes", 1),
        (BuiltinSettings, "tokens_per_second", -1),
        (BuiltinSettings, "tokens_per_second", float("nan")),
        (OpenAISettings, "temperature", 2.1),
        (OpenAISettings, "base_url", "localhost:11434"),
        (OpenAISettings, "base_url", "file:///etc/passwd"),
        (OpenAISettings, "base_url", "http://"),
        (OpenAISettings, "base_url", "http://a:99999"),
        (OpenAISettings, "base_url", "http://a b"),
        (OpenAISettings, "api_key_env", "sk-123"),
        (TtsSettings, "slots", 0),
        (TtsSettings, "engine", "loud"),
        (TtsSettings, "unknown", 1),
    ],
)
def test_refused(section: type[ServerSettings], field: str, value: object):
    """Values out of range and unknown fields are refused."""
    with pytest.raises(ValidationError):
        section.model_validate({field: value})


def test_zero_means_none():
    """Where 0 has a meaning it is allowed."""
    assert BuiltinSettings(tokens_per_second=0, slots=0, first_token_seconds=0).tokens_per_second == 0
    assert ServerSettings(port=0).port == 0


def test_base_url_has_no_slash_at_its_end():
    """Two ways to write one address are one engine."""
    assert OpenAISettings(base_url="http://a/v1/") == OpenAISettings(base_url="http://a/v1")


def test_key_from_the_environment():
    """The key is looked up by its variable's name; an empty name or value means none."""
    api = OpenAISettings(api_key_env="MY_KEY")
    assert api.key({"MY_KEY": " abc "}) == "abc"
    assert api.key({"MY_KEY": ""}) is None
    assert api.key({}) is None
    assert OpenAISettings(api_key_env="").key({"": "x", "OPENAI_API_KEY": "y"}) is None


def test_inline_key_is_never_shown():
    """A key from a file is sent but not printed."""
    api = OpenAISettings(api_key=SecretStr("sk-hidden"))
    assert api.key({"OPENAI_API_KEY": "other"}) == "sk-hidden"
    agent = AgentSettings(openai=api)
    for text in (repr(agent), str(agent), str(agent.model_dump()), agent.model_dump_json()):
        assert "sk-hidden" not in text
