"""What a client is told about the character on stage: looks, what this server can do with it, how to wake it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from greenroom.protocol.server_messages import CharacterState, Feature, SetModelAndConf, WakeWords

if TYPE_CHECKING:
    from greenroom.sessions.service_context import ServiceContext

WORDS_TOLD = 5
"""Wake words, and end words, that are told for each language."""


def announcement_of(context: ServiceContext) -> SetModelAndConf:
    """Who is on stage. Clients of the original protocol leave out what they do not know."""
    character = context.character
    return SetModelAndConf(
        character.model_info,
        character.conf_name,
        character.conf_uid,
        context.client_uid,
        features_of(context),
        wake_words_of(context),
    )


def features_of(context: ServiceContext) -> list[Feature]:
    """What can be asked for. `hearing` is missing: there is no speech recognition yet."""
    found: list[Feature] = ["history-rename", "history-search"]
    if context.services.bin.keep_seconds:
        found.append("history-undo")
    if context.is_page:
        found.append("character-state")
    if context.character.voice.tts.engine != "none":
        found.append("speech")
    return found


def wake_words_of(context: ServiceContext) -> WakeWords | None:
    """By which words the character wakes and sleeps, if it does."""
    words, manager = context.character.wake_words, context.wake_word_manager
    if words is None or manager is None:
        return None
    return WakeWords(
        state=manager.state,
        wake={language: list(some[:WORDS_TOLD]) for language, some in words.wake.items()},
        end={language: list(some[:WORDS_TOLD]) for language, some in words.end.items()},
        idle_seconds=float(words.idle_seconds),
    )


def character_state_of(context: ServiceContext) -> CharacterState:
    """Whether the character on stage is ready; one whose agent starts with the first message counts as such."""
    return CharacterState(context.character.conf_uid, "loading" if context.loading else "ready")
