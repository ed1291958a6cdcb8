"""What a character is, and which fields a file can set."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePath
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from greenroom.config.errors import Problem
from greenroom.config.sections import AgentSettings, Section, VoiceSettings, WakeWordSettings

__all__ = ["AVATAR_TYPES", "Character", "CharacterFields", "SpeechFilters", "language_of"]

AVATAR_TYPES = (".svg", ".png", ".jpg", ".jpeg", ".gif")


def _one_line(text: str) -> str:
    if not text.isprintable():
        raise ValueError("holds line breaks or control characters; write it on one line")
    return text.strip()


def _uid(text: str) -> str:
    text = _one_line(text)
    if not text or any(letter in "/\\" for letter in text):
        raise ValueError("is not a usable id; use letters, digits, - and _")
    return text


def _avatar(text: str) -> str:
    if text and (PurePath(text).name != text or "\\" in text or not text.lower().endswith(AVATAR_TYPES)):
        raise ValueError(f"is not a picture's file name; use a bare name ending in {', '.join(AVATAR_TYPES)}")
    return text


def _model(info: dict[str, Any]) -> dict[str, Any]:
    if not isinstance(info.get("url"), str) or not info["url"]:
        raise ValueError('has no text "url"; give the address of the *.model3.json file')
    return info


Line = Annotated[str, Field(max_length=200), AfterValidator(_one_line)]
Paragraph = Annotated[str, Field(max_length=4000)]


class SpeechFilters(Section):
    """What is shown but not spoken."""

    ignore_asterisks: bool = True
    ignore_brackets: bool = True
    ignore_parentheses: bool = True
    ignore_angle_brackets: bool = True
    remove_special_char: bool = True


class CharacterFields(Section):
    """The fields that a character file can set."""

    conf_name: Annotated[Line, Field(min_length=1)]
    conf_uid: Annotated[str, Field(max_length=128), AfterValidator(_uid)]
    character_name: Line = ""
    human_name: Line = "Human"
    language: str = Field(default="", pattern=r"^([a-z]{2,3}(-[A-Za-z0-9]{2,8})*)?$")
    description: Paragraph = ""
    persona_prompt: str = Field(min_length=1, max_length=100_000)
    greeting: Paragraph | None = None
    avatar: Annotated[str, Field(max_length=255), AfterValidator(_avatar)] = ""
    model_info: Annotated[dict[str, Any], AfterValidator(_model)] | None = None
    live2d_model_name: Line | None = None
    agent: AgentSettings
    voice: VoiceSettings
    wake_words: WakeWordSettings | None = None
    proactive_prompt: Paragraph = ""
    interrupt_method: Literal["user", "system"] = "user"
    faster_first_response: bool = True
    segment_method: Literal["regex", "pysbd"] = "regex"
    tts_preprocessor_config: SpeechFilters = SpeechFilters()
    emotion_map: dict[str, int | str] = Field(default_factory=dict, max_length=200)


@dataclass(frozen=True, slots=True)
class Character:
    """A persona with everything it is made of. Shared by all clients: nobody changes it."""

    filename: str
    conf_name: str
    conf_uid: str
    character_name: str
    human_name: str
    language: str
    """`en`, `zh`, `ja`, ...; guessed from the persona where the file does not say."""
    description: str
    persona_prompt: str
    greeting: str | None
    avatar: str
    """A file name under `/avatars/`, or empty."""
    model_info: dict[str, Any] | None
    live2d_model_name: str | None
    agent: AgentSettings
    voice: VoiceSettings
    wake_words: WakeWordSettings | None
    proactive_prompt: str
    interrupt_method: Literal["user", "system"]
    faster_first_response: bool
    segment_method: Literal["regex", "pysbd"]
    speech_filters: SpeechFilters
    emotion_map: dict[str, int | str]
    warnings: tuple[Problem, ...] = ()


def language_of(text: str) -> str:
    """Guess a text's language from its letters: `ja`, `zh`, `ko` or `en`."""
    kana = sum("\u3041" <= letter <= "\u30ff" for letter in text)
    hangul = sum("\uac00" <= letter <= "\ud7a3" for letter in text)
    han = sum("\u4e00" <= letter <= "\u9fff" for letter in text)
    latin = sum(letter.isascii() and letter.isalpha() for letter in text)
    if max(kana + han, hangul) * 3 <= latin:  # one of theirs says as much as several of ours
        return "en"
    if hangul > kana + han:
        return "ko"
    return "ja" if kana * 8 >= han else "zh"
