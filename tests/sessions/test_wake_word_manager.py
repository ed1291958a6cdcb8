"""Tests of wake_word_manager.py."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from greenroom.sessions.wake_word_manager import MAX_HEARD, WakeResult, WakeWordManager

WAKE = {
    "en": ["AI", "white", "hey white", "O'Brien"],
    "zh": ["小白", "你好小白"],
    "ja": ["ホワイト", "ねえホワイト", "さくら", "ガブ"],
}
END = {
    "en": ["end", "goodbye white", "that is all"],
    "zh": ["再见", "先这样吧"],
    "ja": ["さようなら", "またね"],
}


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def manager(clock: Clock | None = None, idle: float = 60) -> WakeWordManager:
    return WakeWordManager(WAKE, END, idle_seconds=idle, clock=clock or Clock())


def awake() -> WakeWordManager:
    made = manager()
    assert made.hear("white").action == "wake_up"
    return made


@pytest.mark.parametrize(
    ("text", "word", "language", "rest"),
    [
        ("white", "white", "en", None),
        ("White!", "white", "en", None),
        ("Hey, White - what time is it?", "hey white", "en", "what time is it?"),
        ("hey...   WHITE,tell me", "hey white", "en", "tell me"),
        ("hey-white: go", "hey white", "en", "go"),
        ("good morning white how are you", "white", "en", "how are you"),
        ("AI, sing", "AI", "en", "sing"),
        ("ai sing", "AI", "en", "sing"),
        ("ＡＩ　歌って", "AI", "en", "歌って"),
        ("你好AI，唱歌", "AI", "en", "唱歌"),
        ("AIさん、歌って", "AI", "en", "さん、歌って"),
        ("ＨＥＹ　Ｗｈｉｔｅ！ ok", "hey white", "en", "ok"),
        ("hey o'brien hi", "O'Brien", "en", "hi"),
        ("hey O’Brien hi", "O'Brien", "en", "hi"),
        ("小白小白", "小白", "zh", "小白"),
        ("小白，今天天气怎么样？", "小白", "zh", "今天天气怎么样？"),
        ("你好，小白！在吗", "你好小白", "zh", "在吗"),
        ("你好小白在吗", "你好小白", "zh", "在吗"),
        ("我说小白你在吗", "小白", "zh", "你在吗"),
        ("你好 小白 在吗", "你好小白", "zh", "在吗"),
        ("ホワイト、おはよう", "ホワイト", "ja", "おはよう"),
        ("ねえ、ホワイト。元気？", "ねえホワイト", "ja", "元気？"),
        ("ﾎﾜｲﾄ、おはよう", "ホワイト", "ja", "おはよう"),
        ("ホワイト・さん", "ホワイト", "ja", "さん"),
        ("ﾊｲ・ﾎﾜｲﾄ・ﾊｲ", "ホワイト", "ja", "ﾊｲ"),
        ("ホワイトさん元気", "ホワイト", "ja", "さん元気"),
        ("おーいさくらちゃん", "さくら", "ja", "ちゃん"),
        ("ｶﾞﾌﾞ、いい", "ガブ", "ja", "いい"),
        ("カ\u3099フ\u3099、いい", "ガブ", "ja", "いい"),
        ("(white) yes", "white", "en", "yes"),
        ("_white_ yes", "white", "en", "_ yes"),
        ("white " + "x" * 10_000, "white", "en", "x" * 10_000),
    ],
)
def test_a_wake_word_and_the_message_after_it(text: str, word: str, language: str, rest: str | None) -> None:
    """Width, case and marks between the parts do not matter; what follows goes on as the message."""
    heard = manager()
    assert heard.hear(text) == WakeResult("wake_up", rest, word, language)
    assert heard.state == "active"
    assert heard.stats() == {"wake_count": 1, "end_count": 0, "ignored_count": 0}


@pytest.mark.parametrize(
    "text",
    [
        "", " ", "hello", "I said so", "the main thing", "AIR", "Thai", "KAIA", "AI2", "2AI", "AIß",
        "whitest", "off-whitewash", "Whitehall", "hey whites", "white's book", "white’s", "naïveAI",
        "ホワイトボードに書く", "ホワイトニング", "スノーホワイト",
        "ﾎﾜｲﾄﾎﾞｰﾄﾞ", "小 黑", "白小", "很小。白色的", "ねえホワイトボード", "さ、く",
        "w h i t e", "wh1te", "!!!", "\u0000",
    ],
)  # fmt: skip
def test_what_is_no_wake_word(text: str) -> None:
    """Not inside of other words, in any script that shows where words end; katakana runs are not cut."""
    heard = manager()
    assert heard.hear(text) == WakeResult("ignored", None)
    assert heard.state == "listening"
    assert heard.stats()["ignored_count"] == 1


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("the end", "en"), ("END.", "en"), ("Ｅｎｄ", "en"), ("that, is all!", "en"),
        ("goodbye, White", "en"),
        ("好的，再见！", "zh"), ("那就先这样吧", "zh"), ("じゃあ、またね", "ja"), ("さようなら。", "ja"),
    ],
)  # fmt: skip
def test_end_words(text: str, language: str) -> None:
    """The character goes back to sleep, and the text stays here."""
    heard = awake()
    result = heard.hear(text)
    assert (result.action, result.message, result.language) == ("sleep", None, language)
    assert heard.state == "listening"
    assert heard.stats() == {"wake_count": 1, "end_count": 1, "ignored_count": 0}
    assert heard.hear("hello?").action == "ignored"


@pytest.mark.parametrize(
    "text",
    ["my friend", "weekend", "end's", "endless", "send it", "goodbye", "that is", "hey white again", "再 来"],
)
def test_everything_else_passes_while_it_is_awake(text: str) -> None:
    """Unchanged, with wake words in it and all."""
    heard = awake()
    assert heard.hear(text) == WakeResult("pass", text)
    assert heard.state == "active"


def test_it_falls_asleep_after_a_silence() -> None:
    """Without any text for longer than `idle_seconds`; each text begins the time anew."""
    clock = Clock()
    heard = manager(clock)
    heard.hear("white")
    for _ in range(5):
        clock.now += 60
        assert heard.hear("hello").action == "pass"
    clock.now += 60.1
    assert heard.hear("hello").action == "ignored"
    never = manager(clock, idle=0)
    never.hear("white")
    clock.now += 1e9
    assert never.hear("hello").action == "pass"


def test_without_usable_words_nothing_wakes_it() -> None:
    """Words of marks alone cannot be heard; they are no error."""
    heard = WakeWordManager({"en": ["...", ""], "zh": []}, {}, idle_seconds=1, clock=Clock())
    assert heard.hear("... hello").action == "ignored"


def test_the_longest_word_at_the_earliest_place_counts() -> None:
    """Of words that overlap the longer one is meant, of several in a text the first."""
    heard = WakeWordManager({"en": ["white", "white rabbit"]}, {}, idle_seconds=1, clock=Clock())
    assert heard.hear("white rabbit, come") == WakeResult("wake_up", "come", "white rabbit", "en")


@pytest.mark.parametrize(
    "text",
    [
        "hey " * 16_000, "hey" + " " * 60_000, "\ufdfa" * 21_000, "a" + "\u0301" * 60_000, "ｶﾞ" * 30_000,
        "小" * 20_000, "hey-" * 15_000 + "white", "o'" * 30_000,
    ],
)  # fmt: skip
def test_no_text_holds_up_the_loop(text: str) -> None:
    """Whatever fits in a message is looked through in a moment."""
    heard = manager()
    began = time.process_time()
    heard.hear(text)
    assert time.process_time() - began < 0.1


@given(st.text(max_size=100), st.sampled_from(["", "hey white ", "小白", "end "]))
def test_any_text_is_taken(text: str, first: str) -> None:
    """The message is always the end of what was said, and never empty."""
    heard = manager()
    result = heard.hear(first + text)
    assert (result.action == "wake_up") == (heard.state == "active")
    if result.message is not None:
        assert (first + text).rstrip().endswith(result.message)
        assert result.message.strip()
    assert len(first + text) <= MAX_HEARD
