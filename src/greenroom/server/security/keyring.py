"""Tokens and log-ins: what a visitor shows, and what it opens. Sans-I/O; values are kept as digests only."""

from __future__ import annotations

import hmac
import secrets
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field
from hashlib import sha256

from greenroom.config.tokens import Token
from greenroom.server.security.logins import Logins, Ticket

MAX_ADDRESSES = 10_000
MAX_REMEMBERED = 50_000
"""Wrong tokens of all addresses together."""
SHOWN_BYTES = 12
"""Of a wrong token's digest, to tell it from others."""
MAX_PASSES = 100
MINUTE = 60.0


@dataclass(frozen=True, slots=True)
class Key:
    """What a shown token, pass or session stands for."""

    name: str
    ops: bool = False
    trusted: bool = False
    max_connections: int = 0
    messages_per_second: float = 0.0


@dataclass(frozen=True, slots=True)
class _Session:
    key: Key
    ends: float


def digest(value: str) -> bytes:
    return sha256(value.encode("utf-8", "surrogatepass")).digest()


class Keyring:
    """The configured tokens. Comparing takes the same time whichever is shown, and however much of it is right."""

    def __init__(self, tokens: Iterable[Token] = ()) -> None:
        self._keys: list[tuple[bytes, Key]] = []
        for token in tokens:
            limits = token.limits
            self._keys.append(
                (
                    digest(token.value),
                    Key(
                        token.name,
                        ops=token.ops,
                        trusted=limits.trusted if limits else False,
                        max_connections=limits.max_connections if limits else 0,
                        messages_per_second=limits.messages_per_second if limits else 0.0,
                    ),
                )
            )
        self.for_visitors = any(not key.ops for _, key in self._keys)
        self.for_ops = any(key.ops for _, key in self._keys)

    @property
    def names(self) -> tuple[str, ...]:
        """All tokens' names."""
        return tuple(key.name for _, key in self._keys)

    def find(self, value: str) -> Key | None:
        """What a token opens; None if there is no such token."""
        shown = digest(value)
        found = None
        for known, key in self._keys:
            if hmac.compare_digest(known, shown):
                found = key
        return found


class Sessions:
    """Log-ins by an opaque id that only the browser knows.

    When there are too many, the oldest of the token with the most goes: who logs in over and over with one token
    logs nobody out who has another.
    """

    def __init__(self, most: int, seconds: float, logins: Logins) -> None:
        self._most = most
        self._logins = logins
        self.seconds = seconds
        self._sessions: dict[bytes, _Session] = {}
        self._by_token: dict[str, OrderedDict[bytes, None]] = {}

    def __len__(self) -> int:
        return len(self._sessions)

    def begin(self, key: Key, now: float, *, instead_of: str = "") -> str:
        """Start a session, perhaps in the place of one that ends thereby; returns its id."""
        name = secrets.token_urlsafe(32)
        place = digest(name)
        self._sessions[place] = _Session(key, now + self.seconds)
        if instead_of:
            old = digest(instead_of)
            self._logins.replaced(old, Ticket(place, now + self.seconds))
            self._forget(old)
        self._by_token.setdefault(key.name, OrderedDict())[place] = None
        while len(self._sessions) > self._most:
            self._forget(next(iter(max(self._by_token.values(), key=len))))
        return name

    def _forget(self, place: bytes) -> None:
        self._logins.ended(place)
        found = self._sessions.pop(place, None)
        if found is not None:
            places = self._by_token[found.key.name]
            del places[place]
            if not places:
                del self._by_token[found.key.name]

    def ticket(self, name: str) -> Ticket | None:
        """What a session's connections are known by."""
        place = digest(name)
        found = self._sessions.get(place)
        return Ticket(place, found.ends) if found is not None else None

    def find(self, name: str, now: float) -> Key | None:
        """What a session opens; None if it has ended or never was."""
        place = digest(name)
        found = self._sessions.get(place)
        if found is None:
            return None
        if now >= found.ends:
            self._forget(place)
            return None
        return found.key

    def end(self, name: str) -> None:
        """Forget a session. Idempotent."""
        self._forget(digest(name))


class Passes:
    """Tokens that the server makes for its own children, such as a soak run started from the ops page."""

    def __init__(self, logins: Logins) -> None:
        self._logins = logins
        self._passes: OrderedDict[bytes, _Session] = OrderedDict()

    def issue(self, name: str, *, seconds: float, now: float) -> str:
        """Return a token that opens everything for so long."""
        value = secrets.token_urlsafe(32)
        self._passes[digest(value)] = _Session(Key(name, ops=True, trusted=True), now + seconds)
        while len(self._passes) > MAX_PASSES:
            self._logins.ended(self._passes.popitem(last=False)[0])
        return value

    def ticket(self, value: str) -> Ticket | None:
        """What a pass' connections are known by; None if it is no pass."""
        place = digest(value)
        found = self._passes.get(place)
        return Ticket(place, found.ends) if found is not None else None

    def find(self, value: str, now: float) -> Key | None:
        found = self._passes.get(digest(value))
        return found.key if found is not None and now < found.ends else None

    def revoke(self, value: str) -> None:
        """End a pass. Idempotent."""
        place = digest(value)
        self._passes.pop(place, None)
        self._logins.ended(place)


@dataclass(slots=True)
class _Wrong:
    since: float
    shown: set[bytes] = field(default_factory=set[bytes])


class Attempts:
    """Different wrong tokens per address and minute; with too many it is not listened to until the minute is over.

    The same one again is no guess: a program with an old token that tries for ever locks out nobody who lives behind
    the same router.
    """

    def __init__(self, per_minute: int) -> None:
        self._per_minute = per_minute
        self._wrong: OrderedDict[str, _Wrong] = OrderedDict()
        self._remembered = 0

    def wait(self, address: str, now: float) -> float:
        """Seconds until the address is listened to again; 0 if it is."""
        found = self._wrong.get(address)
        if found is None:
            return 0.0
        if now - found.since >= MINUTE:
            self._forget(address)
            return 0.0
        return found.since + MINUTE - now if len(found.shown) >= self._per_minute else 0.0

    def wrong(self, address: str, shown: str, now: float) -> None:
        """Count a wrong token."""
        found = self._wrong.get(address)
        if found is not None and now - found.since >= MINUTE:
            self._forget(address)
            found = None
        if found is None:
            found = self._wrong[address] = _Wrong(now)
        before = len(found.shown)
        found.shown.add(digest(shown)[:SHOWN_BYTES])
        self._remembered += len(found.shown) - before
        self._wrong.move_to_end(address)
        while len(self._wrong) > MAX_ADDRESSES or (
            self._remembered > MAX_REMEMBERED and len(self._wrong) > 1
        ):
            self._forget(next(iter(self._wrong)))

    def _forget(self, address: str) -> None:
        self._remembered -= len(self._wrong.pop(address).shown)
