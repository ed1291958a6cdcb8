"""Tests of the token estimate."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from greenroom.agents.tokens import UNITS, estimate_tokens, truncate, units


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [
        ("", 0, 0),
        ("a", 1, 1),
        ("The quick brown fox jumps over the lazy dog.", 9, 12),
        ("我喜欢下雨天。", 6, 8),
        ("こんにちは、世界！", 8, 10),
        ("Привет, как дела?", 7, 10),
        ("안녕하세요", 4, 6),
    ],
)
def test_estimate_minds_the_script(text: str, low: int, high: int) -> None:
    """About four Latin characters a token, one wide character, two of other scripts."""
    assert low <= estimate_tokens(text) <= high


@given(st.text(), st.text())
def test_units_add_up(one: str, other: str) -> None:
    """Units are per character, so the parts of a text sum up to the whole."""
    assert units(one + other) == units(one) + units(other)


@given(st.text(max_size=200), st.integers(-1, 60))
def test_truncate_is_the_longest_that_fits(text: str, tokens: int) -> None:
    """The cut is a beginning of the text, fits, and one character more would not."""
    cut = truncate(text, tokens)
    assert text.startswith(cut)
    assert estimate_tokens(cut) <= max(0, tokens)
    if cut != text:
        assert units(text[: len(cut) + 1]) > max(0, tokens) * UNITS
