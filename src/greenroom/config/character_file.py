"""Makes a `Character` out of a character file, its base file and the server's settings.

A file may be ours or one made for Open-LLM-VTuber: the fields stand at the top or under `character_config`,
may be partial, and then lie over the user's `conf.yaml` (never over the character that was active before).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import PurePath
from typing import Any

from pydantic import ValidationError

from greenroom.config.character import Character, CharacterFields, SpeechFilters, language_of
from greenroom.config.document import Document, KeyPath, dotted
from greenroom.config.errors import ConfigError, Problem, did_you_mean, shown
from greenroom.config.explain import explain, fields_of
from greenroom.config.layers import Layers, Origin
from greenroom.config.olv import NOT_HERE, NOT_HERE_FIX, PROVIDER_FIELDS, Reading, read_agent
from greenroom.config.sections import AgentSettings, VoiceSettings

__all__ = ["build_character"]

_WRAPPER = "character_config"
_OLV_TOP = ("system_config", "live_config")
_OLV_UNUSED = ("asr_config", "tts_config", "vad_config")
_OWN_NAMES = ("conf_name", "conf_uid")  # never inherited: two characters must not share their histories
_PROACTIVE = {
    "en": "Say something short to keep the conversation going, without being asked.",
    "zh": "请主动说一句简短的话，让对话继续下去。",
    "ja": "話しかけられなくても、会話が続くように短くひとこと話してください。",
}


def build_character(
    document: Document,
    *,
    agent: AgentSettings,
    voice: VoiceSettings,
    base: Document | None = None,
    base_agent_only: bool = False,
    models: Mapping[str, dict[str, Any]] | None = None,
) -> Character:
    """Return the character of one file.

    `base` is the user's `conf.yaml`; with `base_agent_only` just its language model counts. `models` are the
    Live2D models by name, None when there is no list of them. Raises ConfigError.
    """
    at = _place(document)
    layers = Layers()
    if base is not None:
        _lay_base(layers, base, base_agent_only)
    layers.add_document(document, at)
    data = layers.data
    stem = PurePath(document.file).stem
    warnings = list(document.warnings)
    ignored: list[KeyPath] = []

    def note(path: KeyPath, message: str, fix: str, inside: bool = True) -> None:
        full = (*at, *path) if inside else path
        ignored.append(full)
        warnings.append(Problem(document.file, document.line(full), dotted(path), message, fix))

    for name in document.data if at else ():
        if name != _WRAPPER:
            near = "" if name in _OLV_TOP else did_you_mean(name, (_WRAPPER, *_OLV_TOP))
            note((name,), NOT_HERE, near or NOT_HERE_FIX, inside=False)
    own = _inside(document, at)
    renamed = _read_olv_agent(layers, agent, own, note)
    _drop_unknown(layers, own, note)
    data["agent"] = _over(agent.model_dump(), data.get("agent"))
    data["voice"] = _over(voice.model_dump(), data.get("voice"))
    for name in _OWN_NAMES:
        if data.get(name) in (None, ""):
            data[name] = stem

    problems = _missing_variables(document, ignored)
    if base is not None:
        problems += _inherited_variables(base, layers)
    try:
        given = {name: value for name, value in data.items() if value is not None}
        fields = CharacterFields.model_validate(given)
    except ValidationError as error:
        named = {problem.field for problem in problems}
        for problem in explain(error, CharacterFields, layers, document.file):
            field = renamed.get(problem.field, problem.field)
            if field not in named:
                problems.append(replace(problem, field=field))
    else:
        if not problems:
            return _character(document, fields, models, warnings, layers)
    raise ConfigError(problems)


def _place(document: Document) -> KeyPath:
    """Return the path of the character's fields in its file."""
    if _WRAPPER in document.data:
        if isinstance(document.data[_WRAPPER], dict):
            return (_WRAPPER,)
        message, line = "stands where a section belongs", document.line((_WRAPPER,))
        raise ConfigError([Problem(document.file, line, _WRAPPER, message, "write the fields below it")])
    if any(name in document.data for name in _OLV_TOP):
        fix = "write the character's fields below it"
        raise ConfigError([Problem(document.file, None, _WRAPPER, "is missing", fix)])
    return ()


def _inside(document: Document, at: KeyPath) -> dict[str, Any]:
    return document.data[_WRAPPER] if at else document.data


def _lay_base(layers: Layers, base: Document, agent_only: bool) -> None:
    section = base.data.get(_WRAPPER)
    if not isinstance(section, dict):
        return
    layers.add_document(base, (_WRAPPER,))
    for name in list(layers.data):
        if name in _OWN_NAMES or (agent_only and name not in ("agent_config", "agent")):
            del layers.data[name]


def _read_olv_agent(layers: Layers, agent: AgentSettings, own: dict[str, Any], note: Any) -> dict[str, str]:
    """Put what an `agent_config` means into our own fields; return their paths' names in the file."""
    config = layers.data.pop("agent_config", None)
    renamed: dict[str, str] = {}
    if config is None:
        return renamed
    reading = read_agent(config) if isinstance(config, dict) else Reading()
    if "agent_config" in own:
        for item in reading.notes:
            if _has(own["agent_config"], item.path):
                note(("agent_config", *item.path), item.message, item.fix)
    for path, (value, source) in reading.values.items():
        if path[0] == "agent" and agent.kind == "builtin":
            continue  # the operator has chosen the built-in agent for all characters
        if _has(layers.data, path):
            continue  # our own field says it better
        origin = layers.origin(("agent_config", *source)) or Origin("configuration")
        layers.put(path, value, origin)
        renamed[dotted(path)] = dotted(("agent_config", *source))
    return renamed


def _drop_unknown(layers: Layers, own: dict[str, Any], note: Any) -> None:
    """Take out what we have no use for, and tell about what this very file says of it."""
    data = layers.data
    known = list(fields_of(CharacterFields))
    for name in list(data):
        if name in known:
            continue
        del data[name]
        if name in own:
            near = "" if name in _OLV_UNUSED else did_you_mean(name, known)
            note((name,), NOT_HERE, near or NOT_HERE_FIX)
    filters = data.get("tts_preprocessor_config")
    if isinstance(filters, dict):
        for name in list(filters):
            if name in fields_of(SpeechFilters) and filters[name] is not None:
                continue
            del filters[name]
            if _has(own, ("tts_preprocessor_config", name)):
                note(("tts_preprocessor_config", name), NOT_HERE, NOT_HERE_FIX)


def _missing_variables(document: Document, ignored: list[KeyPath]) -> list[Problem]:
    """Return the variables that are not set and whose values are used."""
    problems: list[Problem] = []
    for path, problem in document.missing:
        unused = any(path[: len(prefix)] == prefix for prefix in ignored)
        if "llm_configs" in path and not _chosen(document, path):
            unused = True
        if not unused:
            problems.append(_relative(problem))
    return problems


def _inherited_variables(base: Document, layers: Layers) -> list[Problem]:
    """Variables that the base file names and does not get, in values that are still in use."""
    problems: list[Problem] = []
    for path, problem in base.missing:
        if path[:1] != (_WRAPPER,):
            continue
        origin = layers.origin(path[1:])
        used = _chosen(base, path) if "llm_configs" in path else path[1] in layers.data
        if used and origin is not None and origin.file == base.file:
            problems.append(_relative(problem))
    return problems


def _relative(problem: Problem) -> Problem:
    """Name a field as seen from the character, whether or not the file wraps it."""
    return replace(problem, field=problem.field.removeprefix(_WRAPPER + "."))


def _chosen(document: Document, path: KeyPath) -> bool:
    """Say whether a path under `llm_configs` is a value of the provider that is in use."""
    section = document.data.get(_WRAPPER, document.data)
    for step in ("agent_config", "agent_settings", "basic_memory_agent"):
        section = section.get(step) if isinstance(section, dict) else None
    provider = section.get("llm_provider") if isinstance(section, dict) else None
    after = path[path.index("llm_configs") + 1 :]
    return len(after) == 2 and after[0] == provider and after[1] in PROVIDER_FIELDS


def _character(
    document: Document,
    fields: CharacterFields,
    models: Mapping[str, dict[str, Any]] | None,
    warnings: list[Problem],
    layers: Layers,
) -> Character:
    info = fields.model_info
    name = fields.live2d_model_name or None
    if info is None and name is not None:
        info = (models or {}).get(name)
        origin = layers.origin(("live2d_model_name",))
        if info is None and origin is not None and origin.file == document.file:
            where = "is not in model_dict.json" if models is not None else "needs a model_dict.json"
            fix = "put the model into model_dict.json in the data folder; until then none is shown"
            message = f"{shown(name)} {where}"
            warnings.append(Problem(document.file, origin.line, "live2d_model_name", message, fix))
    emotions: dict[str, int | str] = dict(fields.emotion_map)
    if not emotions and info is not None and isinstance(info.get("emotionMap"), dict):
        for emotion, value in info["emotionMap"].items():
            if isinstance(value, int | str) and not isinstance(value, bool):
                emotions[str(emotion)] = value
    language = fields.language or language_of(fields.persona_prompt)
    return Character(
        filename=document.file,
        conf_name=fields.conf_name,
        conf_uid=fields.conf_uid,
        character_name=fields.character_name or fields.conf_name,
        human_name=fields.human_name or "Human",
        language=language,
        description=fields.description,
        persona_prompt=fields.persona_prompt,
        greeting=fields.greeting or None,
        avatar=fields.avatar,
        model_info=info,
        live2d_model_name=name,
        agent=fields.agent,
        voice=fields.voice,
        wake_words=fields.wake_words,
        proactive_prompt=fields.proactive_prompt or _PROACTIVE.get(language[:2], _PROACTIVE["en"]),
        interrupt_method=fields.interrupt_method,
        faster_first_response=fields.faster_first_response,
        segment_method=fields.segment_method,
        speech_filters=fields.tts_preprocessor_config,
        emotion_map=emotions,
        warnings=tuple(warnings),
    )


def _has(data: Any, path: KeyPath) -> bool:
    for step in path:
        if not isinstance(data, dict) or step not in data:
            return False
        data = data[step]
    return True


def _over(under: Any, over: Any) -> Any:
    """Lay one tree over another; an empty section changes nothing."""
    if not isinstance(under, dict) or not isinstance(over, dict):
        return under if over is None and isinstance(under, dict) else over
    return under | {name: _over(under.get(name), value) for name, value in over.items()}
