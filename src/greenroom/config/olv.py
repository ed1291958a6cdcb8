"""Reads the parts of an Open-LLM-VTuber configuration that mean something here.

A user who brings a `conf.yaml` along has named a language model in it, levels deep and next to a dozen others
that are not in use. The chosen one becomes agent settings; what has no counterpart here is reported, not
refused, because the file must go on working over there too.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from greenroom.config.document import KeyPath
from greenroom.config.errors import did_you_mean, shown

__all__ = ["NOT_HERE", "NOT_HERE_FIX", "PROVIDER_FIELDS", "Note", "Reading", "read_agent"]

NOT_HERE = "Greenroom does not use this"
NOT_HERE_FIX = "leave it for the other server, or remove it"


@dataclass(frozen=True, slots=True)
class Provider:
    """Where a provider's OpenAI-style API is when the file does not say, and the usual name of its key."""

    base_url: str | None
    key_variable: str = ""


PROVIDERS: Mapping[str, Provider] = {
    "openai_compatible_llm": Provider(None),
    "ollama_llm": Provider("http://localhost:11434/v1"),
    "lmstudio_llm": Provider("http://localhost:1234/v1"),
    "openai_llm": Provider("https://api.openai.com/v1", "OPENAI_API_KEY"),
    "deepseek_llm": Provider("https://api.deepseek.com/v1", "DEEPSEEK_API_KEY"),
    "gemini_llm": Provider("https://generativelanguage.googleapis.com/v1beta/openai", "GEMINI_API_KEY"),
    "zhipu_llm": Provider("https://open.bigmodel.cn/api/paas/v4", "ZHIPUAI_API_KEY"),
    "mistral_llm": Provider("https://api.mistral.ai/v1", "MISTRAL_API_KEY"),
    "groq_llm": Provider("https://api.groq.com/openai/v1", "GROQ_API_KEY"),
}

PROVIDER_FIELDS = ("base_url", "model", "temperature", "interrupt_method", "llm_api_key")
"""The fields of a provider that are read here."""

_TURN_FIELDS = ("faster_first_response", "segment_method")
_PLACEHOLDER = re.compile(r"(?i)^(your\b.*\bkey\b.*|<.*>|somethingelse|not[-_ ]needed|none|x+)$")


@dataclass(frozen=True, slots=True)
class Note:
    """Something in the file to tell the user; `path` starts inside `agent_config`."""

    path: KeyPath
    message: str
    fix: str


@dataclass(frozen=True, slots=True)
class Reading:
    """What an `agent_config` says: values for our own paths, each with the path it was read from."""

    values: dict[KeyPath, tuple[Any, KeyPath]] = field(default_factory=dict)
    notes: list[Note] = field(default_factory=list)


def read_agent(config: Mapping[str, Any]) -> Reading:
    """Map an `agent_config` to our fields. Their types are checked later, with all others."""
    reading = Reading()
    for name in config:
        if name not in ("conversation_agent_choice", "agent_settings", "llm_configs"):
            reading.notes.append(Note((name,), NOT_HERE, NOT_HERE_FIX))
    choice = config.get("conversation_agent_choice") or "basic_memory_agent"
    if choice != "basic_memory_agent":
        message = f"the agent {shown(choice)} does not exist here; the server's own agent settings are used"
        reading.notes.append(Note(("conversation_agent_choice",), message, 'use "basic_memory_agent"'))
        return reading
    basic = _section(_section(config, "agent_settings"), "basic_memory_agent")
    at: KeyPath = ("agent_settings", "basic_memory_agent")
    for name, value in basic.items():
        if name in _TURN_FIELDS and value is not None:
            reading.values[(name,)] = (value, (*at, name))
        elif name not in ("llm_provider", *_TURN_FIELDS):
            reading.notes.append(Note((*at, name), NOT_HERE, NOT_HERE_FIX))
    provider = basic.get("llm_provider")
    if provider is not None:
        _read_provider(
            str(provider),
            _section(_section(config, "llm_configs"), str(provider)),
            (*at, "llm_provider"),
            reading,
        )
    return reading


def _read_provider(name: str, config: Mapping[str, Any], named_at: KeyPath, reading: Reading) -> None:
    provider = PROVIDERS.get(name)
    if provider is None:
        message = f"{shown(name)} does not speak the OpenAI API; the server's own agent settings are used"
        near = did_you_mean(name, PROVIDERS) or "use openai_compatible_llm with its base_url"
        reading.notes.append(Note(named_at, message, near))
        return
    at: KeyPath = ("llm_configs", name)
    values = reading.values
    values[("agent", "kind")] = ("openai", named_at)
    base_url = config.get("base_url") or provider.base_url
    if base_url is not None:
        values[("agent", "openai", "base_url")] = (base_url, (*at, "base_url"))
    for theirs in ("model", "temperature"):
        if config.get(theirs) is not None:
            values[("agent", "openai", theirs)] = (config[theirs], (*at, theirs))
    if config.get("interrupt_method") is not None:
        values[("interrupt_method",)] = (config["interrupt_method"], (*at, "interrupt_method"))
    # A key meant for one provider must never travel to another: only its own variable is named.
    values[("agent", "openai", "api_key_env")] = (provider.key_variable, named_at)
    key = config.get("llm_api_key")
    if isinstance(key, str) and _PLACEHOLDER.match(key.strip()):
        key = None
    if key not in (None, ""):
        values[("agent", "openai", "api_key")] = (key, (*at, "llm_api_key"))
    for extra, value in config.items():
        if extra not in PROVIDER_FIELDS and value is not None:
            reading.notes.append(Note((*at, extra), NOT_HERE, NOT_HERE_FIX))


def _section(config: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = config.get(name)
    return value if isinstance(value, dict) else {}
