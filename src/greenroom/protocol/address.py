"""What somebody types for a server: a port, `host:port`, or an address of any of its pages or sockets."""

from __future__ import annotations

from urllib.parse import SplitResult, urlsplit

_SECURE = {"http": False, "ws": False, "https": True, "wss": True}


class BadAddress(ValueError):
    """An address that cannot be used; the text says what one looks like."""


def parse_address(text: str, example: str) -> tuple[SplitResult, bool]:
    """The parts of an address, and whether it goes over TLS; a bare port means this machine.

    Raises `BadAddress`, which shows `example`.
    """
    wanted = text.strip()
    if wanted.isdigit():
        wanted = f"127.0.0.1:{wanted}"
    if "://" not in wanted:
        wanted = f"http://{wanted}"
    try:
        parts = urlsplit(wanted)
        secure = _SECURE[parts.scheme]
        good = bool(parts.hostname) and parts.port != 0
    except (ValueError, KeyError):
        good, secure, parts = False, False, urlsplit("")
    if not good:
        raise BadAddress(f"{text!r} is no address of a server; one looks like {example}")
    return parts, secure
