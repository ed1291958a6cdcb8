"""Tests of keys."""

from __future__ import annotations

import pytest

from greenroom.server.ops.top.keys import parse


@pytest.mark.parametrize(
    ("sent", "keys"),
    [
        ("q", ["q"]),
        ("\x1b[A\x1b[B", ["up", "down"]),
        ("\x1bOC\x1b[D", ["right", "left"]),
        ("\x1b[5~\x1b[6~", ["page up", "page down"]),
        ("jk", ["down", "up"]),
        ("\r\n ", ["enter"] * 3),
        ("\x1b", ["escape"]),
        ("\x1b[1;5Cs", ["s"]),
        ("\x1b[200~o", ["o"]),
        ("\x03", ["q"]),
        ("", []),
        ("ß", ["ß"]),
    ],
)
def test_what_a_terminal_sends(sent: str, keys: list[str]) -> None:
    """Letters, arrows in both spellings, several at once; unknown sequences are no letters."""
    assert list(parse(sent)) == keys
