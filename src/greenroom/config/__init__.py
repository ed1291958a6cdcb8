"""Settings, characters and the data folder, with errors that name file, line, field and fix."""

from greenroom.config.characters import Character, CharacterEntry, CharacterStore
from greenroom.config.check import Report, check
from greenroom.config.errors import ConfigError, Problem
from greenroom.config.paths import DataPaths, default_data_dir
from greenroom.config.settings import AgentSettings, Settings, VoiceSettings, WakeWordSettings, load_settings

__all__ = [
    "AgentSettings",
    "Character",
    "CharacterEntry",
    "CharacterStore",
    "ConfigError",
    "DataPaths",
    "Problem",
    "Report",
    "Settings",
    "VoiceSettings",
    "WakeWordSettings",
    "check",
    "default_data_dir",
    "load_settings",
]
