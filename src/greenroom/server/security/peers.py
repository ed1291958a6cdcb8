"""Where a request really comes from. Sans-I/O.

Behind a reverse proxy on this machine every visitor seems to be this machine. So a connection counts as `here`
only if it comes from a loopback address, carries no trace of a proxy, and no proxy is configured at all. What a
proxy says is believed only if its address is among the trusted ones.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

TRACES = frozenset(
    {
        b"forwarded", b"x-forwarded-for", b"x-forwarded-host", b"x-forwarded-proto", b"x-forwarded-port",
        b"x-forwarded-server", b"x-real-ip", b"x-client-ip", b"true-client-ip", b"cf-connecting-ip", b"via",
    }
)  # fmt: skip
"""Headers that only a proxy adds."""

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True)
class Peer:
    """`forwarded`: through a proxy, trusted or not; `vouched`: through a trusted one, so `address` is real."""

    address: str
    here: bool
    forwarded: bool
    vouched: bool
    secure: bool
    host: str


class Peers:
    """Reads the peer out of a connection's address and its headers."""

    def __init__(self, trusted_proxies: Iterable[str] = ()) -> None:
        self._proxies: tuple[Network, ...] = tuple(ipaddress.ip_network(one) for one in trusted_proxies)

    def find(self, address: str, headers: Mapping[bytes, bytes], *, secure: bool) -> Peer:
        """Return who sent a request; `headers` are in lower case, several of one name joined by commas."""
        host = headers.get(b"host", b"").decode("latin-1").strip().lower()
        forwarded = not TRACES.isdisjoint(headers)
        if self._is_proxy(address):
            proto = _last(headers.get(b"x-forwarded-proto", b""))
            named = _last(headers.get(b"x-forwarded-host", b""))
            return Peer(
                self._first_stranger(address, headers.get(b"x-forwarded-for", b"")),
                here=False,
                forwarded=True,
                vouched=True,
                secure=proto in ("https", "wss") if proto else secure,
                host=named or host,
            )
        here = is_loopback(address) and not forwarded and not self._proxies
        return Peer(address, here, forwarded, False, secure, host)

    def _first_stranger(self, address: str, chain: bytes) -> str:
        """The nearest address in `X-Forwarded-For` that is no proxy of ours: all before it can be invented."""
        found = address
        for item in reversed(chain.decode("latin-1").split(",")):
            clean = _address_in(item)
            if clean is None:
                break
            found = str(clean)
            if not self._is_proxy(found):
                break
        return found

    def _is_proxy(self, address: str) -> bool:
        found = _address_in(address)
        return found is not None and any(found in network for network in self._proxies)


def _last(value: bytes) -> str:
    # The nearest proxy appends; a visitor's own header comes before it.
    return value.decode("latin-1").rpartition(",")[2].strip().lower()


def _address_in(text: str) -> Address | None:
    """The address in `1.2.3.4`, `1.2.3.4:80`, `::1`, `[::1]:80`; an IPv4 one also when it is written as IPv6."""
    text = text.strip().strip('"')
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        found = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    mapped = getattr(found, "ipv4_mapped", None)
    return mapped or found


def is_loopback(address: str) -> bool:
    """Whether an address is this machine's own.

    None is not: a stranger who resets a connection before it is accepted has no address any more, and what it
    had sent is read all the same.
    """
    found = _address_in(address)
    return found is not None and found.is_loopback


def household(address: str) -> str:
    """What counts as one address when attempts are counted: an IPv6 network of 64 bits belongs to one customer."""
    found = _address_in(address)
    if isinstance(found, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((found, 64), strict=False))
    return address
