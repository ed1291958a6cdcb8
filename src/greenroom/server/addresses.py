"""Whose address is it?"""

from __future__ import annotations

import ipaddress


def is_loopback(address: str) -> bool:
    """Whether an address is this machine's own; Unix sockets have none and count as such."""
    if not address:
        return True
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return False
    mapped = getattr(found, "ipv4_mapped", None)
    return bool((mapped or found).is_loopback)
