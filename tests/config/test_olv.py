"""Tests of reading an Open-LLM-VTuber `agent_config`."""

from __future__ import annotations

from typing import Any

import pytest

from greenroom.config.document import dotted
from greenroom.config.olv import PROVIDERS, Reading, read_agent


def config(provider: str, **fields: Any) -> dict[str, Any]:
    return {
        "conversation_agent_choice": "basic_memory_agent",
        "agent_settings": {"basic_memory_agent": {"llm_provider": provider}},
        "llm_configs": {provider: fields},
    }


def values(reading: Reading) -> dict[str, Any]:
    return {dotted(path): value for path, (value, _) in reading.values.items()}


def test_local_provider():
    """A local provider becomes the OpenAI agent at its address, and gets no key that is meant for others."""
    reading = read_agent(config("ollama_llm", base_url="http://box:11434/v1", model="m", temperature=0.5))
    assert values(reading) == {
        "agent.kind": "openai",
        "agent.openai.base_url": "http://box:11434/v1",
        "agent.openai.model": "m",
        "agent.openai.temperature": 0.5,
        "agent.openai.api_key_env": "",
    }
    assert reading.notes == []


@pytest.mark.parametrize("provider", [name for name in PROVIDERS if name != "openai_compatible_llm"])
def test_known_addresses(provider: str):
    """Providers whose files do not say where they are have their own address."""
    found = values(read_agent(config(provider, model="m")))
    assert found["agent.openai.base_url"].startswith("http")


def test_keys():
    """A real key is taken; a placeholder is not, and then the provider's own variable is named."""
    found = values(read_agent(config("deepseek_llm", llm_api_key="sk-real", model="m")))
    assert found["agent.openai.api_key"] == "sk-real"
    for placeholder in ("Your DeepSeek API key", "YOUR API KEY HERE", "somethingelse", "", "<key>"):
        found = values(read_agent(config("deepseek_llm", llm_api_key=placeholder, model="m")))
        assert "agent.openai.api_key" not in found
        assert found["agent.openai.api_key_env"] == "DEEPSEEK_API_KEY"


def test_turn_fields():
    """Fields about turns come along, with the place they were read from."""
    agent = config("openai_compatible_llm", interrupt_method="system")
    agent["agent_settings"]["basic_memory_agent"] |= {"faster_first_response": False, "use_mcpp": True}
    reading = read_agent(agent)
    assert values(reading)["interrupt_method"] == "system"
    assert reading.values[("faster_first_response",)] == (
        False,
        ("agent_settings", "basic_memory_agent", "faster_first_response"),
    )
    assert [dotted(note.path) for note in reading.notes] == ["agent_settings.basic_memory_agent.use_mcpp"]


def test_foreign_provider():
    """A provider that does not speak the API is told, with what to use instead."""
    reading = read_agent(config("claude_llm", model="m"))
    assert reading.values == {}
    (note,) = reading.notes
    assert '"claude_llm" does not speak the OpenAI API' in note.message
    (note,) = read_agent(config("olama_llm", model="m")).notes
    assert note.fix == 'did you mean "ollama_llm"?'


def test_foreign_agent():
    """Another kind of agent leaves the server's own settings."""
    reading = read_agent({"conversation_agent_choice": "hume_ai_agent"})
    assert reading.values == {}
    assert "does not exist here" in reading.notes[0].message


@pytest.mark.parametrize("broken", [{}, {"agent_settings": 5}, {"llm_configs": []}, {"agent_settings": None}])
def test_malformed(broken: dict[str, Any]):
    """Missing or malformed parts say nothing instead of failing."""
    assert read_agent(broken).values == {}
