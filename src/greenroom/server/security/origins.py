"""Which pages may connect, and by which names the server may be called. Sans-I/O.

A page of any origin can open a WebSocket to any server, this machine's included; only the `Origin` header, which
a page cannot forge, tells it apart. A page can also get itself called the same origin by pointing a name of its
own at this machine (DNS rebinding); then the `Host` header shows that name.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterable
from urllib.parse import urlsplit

FROM_FILES = frozenset({"null", "file://", "file:///"})
_DEFAULT_PORTS = {"http": 80, "ws": 80, "https": 443, "wss": 443}


class Origins:
    """Decides about `Origin` and `Host`.

    Args:
        allowed: other origins that may connect.
        from_files: whether pages opened from a file may.
        hosts: names the server is called by, besides localhost and this machine's own name.
    """

    def __init__(
        self, allowed: Iterable[str] = (), *, from_files: bool = False, hosts: Iterable[str] = ()
    ) -> None:
        self._allowed = frozenset(filter(None, (_triple(one) for one in allowed)))
        self._from_files = from_files
        own = socket.gethostname().lower()
        self._hosts = frozenset(
            {"localhost", own, f"{own}.local", *(host.lower().strip("[]") for host in hosts)}
        ) | {host for _, host, _ in self._allowed}

    def allows(self, origin: str, host: str, *, secure: bool) -> bool:
        """Whether a page of that origin may use the server that it calls `host`."""
        if origin.lower() in FROM_FILES:
            return self._from_files
        found = _triple(origin)
        if found is None:
            return False
        if found in self._allowed or _is_local_name(found[1]):
            return True
        if found[0] != "https" and (secure or found[0] != "http"):
            return False
        # Not secure may also mean that a proxy ended TLS without a word about it: either scheme will do.
        name, port = split_host(host)
        return (found[1], found[2]) == (name, port if port is not None else _DEFAULT_PORTS[found[0]])

    def knows(self, host: str) -> bool:
        """Whether the server may be called so: a name that somebody else could have pointed here is refused."""
        name, _ = split_host(host)
        if not name or name in self._hosts or _is_local_name(name):
            return bool(name)
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return False
        return True  # an address cannot be pointed elsewhere


def split_host(host: str) -> tuple[str, int | None]:
    """Name and port of a `Host` header; the name is empty if there is no sense in it."""
    try:
        parts = urlsplit(f"//{host}")
        port = parts.port
    except ValueError:
        return "", None
    if parts.path or parts.query or parts.fragment or parts.username is not None:
        return "", None
    return (parts.hostname or "").rstrip("."), port


def _triple(origin: str) -> tuple[str, str, int | None] | None:
    try:
        parts = urlsplit(origin.lower())
        port = parts.port
    except ValueError:
        return None
    if not parts.scheme or not parts.hostname or parts.path or parts.query or parts.fragment:
        return None
    if parts.username is not None:
        return None
    return (
        parts.scheme,
        parts.hostname.rstrip("."),
        port if port is not None else _DEFAULT_PORTS.get(parts.scheme),
    )


def _is_local_name(name: str) -> bool:
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
