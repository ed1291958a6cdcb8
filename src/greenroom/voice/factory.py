"""Makes the speech engine that the settings name."""

from __future__ import annotations

from greenroom.config.settings import VoiceSettings
from greenroom.tasks import TaskScope
from greenroom.voice.base import SpeechEngine


def create_speech_engine(settings: VoiceSettings, scope: TaskScope) -> SpeechEngine | None:
    """The engine, owned by `scope`, or None for a silent character."""
    if settings.tts.engine == "none":
        return None
    from greenroom.voice.tone import ToneVoice

    return ToneVoice(scope, settings.tts.seconds_per_sentence, settings.tts.slots)
