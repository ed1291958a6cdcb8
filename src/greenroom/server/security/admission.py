"""Decides who may come in, before anything is accepted. Sans-I/O: facts in, a visitor or a refusal out.

| configured | who comes in |
|---|---|
| no token, listening on loopback | whoever is on this machine, connected directly, and calls it by a name it knows |
| a token | whoever shows it (also on this machine, unless `trust_loopback`) |
| no token, `insecure_open` | everybody; `/ops` and `/metrics` stay with this machine or the ops token |

A page's `Origin` is looked at first in every case.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlencode

from greenroom.config.security import SecuritySettings
from greenroom.config.tokens import Token
from greenroom.server.security.keyring import Attempts, Key, Keyring, Passes, Sessions
from greenroom.server.security.logins import Logins, Ticket
from greenroom.server.security.origins import Origins
from greenroom.server.security.peers import Peer, Peers, household
from greenroom.server.security.visitor import Visitor

PUBLIC = frozenset({"/login", "/logout", "/health/live", "/health/ready"})
PICTURES = ("/avatars/", "/bg/", "/live2d-models/", "/cache/")
"""Loaded by pages of other origins, which cannot send a token along; open to addresses with a connection."""
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
MAX_SHOWN = 1024
STRAIGHT = r"[^\\\x00-\x1f\x7f]"
"""A character of a path. No route would match a line break, and no log should have to escape one."""
CROOKED = re.compile(STRAIGHT.replace("^", ""))


@dataclass(frozen=True, slots=True)
class Knock:
    """One request's facts; header names in lower case, several of one name joined by commas."""

    kind: str
    method: str
    path: str
    query: str
    headers: Mapping[bytes, bytes]
    address: str
    secure: bool
    port: int
    now: float

    def header(self, name: bytes) -> str:
        return self.headers.get(name, b"").decode("latin-1")


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why somebody stays outside: `code` for programs, logs and metrics, the rest for people."""

    code: str
    status: int
    problem: str
    fix: str
    retry_seconds: int = 0

    @property
    def close_code(self) -> int:
        """For a WebSocket of a page, which sees neither status nor body of a handshake that fails."""
        return 4000 + self.status


@dataclass(frozen=True, slots=True)
class Entry:
    """Somebody who may come in, and the key that was shown for it."""

    visitor: Visitor
    key: Key | None = None
    by_query: bool = False
    """The token stood in the address."""
    ticket: Ticket | None = None
    """The log-in or pass it was; None with a token, which does not end."""


class Admission:
    """The rules and what they need to remember."""

    def __init__(
        self,
        security: SecuritySettings,
        tokens: Iterable[Token] = (),
        *,
        is_connected: Callable[[str], bool] = lambda address: False,
        logins: Logins | None = None,
    ) -> None:
        self.keyring = Keyring(tokens)
        logins = Logins() if logins is None else logins  # an empty one is falsy
        self.passes = Passes(logins)
        self.sessions = Sessions(security.max_sessions, security.session_hours * 3600, logins)
        self.attempts = Attempts(security.wrong_tokens_per_minute)
        self._security = security
        self._peers = Peers(security.trusted_proxies)
        self._origins = Origins(
            security.allowed_origins, from_files=security.allow_null_origin, hosts=security.allowed_hosts
        )
        self._is_connected = is_connected

    @property
    def asks(self) -> bool:
        """Whether visitors need a token."""
        return self.keyring.for_visitors

    def peer(self, knock: Knock) -> Peer:
        """Where a request comes from."""
        return self._peers.find(knock.address, knock.headers, secure=knock.secure)

    def judge(self, knock: Knock, peer: Peer) -> Entry | Refusal:
        """Let in or refuse."""
        if is_crooked(knock.path):
            return Refusal(
                "path",
                400,
                "The path leads out of this server.",
                "Write it without .., \\ and control characters.",
            )
        if (refusal := self._judge_origin(knock, peer)) is not None:
            return refusal
        public = knock.path in PUBLIC
        shown, by_query = token_in(knock)
        key = ticket = None
        if shown and (self.keyring.for_visitors or self.keyring.for_ops):
            found = self.open_with(shown, peer.address, knock.now)
            if isinstance(found, Key):
                key, ticket = found, self.passes.ticket(shown)
            elif not public:
                return found
        if key is None and (session := cookie_in(knock)):
            key, ticket = self.sessions.find(session, knock.now), self.sessions.ticket(session)
            by_query = False
        visitor = self._visitor(peer, key)
        if not public:
            if not visitor.may_visit and (refusal := self._closed(knock, peer)) is not None:
                return refusal
            if is_ops(knock.path) and not visitor.may_ops:
                return self._ops_only()
        return Entry(visitor, key, by_query=by_query and key is not None, ticket=ticket)

    def open_with(self, shown: str, address: str, now: float) -> Key | Refusal:
        """What a shown token opens; wrong ones are counted for the address."""
        home = household(address)
        wait = self.attempts.wait(home, now)
        if wait:
            seconds = int(wait) + 1
            return Refusal(
                "too-many-attempts",
                429,
                "Too many wrong tokens came from your address.",
                f"Wait {seconds} s.",
                retry_seconds=seconds,
            )
        key = None
        if len(shown) <= MAX_SHOWN:
            key = self.keyring.find(shown) or self.passes.find(shown, now)
        if key is None:
            self.attempts.wrong(home, shown, now)
            return Refusal(
                "wrong-token", 401, "That is not a token of this server.", "Ask its owner for one."
            )
        return key

    def _judge_origin(self, knock: Knock, peer: Peer) -> Refusal | None:
        origin = knock.header(b"origin")
        if not origin or (knock.kind == "http" and knock.method in SAFE_METHODS):
            return None
        if self._origins.allows(origin, peer.host, secure=peer.secure):
            return None
        if knock.kind == "http" and origin == "null" and knock.header(b"sec-fetch-site") == "same-origin":
            return None  # a form of ours on a page that keeps its address to itself
        what = "allow_null_origin: true" if origin in ("null", "file://") else "allowed_origins"
        return Refusal(
            "origin",
            403,
            "Pages of other origins may not use this server.",
            f"Its owner can let this one in with security.{what}.",
        )

    def _visitor(self, peer: Peer, key: Key | None) -> Visitor:
        security, keyring = self._security, self.keyring
        # A page that points a name of its own at this machine is not this machine.
        local = peer.here and self._origins.knows(peer.host)
        free = local if not self.asks else local and security.trust_loopback
        everybody = security.insecure_open and not self.asks and self._origins.knows(peer.host)
        return Visitor(
            address=peer.address,
            here=peer.here,
            secure=peer.secure,
            host=peer.host,
            token=key.name if key else "",
            may_visit=key is not None or free or everybody,
            may_ops=(key is not None and key.ops)
            or (local and (not keyring.for_ops or security.trust_loopback)),
            trusted=local or (key is not None and key.trusted),
        )

    def _closed(self, knock: Knock, peer: Peer) -> Refusal | None:
        if (
            knock.path.startswith(PICTURES)
            and knock.method in SAFE_METHODS
            and self._is_connected(peer.address)
        ):
            return None
        if not self.asks:
            if peer.forwarded and not self._security.insecure_open:
                return Refusal(
                    "forwarded",
                    403,
                    "This server is for its own machine, and the request came through a proxy.",
                    "Its owner can name the proxy in security.trusted_proxies and set a token.",
                )
            if not self._origins.knows(peer.host):
                return Refusal(
                    "host",
                    403,
                    "This server is not called by that name.",
                    "Its owner can add the name to security.allowed_hosts.",
                )
        return Refusal(
            "no-token", 401, "This server needs a token.", "Log in at /login, or send Authorization: Bearer."
        )

    def _ops_only(self) -> Refusal:
        if self.keyring.for_ops:
            return Refusal("ops", 403, "This part needs the ops token.", "Log in at /login with it.")
        return Refusal("ops", 403, "Only for this machine.", "Its owner can set security.ops_token.")


def is_ops(path: str) -> bool:
    """Whether a path is part of the server's inside."""
    return path in ("/ops", "/metrics", "/ops.html") or path.startswith(("/ops/", "/metrics/"))


def is_crooked(path: str) -> bool:
    """Whether a path, escapes resolved, tries to leave the folder it starts in, or holds what no file's name does."""
    return CROOKED.search(path) is not None or ".." in path.replace("%2e", ".").replace("%2E", ".").split("/")


def token_in(knock: Knock) -> tuple[str, bool]:
    """The token that is shown, and whether it stood in the address; empty without one."""
    scheme, _, value = knock.header(b"authorization").partition(" ")
    if scheme.lower() == "bearer" and value.strip():
        return value.strip(), False
    if "token" in knock.query:
        for name, found in _pairs(knock.query):
            if name == "token" and found:
                return found, True
    return "", False


def without_token(query: str) -> str:
    """A query without its token, as everything behind the door sees it."""
    if "token" not in query:
        return query
    return urlencode([pair for pair in _pairs(query) if pair[0] != "token"])


def _pairs(query: str) -> list[tuple[str, str]]:
    try:
        return parse_qsl(query, keep_blank_values=True, max_num_fields=100)
    except ValueError:
        return []


def cookie_name(port: int) -> str:
    """By port, since browsers do not tell the servers of one machine apart by it."""
    return f"greenroom_{port}"


def cookie_in(knock: Knock) -> str:
    """The session's id; empty without one."""
    wanted = cookie_name(knock.port)
    for item in knock.header(b"cookie").replace(",", ";").split(";"):
        name, _, value = item.partition("=")
        if name.strip() == wanted:
            return value.strip()[:200]
    return ""
