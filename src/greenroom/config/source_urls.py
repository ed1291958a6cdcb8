"""Where live chat comes from, as users write it: `twitch://name`, or the address out of the browser."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

from greenroom.config.errors import did_you_mean

__all__ = ["Platform", "SourceAddress", "parse_source_url"]

Platform = Literal["twitch", "bilibili", "youtube", "irc"]

SCHEMES = ("twitch", "bilibili", "youtube", "irc", "ircs")
EXAMPLES = 'write one such as "twitch://channel", "https://live.bilibili.com/123" or "youtube://@channel"'
SITES: dict[str, Platform] = {
    "twitch.tv": "twitch",
    "live.bilibili.com": "bilibili",
    "youtube.com": "youtube",
    "youtu.be": "youtube",
}
IRC_PORT, IRC_TLS_PORT = 6667, 6697

_TWITCH = re.compile(r"[A-Za-z0-9_]{2,25}")
_ROOM = re.compile(r"[1-9][0-9]{0,17}")
_VIDEO = re.compile(r"[A-Za-z0-9_-]{11}")
_CHANNEL = re.compile(r"UC[A-Za-z0-9_-]{22}")
_HANDLE = re.compile(r"@[\w.·-]{3,30}")
_IRC_CHANNEL = re.compile(r"[^\x00-\x20,:\x7f]{1,64}")


@dataclass(frozen=True, slots=True)
class SourceAddress:
    """What to listen to. `name`: a Twitch or IRC channel, a room number, a video or channel id, a @handle."""

    platform: Platform
    name: str
    host: str = ""
    port: int = 0
    tls: bool = True

    def __str__(self) -> str:
        if self.platform != "irc":
            return f"{self.platform}://{self.name}"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'ircs' if self.tls else 'irc'}://{host}:{self.port}/{self.name.removeprefix('#')}"


def parse_source_url(text: str) -> SourceAddress:
    """Return what an address names. Raises ValueError with a sentence and, after "; ", the fix."""
    try:
        parts = urlsplit(text.strip())
        port = parts.port
    except ValueError:
        raise ValueError(f"is not an address of a live chat; {EXAMPLES}") from None
    scheme = parts.scheme.lower()
    if scheme in ("irc", "ircs"):
        return _irc(parts, port, scheme == "ircs")
    if scheme in ("http", "https"):
        return _site(parts)
    if scheme not in SCHEMES or not text.strip().lower().startswith(f"{scheme}://"):
        near = did_you_mean(scheme, SCHEMES) if scheme else ""
        raise ValueError(f"is not an address of a live chat; {' '.join(filter(None, [near, EXAMPLES]))}")
    # What follows "twitch://" is a name, not a host: its case counts and it may begin with "@".
    name = unquote(text.strip().partition("://")[2]).partition("?")[0].strip("/")
    return _named(SITES_BY_SCHEME[scheme], name)


SITES_BY_SCHEME: dict[str, Platform] = {"twitch": "twitch", "bilibili": "bilibili", "youtube": "youtube"}


def _named(platform: Platform, name: str) -> SourceAddress:
    if platform == "twitch":
        name = name.removeprefix("#")
        if not _TWITCH.fullmatch(name):
            raise ValueError('names no Twitch channel; write the channel\'s name: "twitch://channel"')
        return SourceAddress("twitch", name.lower())
    if platform == "bilibili":
        if not _ROOM.fullmatch(name):
            raise ValueError(
                'names no Bilibili room; write the number of the room\'s address: "bilibili://123"'
            )
        return SourceAddress("bilibili", name)
    if not (_CHANNEL.fullmatch(name) or _HANDLE.fullmatch(name) or _VIDEO.fullmatch(name)):
        raise ValueError(
            "names no YouTube video or channel; write the video's id (11 characters), the channel's id "
            '(UC...) or its handle: "youtube://@channel"'
        )
    return SourceAddress("youtube", name)


def _site(parts: SplitResult) -> SourceAddress:
    host = (parts.hostname or "").lower()
    for prefix in ("www.", "m."):
        host = host.removeprefix(prefix)
    platform = SITES.get(host)
    if platform is None:
        raise ValueError(f"is no page of Twitch, Bilibili live or YouTube; {EXAMPLES}")
    steps = [unquote(step) for step in parts.path.split("/") if step]
    if platform == "twitch":
        # twitch.tv/popout/NAME/chat and twitch.tv/embed/NAME/chat show a channel's chat alone
        index = 1 if steps and steps[0] in ("popout", "embed", "moderator") else 0
        return _named(platform, steps[index] if index < len(steps) else "")
    if platform == "bilibili":
        return _named(platform, next((step for step in steps if step.isdigit()), ""))
    video = parse_qs(parts.query).get("v", [""])[0]
    if host == "youtu.be":
        video = steps[0] if steps else ""
    elif len(steps) > 1 and steps[0] in ("live", "embed", "shorts", "channel"):
        video = steps[1]
    elif steps and steps[0].startswith("@"):
        video = steps[0]
    return _named(platform, video)


def _irc(parts: SplitResult, port: int | None, tls: bool) -> SourceAddress:
    channel = unquote(parts.fragment or parts.path.strip("/"))
    if not parts.hostname:
        raise ValueError('names no host; write "irc://host:6667/channel"')
    if parts.username is not None or parts.password is not None:
        raise ValueError('holds a password, which is not sent; write "irc://host:6667/channel"')
    if port == 0:
        raise ValueError("has port 0, which nobody listens on; use 1..65535")
    channel = channel if channel[:1] in ("#", "&", "+", "!") else f"#{channel}"
    if len(channel) < 2 or not _IRC_CHANNEL.fullmatch(channel):
        raise ValueError('names no channel; write it after the host: "irc://host:6667/channel"')
    return SourceAddress("irc", channel, parts.hostname, port or (IRC_TLS_PORT if tls else IRC_PORT), tls)
