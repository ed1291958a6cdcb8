"""Tests of speakable.py."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from greenroom.conversation.speakable import SpeechFilters, expressions, spoken_text

ALL = SpeechFilters()
NONE = SpeechFilters(False, False, False, False, False)


@pytest.mark.parametrize(
    ("text", "spoken"),
    [
        ("Hello there.", "Hello there."),
        ("*waves* Hello [joy] there (softly) <b>you</b>.", "Hello there you."),
        ("**Hm** no.", "no."),
        ("2 * 3", "2 3"),
        ("a [b [c] d] e", "a e"),
        ("（小声）你好【笑】", "你好【笑】"),
        ("(smiles) Hello (waves", "Hello waves"),
        ("waves) Hello", "waves) Hello"),
        ("((a) b", "b"),
        ("(a (b) c) d (e", "d e"),
        ("1 < 2, 3 > 2", "1 2"),
        ("😀 Great 😀!", "Great !"),
        ("100% sure & 5€", "100% sure & 5"),
        ("ＡＢＣ　①", "ABC 1"),
        ("naïve cafe\u0301", "naïve café"),
        ("हिन्दी में", "हिन्दी में"),
        ("line\none", "line one"),
        ("...", ""),
        ("?!", ""),
        ("*sighs*", ""),
        ("(laughs) 😀", ""),
        ("", ""),
    ],
)
def test_what_is_spoken(text: str, spoken: str) -> None:
    """Actions, tags, asides and symbols are left out; with nothing to say left, nothing is said."""
    assert spoken_text(text, ALL) == spoken


@pytest.mark.parametrize(
    ("text", "field", "kept"),
    [
        ("*a* b", "asterisks", "*a* b"),
        ("[a] b", "brackets", "[a] b"),
        ("(a) b", "parentheses", "(a) b"),
        ("<a> b", "angle_brackets", "<a> b"),
        ("a → b", "special_characters", "a → b"),
    ],
)
def test_each_filter_can_be_turned_off(text: str, field: str, kept: str) -> None:
    """What a filter would take stays when that filter is off (and no other takes it)."""
    assert spoken_text(text, NONE) == kept
    only = SpeechFilters(**{name: name == field for name in SpeechFilters.__dataclass_fields__})
    assert spoken_text(text, only) != kept


@given(st.text(max_size=200))
def test_spoken_text_is_speakable(text: str) -> None:
    """Whatever comes in: no symbols, no double spaces, nothing, or something with a letter or digit."""
    spoken = spoken_text(text, ALL)
    assert spoken == " ".join(spoken.split())
    assert not spoken or any(char.isalnum() for char in spoken)
    assert "*" not in spoken
    assert "<" not in spoken


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("[joy] Hi", [3]),
        ("[JOY][Sad] and [joy]", [3, "gloom", 3]),
        ("[anger] [jo y] joy", []),
        ("[[joy]]", [3]),
        ("[joy", []),
        ("", []),
    ],
)
def test_expressions_in_their_order(text: str, found: list[object]) -> None:
    """Each known tag gives its value, whatever its case; unknown ones give nothing."""
    assert expressions(text, {"joy": 3, "Sad": "gloom"}) == found
    assert expressions(text, {}) == []
