"""Tests of making a character out of its file, its base and the settings."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.config.olv_files import ALTERNATIVE, CONF, MODELS

from greenroom.config.character import Character
from greenroom.config.character_file import build_character
from greenroom.config.document import parse_document
from greenroom.config.errors import ConfigError
from greenroom.config.sections import AgentSettings, BuiltinSettings, OpenAISettings, VoiceSettings

LANTERN_MODEL: dict[str, Any] = json.loads(MODELS)[0]


def build(
    text: str,
    *,
    name: str = "lantern.yaml",
    base: str | None = None,
    agent: AgentSettings | None = None,
    environ: dict[str, str] | None = None,
    models: dict[str, dict[str, Any]] | None = None,
    base_agent_only: bool = False,
) -> Character:
    environ = environ or {}
    return build_character(
        parse_document(text, name, environ),
        agent=agent or AgentSettings(),
        voice=VoiceSettings(),
        base=parse_document(base, "conf.yaml", environ) if base is not None else None,
        base_agent_only=base_agent_only,
        models=models,
    )


def errors(text: str, **options: Any) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        build(text, **options)
    return str(caught.value).splitlines()


MINIMAL = "persona_prompt: You are A.\n"


def test_minimal():
    """A persona is enough: the file's name stands in for what is missing, the settings for the rest."""
    agent = AgentSettings(builtin=BuiltinSettings(words=5))
    character = build(MINIMAL, name="anna.yaml", agent=agent)
    assert (character.conf_name, character.conf_uid, character.character_name) == ("anna", "anna", "anna")
    assert (character.language, character.avatar, character.greeting, character.wake_words) == (
        "en",
        "",
        None,
        None,
    )
    assert character.agent == agent
    assert hash(character.agent) == hash(agent)
    assert character.voice == VoiceSettings()
    assert character.speech_filters.ignore_parentheses
    assert character.faster_first_response
    assert character.proactive_prompt
    assert character.warnings == ()


def test_own_agent_and_voice():
    """The file's own sections lie over the server's, field by field."""
    agent = AgentSettings(kind="builtin", openai=OpenAISettings(model="base", retries=5))
    text = MINIMAL + "agent:\n  kind: openai\n  openai: {model: mine}\nvoice:\n  tts: {engine: tone}\n"
    character = build(text, agent=agent)
    assert (character.agent.kind, character.agent.openai.model, character.agent.openai.retries) == (
        "openai",
        "mine",
        5,
    )
    assert character.voice.tts.engine == "tone"


def test_errors_have_lines():
    """A wrong field is named with its line; all of them at once."""
    text = "conf_name: A\npersona_prompt: 5\navatar: ../x.png\nagent:\n  kind: openi\n  opena: {}\n"
    assert errors(text) == [
        "lantern.yaml:2: persona_prompt: 5 is not text; put it in quotes",
        'lantern.yaml:3: avatar: "../x.png" is not a picture\'s file name; use a bare name ending in '
        ".svg, .png, .jpg, .jpeg, .gif",
        'lantern.yaml:5: agent.kind: "openi" is not a choice; did you mean "openai"? '
        'use "auto", "builtin" or "openai"',
        'lantern.yaml:6: agent.opena: unknown field; did you mean "openai"?',
    ]


def test_missing_persona():
    """A file without a persona is no character."""
    assert errors("conf_name: A\n") == ["lantern.yaml: persona_prompt: is missing; write it"]


@pytest.mark.parametrize("text", ["character_config: 5\n", "character_config:\n  - a\n"])
def test_wrapper_that_is_no_section(text: str):
    """A wrapper with something else in it is refused."""
    assert errors(text) == [
        "lantern.yaml:1: character_config: stands where a section belongs; write the fields below it"
    ]


def test_olv_base_file():
    """A whole conf.yaml loads as it is; the chosen provider becomes the agent."""
    character = build(CONF, name="conf.yaml", models={"lantern": LANTERN_MODEL})
    assert (character.conf_name, character.conf_uid, character.human_name) == (
        "lantern",
        "lantern_001",
        "Guest",
    )
    assert character.agent.kind == "openai"
    api = character.agent.openai
    assert (api.base_url, api.model, api.temperature) == ("http://localhost:11434/v1", "qwen2.5:latest", 0.7)
    assert api.key({"OPENAI_API_KEY": "sk-for-someone-else"}) is None
    assert (character.faster_first_response, character.segment_method) == (False, "pysbd")
    assert character.interrupt_method == "user"
    assert not character.speech_filters.ignore_parentheses
    assert character.model_info == LANTERN_MODEL
    assert character.emotion_map == {"neutral": 0, "joy": 3, "sadness": "exp_01"}


def test_olv_unused_fields_are_told_once():
    """What has no counterpart here is told once each, with its line, and is no error."""
    character = build(CONF, name="conf.yaml", models={"lantern": LANTERN_MODEL})
    told = {problem.field: problem for problem in character.warnings}
    assert len(told) == len(character.warnings)
    assert {
        "system_config",
        "live_config",
        "asr_config",
        "tts_config",
        "vad_config",
        "agent_config.agent_settings.basic_memory_agent.use_mcpp",
        "agent_config.llm_configs.ollama_llm.keep_alive",
        "tts_preprocessor_config.translator_config",
    } <= set(told)
    assert str(told["system_config"]) == (
        "conf.yaml:1: system_config: Greenroom does not use this; leave it for the other server, or remove it"
    )
    assert told["asr_config"].line == CONF.splitlines().index("  asr_config:") + 1


def test_olv_alternative_lies_over_the_base():
    """A partial file inherits from conf.yaml, but not its name and id."""
    character = build(ALTERNATIVE, name="zh.yaml", base=CONF, models={"lantern": LANTERN_MODEL})
    assert (character.conf_name, character.conf_uid) == ("米粒二号", "mili_two")
    assert (character.character_name, character.avatar, character.human_name) == (
        "Lantern",
        "lantern.png",
        "Guest",
    )
    assert character.agent.openai.model == "other:7b"
    assert character.agent.openai.base_url == "http://localhost:11434/v1"
    assert character.language == "zh"
    assert character.model_info == LANTERN_MODEL
    assert character.warnings == ()


def test_inherited_model_is_told_once():
    """A base's Live2D model that is not there is told for the base, not for each file over it."""
    assert build(ALTERNATIVE, name="zh.yaml", base=CONF).warnings == ()


def test_inherited_names():
    """A file that names neither itself nor its id must not share the base's histories."""
    character = build("character_config:\n  persona_prompt: Hi.\n", name="two.yaml", base=CONF, models={})
    assert (character.conf_name, character.conf_uid) == ("two", "two")


def test_only_the_agent_of_the_base():
    """A character of ours takes the user's language model, not the user's persona or picture."""
    character = build(MINIMAL, name="white.yaml", base=CONF, base_agent_only=True)
    assert character.agent.openai.model == "qwen2.5:latest"
    assert (character.persona_prompt, character.avatar, character.live2d_model_name) == (
        "You are A.",
        "",
        None,
    )
    assert (character.human_name, character.speech_filters.ignore_parentheses) == ("Human", True)


def test_builtin_chosen_by_the_operator():
    """Where the server is set to the built-in agent, a file's provider does not change that."""
    assert build(CONF, agent=AgentSettings(kind="builtin"), models={}).agent == AgentSettings(kind="builtin")


def test_own_section_beats_agent_config():
    """Our own `agent` section says it better than `agent_config`."""
    text = CONF.replace("  asr_config:", "  agent: {openai: {model: mine}}\n  asr_config:")
    character = build(text, models={})
    assert (character.agent.openai.model, character.agent.openai.temperature) == ("mine", 0.7)


def test_inline_key_is_kept_and_hidden():
    """A key in a file for the other server works, and shows up nowhere."""
    text = CONF.replace("'ollama_llm'", "'openai_llm'").replace("Your Open AI API key", "sk-inline")
    character = build(text, models={})
    assert character.agent.openai.key({}) == "sk-inline"
    assert "sk-inline" not in repr(character)


def test_wrong_value_in_agent_config_is_named_there():
    """A wrong value keeps the name and line it has in the user's file."""
    line = CONF.splitlines().index("        temperature: 0.7") + 1
    assert errors(CONF.replace("temperature: 0.7", "temperature: hot"), models={}) == [
        f"lantern.yaml:{line}: agent_config.llm_configs.ollama_llm.temperature: "
        '"hot" is not a number; use 0..2'
    ]


def test_error_in_the_base_is_named_there():
    """A wrong value that a file inherits is named with the base file's line."""
    base = CONF.replace("avatar: 'lantern.png'", "avatar: 'x/y'")
    (found,) = errors(ALTERNATIVE, base=base, name="zh.yaml", models={})
    line = CONF.splitlines().index("  avatar: 'lantern.png'") + 1
    assert found.startswith(f'conf.yaml:{line}: avatar: "x/y" is not a picture')


def test_missing_variables():
    """A variable that is not set matters only where its value is used."""
    character = build(CONF, models={})
    assert not any("is not set" in problem.message for problem in character.warnings)
    used = CONF.replace("'ollama_llm'", "'openai_compatible_llm'")
    (found,) = errors(used, models={})
    assert "agent_config.llm_configs.openai_compatible_llm.llm_api_key" in found
    assert "UNUSED_KEY is not set" in found
    character = build(used, models={}, environ={"UNUSED_KEY": "sk-1"})
    assert character.agent.openai.key({}) == "sk-1"


def test_missing_variable_of_the_base():
    """A file is stopped by its base's missing variable, unless it says that field itself."""
    base = CONF.replace("'Guest'", "'${WHO}'")
    (found,) = errors(ALTERNATIVE, base=base, name="zh.yaml", models={})
    assert "human_name: the environment variable WHO is not set" in found
    assert found.startswith("conf.yaml:")
    own = ALTERNATIVE.replace("  persona", "  human_name: Me\n  persona")
    assert build(own, base=base, models={}).human_name == "Me"


def test_missing_variable_in_our_own_field():
    """A persona with a variable that is not set is an error, told once."""
    (found,) = errors("persona_prompt: Hi ${NAME}\n")
    assert found.startswith("lantern.yaml:1: persona_prompt: the environment variable NAME is not set")


def test_unknown_fields_are_warnings_with_a_suggestion():
    """A misspelt field is told with the right spelling."""
    (warning,) = build(MINIMAL + "greting: Hi\n").warnings
    assert str(warning) == 'lantern.yaml:2: greting: Greenroom does not use this; did you mean "greeting"?'
    (warning,) = build("character_confg: {}\ncharacter_config:\n  persona_prompt: Hi\n").warnings
    assert warning.fix == 'did you mean "character_config"?'


def test_field_given_twice_is_a_warning():
    """The last of two equal fields counts, as in the other server, and is told."""
    character = build("persona_prompt: a\npersona_prompt: b\n")
    assert character.persona_prompt == "b"
    assert "is given twice" in character.warnings[0].message


@pytest.mark.parametrize(
    ("models", "what"), [(None, "needs a model_dict.json"), ({}, "is not in model_dict.json")]
)
def test_live2d_model_that_is_not_there(models: dict[str, Any] | None, what: str):
    """A character without its model still talks; the user is told why no model is shown."""
    character = build(MINIMAL + "live2d_model_name: shizuku\n", models=models)
    assert character.model_info is None
    assert str(character.warnings[0]).startswith(f'lantern.yaml:2: live2d_model_name: "shizuku" {what}')


def test_own_model():
    """A model can stand in the file itself."""
    text = MINIMAL + "model_info: {url: /m/m.model3.json, kScale: 1}\nemotion_map: {joy: 2}\n"
    character = build(text)
    assert character.model_info == {"url": "/m/m.model3.json", "kScale": 1}
    assert character.emotion_map == {"joy": 2}


def test_wake_words():
    """Wake words come by language."""
    text = MINIMAL + "wake_words:\n  enabled: true\n  wake: {en: [hey], zh: [你好]}\n  idle_seconds: 5\n"
    words = build(text).wake_words
    assert words is not None
    assert (words.enabled, words.wake, words.end, words.idle_seconds) == (
        True,
        {"en": ["hey"], "zh": ["你好"]},
        {},
        5,
    )


def test_empty_fields():
    """Empty lines of a template mean nothing."""
    text = MINIMAL + "avatar:\ngreeting:\nagent:\nwake_words:\nhuman_name: ''\nlive2d_model_name: ''\n"
    character = build(text)
    assert (character.avatar, character.greeting, character.human_name) == ("", None, "Human")
    assert character.warnings == ()
