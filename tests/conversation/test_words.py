"""Tests of words.py."""

from __future__ import annotations

import re
import unicodedata
from itertools import pairwise
from time import perf_counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from greenroom.conversation.words import WordList

CASES = [
    ("ass", "what an ass!", True),
    ("ass", "a classic class", False),
    ("ass", "ASS", True),
    ("ass", "ＡＳＳ", True),
    ("bad word", "a BAD-word here", True),
    ("bad word", "a badly worded text", False),
    ("傻瓜", "你是傻瓜吗", True),
    ("バカ", "バカだ", True),
    ("バカ", "バカンスに行く", False),
    ("spam", "これはspamです", True),
    ("c++", "i like c", True),
    ("don't", "I don't", True),
    ("don", "I don't", False),
    ("don", "the 'don' of it", True),
    ("傻瓜", "傻，瓜", False),
    ("大傻瓜", "大，傻-瓜", True),
    ("大傻瓜", "大的傻瓜", False),
    ("spam广告", "sp am广告", False),
    ("spam广告", "spam 广告", True),
    ("バカ", "ﾊﾞｶだ", True),
    ("바보", "\u1107\u1161\u1107\u1169!", True),
    ("café", "a cafe\u0301 here", True),
    ("x", "", False),
]


@pytest.mark.parametrize(("word", "text", "found"), CASES)
def test_whole_words(word: str, text: str, found: bool):
    """A word is found where it stands alone, whatever its case and width."""
    assert (WordList([word]).find(text) is not None) is found


def fold(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold()


def wide(char: str) -> bool:
    return "\u3040" <= char <= "\u9fff"


def spread(part: str) -> str:
    """A part's pattern: in one of more than two characters there may be marks beside a wide one."""
    pattern = re.escape(part[0])
    for before, char in pairwise(part):
        loose = len(part) > 2 and (wide(before) or wide(char))
        pattern += (r"[\W_]*" if loose else "") + re.escape(char)
    return pattern


@given(
    st.text("abＡカナ漢字バ가 -!'_", min_size=1, max_size=6),
    st.text("abＡカナ漢字バ가 -!'_xß", max_size=30),
)
@settings(max_examples=300)
def test_like_a_regular_expression(word: str, text: str):
    """The look-up finds what the rule, written down as a regular expression, finds."""
    parts = re.findall(r"[^\W_]+", fold(word))
    found = WordList([word]).find(text)
    if not parts:
        assert found is None
        return
    edge = {"ア": "ァ-ヺー-ヿ", "a": r"^\W_\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af"}
    first, last = (
        "ア" if "ァ" <= char <= "ヺ" else "" if wide(char) else "a" for char in (parts[0][0], parts[-1][-1])
    )
    pattern = r"[\W_]*".join(map(spread, parts))
    pattern = (f"(?<![{edge[first]}])" if first else "") + pattern
    pattern += f"(?!['’]?[{edge[last]}])" if last else ""
    expected = re.search(pattern, fold(text))
    assert (found and found.text) == (expected and expected.group())
    if found:
        assert fold(text[found.start : found.end]) == found.text
        assert found.word == word


def named(words: WordList, text: str) -> str:
    found = words.find(text)
    return found.word if found else ""


def test_where_it_stands():
    """The place is counted in the text as it was sent, however long its letters are when folded."""
    found = WordList(["ＡＢ cd", "ab-CD"]).find("ﬀ ﾊﾞ ＡＢ，ＣＤ！")
    assert found == ("ＡＢ cd", "ab,cd", 5, 10)


def test_which_one():
    """The first in the text is named, the fuller one of two that begin alike; an empty list finds nothing."""
    words = WordList(["one", "one two", "three", "...", ""])
    assert len(words) == 3
    assert named(words, "then three, one two") == "three"
    assert named(words, "say one two three") == "one two"
    assert WordList([]).find("anything") is None
    assert WordList(["!!"]).find("!!") is None


def test_a_long_list_costs_little():
    """Thousands of words are ready at once, and a message costs no more than a glance."""
    began = perf_counter()
    words = WordList(
        [*(f"word{number}x" for number in range(5000)), *(f"坏{number}" for number in range(5000))]
    )
    for _ in range(20):
        assert words.find("nothing of that kind 好话 word " * 10) is None
    # As one regular expression it took 19 seconds and 0.04 for each message.
    assert perf_counter() - began < 2
    assert named(words, "but word4999x is") == "word4999x"
    assert named(words, "真坏4999!") == "坏4999"
