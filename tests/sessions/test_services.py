"""Tests of services.py."""

from __future__ import annotations

import pytest
from tests.helpers.stage import Stage, staged

from greenroom.config.errors import ConfigError, Problem
from greenroom.config.settings import AgentSettings, OpenAISettings, TtsSettings, VoiceSettings
from greenroom.sessions.services import VoicePool
from greenroom.tasks import TaskScope


async def test_one_voice_for_equal_settings() -> None:
    """Characters that ask for the same get the same engine; silent ones none."""
    async with TaskScope("test") as scope:
        pool = VoicePool(scope)
        tone = VoiceSettings(tts=TtsSettings(engine="tone"))
        slow = VoiceSettings(tts=TtsSettings(engine="tone", seconds_per_sentence=2))
        assert pool.get(tone) is pool.get(tone.model_copy())
        assert pool.get(slow) is not pool.get(tone)
        assert pool.get(VoiceSettings()) is None
        assert len(pool.engines()) == 2


@staged
async def test_what_auto_stands_for(stage: Stage) -> None:
    """Decided when the server started; a character's own address and model win, with a key of their own."""
    services = stage.services
    own = AgentSettings(kind="openai", openai=OpenAISettings(model="own"))
    assert services.agent_settings(own) is own
    assert services.agent_settings(AgentSettings()).kind == "builtin"
    found = OpenAISettings(base_url="http://127.0.0.1:11434/v1", model="found", api_key_env="FOUND_KEY")
    services.agent = AgentSettings(kind="openai", openai=found)
    chosen = services.agent_settings(AgentSettings())
    assert (chosen.kind, chosen.openai.base_url, chosen.openai.model) == ("openai", found.base_url, "found")
    assert chosen.openai.api_key_env == "FOUND_KEY"
    elsewhere = OpenAISettings(base_url="http://elsewhere/v1", model="theirs")
    chosen = services.agent_settings(AgentSettings(openai=elsewhere))
    assert (chosen.openai.base_url, chosen.openai.model) == ("http://elsewhere/v1", "theirs")
    assert chosen.openai.api_key_env == "OPENAI_API_KEY"


@staged
async def test_the_first_character_while_its_file_is_being_edited(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """New pages meet the last good one; without any, the error goes to who asked."""

    def broken(_: str) -> None:
        raise ConfigError([Problem("alpha.yaml", 3, "persona_prompt", "is missing", "write one")])

    with monkeypatch.context() as patch:
        patch.setattr(stage.characters, "load", broken)
        with pytest.raises(ConfigError, match=r"alpha\.yaml:3"):
            stage.services.default_character()
    good = stage.services.default_character()
    monkeypatch.setattr(stage.characters, "load", broken)
    assert stage.services.default_character() is good
    client = await stage.open()
    assert client.context.character is good
