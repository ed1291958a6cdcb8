"""Makes the source of an address, loading only what its platform needs, and the runners of the settings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from greenroom.config.source_urls import SourceAddress, parse_source_url
from greenroom.live.sources.base import ChatSource
from greenroom.live.sources.moderation import ModerationRules

if TYPE_CHECKING:
    from greenroom.config.sections import SourceSettings
    from greenroom.live.sources.runner import OnMessage, SourceRunner
    from greenroom.tasks import TaskScope

__all__ = ["KEY_VARIABLES", "create_source", "rules_of", "start_sources"]

KEY_VARIABLES = {"youtube": "YOUTUBE_API_KEY", "bilibili": "BILIBILI_SESSDATA"}
"""The environment variable that holds a platform's key or cookie."""


def create_source(
    address: SourceAddress,
    environ: Mapping[str, str],
    *,
    key_env: str = "",
    poll_seconds: float | None = None,
) -> ChatSource:
    """The source of an address. Nothing is connected; what is missing shows when it connects."""
    variable = key_env or KEY_VARIABLES.get(address.platform, "")
    key = environ.get(variable, "").strip() or None if variable else None
    if address.platform == "bilibili":
        from greenroom.live.sources.bilibili import BilibiliSource

        return BilibiliSource(int(address.name), sessdata=key)
    if address.platform == "youtube":
        from greenroom.live.sources.youtube import POLL_SECONDS, YouTubeSource

        pause = POLL_SECONDS if poll_seconds is None else poll_seconds
        return YouTubeSource(address.name, key=key, key_env=variable, poll_seconds=pause)
    from greenroom.live.sources.irc import IrcSource

    return IrcSource(address)


def rules_of(settings: SourceSettings) -> ModerationRules:
    """The moderation of a source's settings."""
    chosen = settings.moderation
    return ModerationRules(
        max_length=chosen.max_length,
        links=chosen.links,
        blocked_words=chosen.blocked_words,
        max_repeats=chosen.max_repeats,
        sender_per_minute=chosen.sender_per_minute,
        per_minute=chosen.per_minute,
        ignore_commands=chosen.ignore_commands,
    )


def start_sources(
    sources: Iterable[SourceSettings],
    scope: TaskScope,
    on_message: OnMessage,
    environ: Mapping[str, str],
) -> list[SourceRunner]:
    """Start a runner for each source of the settings; they end with the scope."""
    from greenroom.live.sources.runner import SourceRunner

    runners: list[SourceRunner] = []
    for settings in sources:
        source = create_source(
            parse_source_url(settings.url),
            environ,
            key_env=settings.key_env,
            poll_seconds=settings.poll_seconds,
        )
        runner = SourceRunner(source, scope, on_message, room=settings.room, rules=rules_of(settings))
        runner.start()
        runners.append(runner)
    return runners
