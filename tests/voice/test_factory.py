"""Tests of factory.py."""

from __future__ import annotations

from greenroom.config.settings import TtsSettings, VoiceSettings
from greenroom.tasks import TaskScope
from greenroom.voice import create_speech_engine


async def test_the_engine_that_the_settings_name() -> None:
    """None for a silent character; the tone voice with its pace and slots."""
    async with TaskScope("test") as scope:
        assert create_speech_engine(VoiceSettings(), scope) is None
        tts = TtsSettings(engine="tone", seconds_per_sentence=0.5, slots=2)
        engine = create_speech_engine(VoiceSettings(tts=tts), scope)
        assert engine is not None
        assert engine.description == "tone voice (0.5 s a sentence, 2 at once)"
        await engine.aclose()
