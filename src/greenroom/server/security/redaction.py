"""Keeps secrets out of what the server writes: log lines, errors, views.

Two nets. Values that are known to be secret (tokens, keys) are replaced wherever they appear; and what looks like
a secret by where it stands (`?token=…`, `Authorization: Bearer …`, our cookie) is replaced although nobody
told us its value, since a wrong token is often a right one of somewhere else.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterable
from urllib.parse import quote

REDACTED = "[redacted]"
MIN_LENGTH = 6
"""Shorter values are no secrets, and replacing them everywhere would garble the log."""
MAX_SECRETS = 10_000

_PLACES = re.compile(
    r"""(?P<before>
          [?&;"'\s](?:access_)?token=                         # in addresses and form bodies
        | (?:^|[^\w])authorization["']?\s*[:=]\s*(?:b?["'])?(?:bearer|basic)\s+
        | \bbearer\s+
        | \bgreenroom_\d+=
        )(?P<value>[^\s&;"'<>\\,]+)""",
    re.IGNORECASE | re.VERBOSE,
)


class Secrets:
    """The values that must not be written anywhere."""

    def __init__(self) -> None:
        self._values: set[str] = set()
        self._pattern: re.Pattern[str] | None = None

    def add(self, *values: str | None) -> None:
        """Keep these out from now on; empty and very short ones are left."""
        new = {value for value in values if value and len(value) >= MIN_LENGTH}
        if not new <= self._values and len(self._values) < MAX_SECRETS:
            self._values |= new
            forms = {form for value in self._values for form in _forms(value)}
            self._pattern = re.compile("|".join(map(re.escape, sorted(forms, key=len, reverse=True))))

    def scrub(self, text: str) -> str:
        """The text without secrets."""
        if self._pattern is not None:
            text = self._pattern.sub(REDACTED, text)
        return _PLACES.sub(lambda found: f"{found['before']}{REDACTED}", text)


def _forms(value: str) -> Iterable[str]:
    """A value as it is, inside JSON, as Python shows it, and inside an address."""
    return {value, json.dumps(value)[1:-1], repr(value)[1:-1], quote(value, safe="")}


secrets = Secrets()
"""Those of this process."""


class ScrubbingFormatter(logging.Formatter):
    """Formats with another formatter and takes secrets out of the result, tracebacks included."""

    def __init__(self, inner: logging.Formatter, known: Secrets = secrets) -> None:
        super().__init__()
        self._inner = inner
        self._known = known

    def format(self, record: logging.LogRecord) -> str:
        return self._known.scrub(self._inner.format(record))
