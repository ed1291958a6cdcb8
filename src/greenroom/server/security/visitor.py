"""Who stands behind one request, as `security.door` found out; every endpoint reads it from the ASGI scope."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

SCOPE_KEY = "greenroom.visitor"


@dataclass(frozen=True, slots=True)
class Visitor:
    """One request's sender.

    `address` is the visitor's own, also behind a trusted proxy. `here`: a program on this machine that
    connected directly; never somebody whom a proxy on this machine passed on. `token` is the name of the token
    that was shown, empty without one.
    """

    address: str = ""
    here: bool = False
    secure: bool = False
    host: str = ""
    """The host and port it called the server by."""
    token: str = ""
    may_visit: bool = False
    may_ops: bool = False
    trusted: bool = False
    """Whether its word on senders' names and priorities counts in a room."""


NOBODY = Visitor()


def visitor_of(scope: Mapping[str, Any]) -> Visitor:
    """The sender of a request; somebody who may do nothing where no door stood before the endpoint."""
    found = scope.get(SCOPE_KEY, NOBODY)
    return found if isinstance(found, Visitor) else NOBODY


def ops_allowed(scope: Mapping[str, Any]) -> bool:
    """Whether the sender may see `/ops`, `/metrics` and details of the status."""
    return visitor_of(scope).may_ops
