"""Tests of a character's fields."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from greenroom.config.character import CharacterFields, language_of
from greenroom.config.sections import AgentSettings, VoiceSettings


def fields(**changed: object) -> CharacterFields:
    given = {
        "conf_name": "A",
        "conf_uid": "a",
        "persona_prompt": "You are A.",
        "agent": AgentSettings(),
        "voice": VoiceSettings(),
    }
    return CharacterFields.model_validate(given | changed)


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("You are White, calm and exact.", "en"),
        ("あなたは同級生です。やさしく話します。", "ja"),
        ("你是一位活了四百年的吸血鬼。", "zh"),
        ("당신은 친절한 친구입니다.", "ko"),
        ("You are Sakura (さくら).", "en"),
        ("", "en"),
    ],
)
def test_language_of(text: str, language: str):
    """A persona's letters tell its language."""
    assert language_of(text) == language


@pytest.mark.parametrize("avatar", ["", "a.png", "米粒.svg", "A.JPG"])
def test_avatars(avatar: str):
    """An avatar is a picture's bare file name, or nothing."""
    assert fields(avatar=avatar).avatar == avatar


@pytest.mark.parametrize(
    "avatar", ["../a.png", "a/b.png", "a\\b.png", "/etc/passwd", "a.exe", "..", "a.png/"]
)
def test_avatars_that_lead_elsewhere(avatar: str):
    """An avatar cannot name a file in another folder or one that is no picture."""
    with pytest.raises(ValidationError, match="is not a picture's file name"):
        fields(avatar=avatar)


@pytest.mark.parametrize(
    "wrong",
    [
        {"conf_uid": "a/b"},
        {"conf_uid": "a\\b"},
        {"conf_uid": ""},
        {"conf_uid": "a\nb"},
        {"conf_uid": "x" * 129},
        {"conf_name": "a\x1b[31m"},
        {"conf_name": ""},
        {"persona_prompt": ""},
        {"language": "English please"},
        {"interrupt_method": "shout"},
        {"model_info": {"name": "x"}},
        {"model_info": {"url": 5}},
        {"wake_words": {"wake": {"en": "one"}}},
        {"wake_words": {"wake": {"en": [""]}}},
        {"emotion_map": {"joy": [1]}},
        {"greeting": "x" * 4001},
    ],
)
def test_refused(wrong: dict[str, object]):
    """Values that a page, the history or a log could not bear are refused."""
    with pytest.raises(ValidationError):
        fields(**wrong)
