"""Programs that some tests drive: found, or the test skips with a reason.

Where everything must be tested (`GREENROOM_REQUIRE_SERVICES=1`, as in CI) a missing program is a failure
instead: a skip that nobody reads is how a test dies.
"""

from __future__ import annotations

import os
import shutil

import pytest

#: What a test asks for, and the names under which the program is installed, best first.
PROGRAMS = {
    "nginx": ("nginx", "/usr/sbin/nginx"),
    "caddy": ("caddy",),
    "openssl": ("openssl",),
    "chromium": ("chromium", "chromium-browser", "google-chrome"),
    # Where a user's PATH does not lead: Debian keeps servers in /usr/sbin.
    "faketime": ("faketime",),
    "ngircd": ("ngircd", "/usr/sbin/ngircd"),
    "prlimit": ("prlimit",),
    "unshare": ("unshare",),
    "systemd-analyze": ("systemd-analyze",),
    "setpriv": ("setpriv",),
    "git": ("git",),
    "useradd": ("useradd", "/usr/sbin/useradd"),
}


def find(service: str) -> str | None:
    """The path of the program, or None. Raises KeyError for a service that nobody has listed."""
    return next((path for name in PROGRAMS[service] if (path := shutil.which(name)) is not None), None)


def require(service: str) -> str:
    """The path of the program; skips the calling test, or fails it, where the program is missing."""
    path = find(service)
    if path is not None:
        return path
    reason = f"{service} is not installed here; scripts/setup-services installs it or says how to"
    if os.environ.get("GREENROOM_REQUIRE_SERVICES") == "1":
        pytest.fail(f"{reason} (GREENROOM_REQUIRE_SERVICES=1: no test may skip)", pytrace=False)
    pytest.skip(reason)
