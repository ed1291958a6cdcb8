"""Tests of layout.py: the white space between the sentences of a stored reply."""

from __future__ import annotations

import pytest

from greenroom.history import laid_out, size_of
from greenroom.history.layout import Breaks, read_breaks, written_breaks


@pytest.mark.parametrize(
    ("text", "breaks", "whole"),
    [
        ("Hello.How are you?", ((6, " "),), "Hello. How are you?"),
        ("Look:```def f():return 1```", ((5, "\n\n"), (8, "\n"), (16, "\n    "), (24, "\n")),
         "Look:\n\n```\ndef f():\n    return 1\n```"),
        ("👋🏽!好。", ((3, " "),), "👋🏽! 好。"),
        ("One.", (), "One."),
        ("One.", None, "One."),
        ("One.", ((99, " "),), "One. "),
    ],
)  # fmt: skip
def test_laid_out(text: str, breaks: Breaks | None, whole: str) -> None:
    """White space goes to its place, counted in characters; a place beyond the end does no harm."""
    assert laid_out(text, breaks) == whole


def test_size() -> None:
    """White space counts where replies are counted, so that many short lines are no way around a limit."""
    assert size_of("One.", None) == size_of("One.", ()) == 4
    assert size_of("a" * 100, tuple((at, "\n") for at in range(100))) == 100 + 100 * 13


def test_what_is_written_is_read() -> None:
    """Breaks come back from the store as they were; of a reply without any, that is known."""
    for breaks in (((6, "\n  "), (9, " ")), (), None):
        assert read_breaks(written_breaks(breaks)) == breaks
    assert read_breaks("no JSON") is None
    assert read_breaks('[["x", 1]]') is None
