"""Voice: small interfaces behind which engines for speech live, and what they have in common."""

from greenroom.voice.base import Speech, SpeechEngine, SpeechError, SpeechStatistics
from greenroom.voice.factory import create_speech_engine

__all__ = ["Speech", "SpeechEngine", "SpeechError", "SpeechStatistics", "create_speech_engine"]
