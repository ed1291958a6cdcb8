"""The tokens of the settings with their values, and whether the server is open to more than it should be."""

from __future__ import annotations

import ipaddress
import os
import secrets
import socket
import stat
from dataclasses import dataclass, field
from pathlib import Path

from greenroom.config.errors import ConfigError, Problem
from greenroom.config.security import MAKE_ONE, TokenSettings, token_problem
from greenroom.config.settings import Settings

__all__ = [
    "OPS",
    "VISITORS",
    "Token",
    "exposure",
    "is_loopback_host",
    "load_tokens",
    "make_token",
    "refuse_to_be_open",
    "write_token",
]

VISITORS = "visitors"
OPS = "ops"
MAX_FILE = 4096


@dataclass(frozen=True, slots=True)
class Token:
    """One token: what it is called, its value, and what it allows."""

    name: str
    value: str = field(repr=False)
    ops: bool = False
    limits: TokenSettings | None = None


def load_tokens(settings: Settings) -> tuple[Token, ...]:
    """Return all tokens, those in files too. Raises ConfigError with everything that is wrong."""
    security = settings.security
    problems: list[Problem] = []
    found: list[Token] = []

    def add(place: str, value: str | None, file: Path | None, token: Token) -> None:
        if value is not None and file is not None:
            problems.append(
                Problem(
                    "settings", None, f"{place}_file", "the token is given twice", f"remove {place} or this"
                )
            )
        elif file is not None:
            try:
                value = read_token(file)
            except ValueError as error:
                message, _, fix = str(error).partition("; ")
                problems.append(Problem(str(file), None, f"{place}_file", message, fix))
                return
        if value is not None:
            found.append(Token(token.name, value, token.ops, token.limits))

    def secret(value: object) -> str | None:
        return None if value is None else value.get_secret_value()  # type: ignore[attr-defined, no-any-return]  # pyright: ignore

    add("security.token", secret(security.token), security.token_file, Token(VISITORS, ""))
    add("security.ops_token", secret(security.ops_token), security.ops_token_file, Token(OPS, "", ops=True))
    for index, one in enumerate(security.tokens):
        place = f"security.tokens[{index}].token"
        if one.token is None and one.token_file is None:
            problems.append(Problem("settings", None, place, "is missing", "set it, or token_file"))
        add(place, secret(one.token), one.token_file, Token(one.name, "", limits=one))
    names: set[str] = set()
    values: dict[str, str] = {}
    for token in found:
        if token.name in names:
            fix = "give each token its own name"
            message = f'the name "{token.name}" is there twice'
            problems.append(Problem("settings", None, "security.tokens", message, fix))
        if token.value in values:
            message = f'"{values[token.value]}" and "{token.name}" have the same token'
            problems.append(Problem("settings", None, "security", message, f"{MAKE_ONE}"))
        names.add(token.name)
        values[token.value] = token.name
    if problems:
        raise ConfigError(problems)
    return tuple(found)


def read_token(file: Path) -> str:
    """Return the token in a file. Raises ValueError: what is wrong, `; `, and the fix; never with its content."""
    try:
        with file.open("rb") as opened:
            info = os.fstat(opened.fileno())
            if not stat.S_ISREG(info.st_mode):
                raise ValueError("is not a file; give the path of one that holds the token")
            if os.name != "nt" and info.st_mode & _closed_bits(info):
                mode = stat.S_IMODE(info.st_mode)
                raise ValueError(
                    f"others on this machine can read it (mode {mode:04o}); run: chmod 600 {file}"
                )
            raw = opened.read(MAX_FILE + 1)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise ValueError(f"cannot be read: {reason}; make it with: greenroom token --write {file}") from None
    try:
        value = raw.decode("ascii").strip()
    except UnicodeDecodeError:
        value = ""
    if not value or len(raw) > MAX_FILE:
        raise ValueError("holds no token; make it with: greenroom token --write FILE")
    if problem := token_problem(value):
        raise ValueError(f"its token {problem}")
    return value


def _closed_bits(info: os.stat_result) -> int:
    """Bits that a token's mode must not have.

    A group may read a file of root's, if the server is somebody else: so systemd and Kubernetes hand a secret to
    a service, the former by an access list, whose mask is what the mode shows of it.
    """
    return 0o037 if info.st_uid == 0 and os.geteuid() != 0 else 0o077


def make_token() -> str:
    """Return a new token nobody can guess: 256 bits."""
    while True:
        # One that begins with "-" would be taken for an option where somebody pastes it into a command.
        if not (value := secrets.token_urlsafe(32)).startswith("-"):
            return value


def write_token(file: Path, value: str) -> None:
    """Write a token into a new file that only its owner can read. Raises OSError, also if the file is there."""
    with os.fdopen(
        os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii"
    ) as opened:
        opened.write(value + "\n")


def is_loopback_host(host: str) -> bool:
    """Whether a server that listens there can only be reached from this machine."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        pass
    if host.lower().rstrip(".") == "localhost":
        return True
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return False
    return bool(found) and all(
        ipaddress.ip_address(str(one[4][0]).partition("%")[0]).is_loopback for one in found
    )


def exposure(settings: Settings) -> str:
    """Why others than this machine can reach the server, in words; empty if they cannot."""
    if settings.security.trusted_proxies:
        return "a reverse proxy passes visitors on (security.trusted_proxies)"
    host = settings.server.host
    return "" if is_loopback_host(host) else f"other machines can reach {host}"


def refuse_to_be_open(settings: Settings, tokens: tuple[Token, ...]) -> Problem | None:
    """Return why the server must not start: others can reach it, and no token keeps anybody out."""
    if settings.security.insecure_open or any(not token.ops for token in tokens):
        return None
    why = exposure(settings)
    if not why:
        return None
    fix = (
        "make a token with `greenroom token --write FILE` and start with `--token-file FILE` "
        "(or set GREENROOM_SECURITY__TOKEN, or security.token in greenroom.yaml); "
        "to listen on this machine only, use `--host 127.0.0.1`; "
        "to let everybody in all the same, add `--insecure-open`"
    )
    return Problem("settings", None, "security.token", f"is not set, and {why}", fix)
