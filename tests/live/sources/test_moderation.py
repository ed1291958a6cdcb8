"""Tests of moderation: each rule, who is exempt, the rates, and texts made to slip through."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.live.sources.helpers import Clock, message

from greenroom.live.sources import moderation as module
from greenroom.live.sources.moderation import Moderation, ModerationRules, clean


def moderation(clock: Clock | None = None, **rules: object) -> Moderation:
    """A moderation with some rules changed."""
    return Moderation(ModerationRules(**rules), clock or Clock())  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("hello", None),
        ("", "empty"),
        (" \t\n ", "empty"),
        ("\u200b\u2060", "empty"),
        ("!uptime", "command"),
        ("！点歌", "command"),
        ("! what a day", None),
        ("!?", None),
        ("x " * 150, None),
        ("x " * 151, "length"),
        ("no" + "o" * 19, None),
        ("no" + "o" * 20, "repeats"),
        ("哈" * 21, "repeats"),
        ("ha" * 40, None),
        ("see https://example.org/x", "link"),
        ("see example.com", "link"),
        ("see EXAMPLE．COM", "link"),
        ("see www.example", "link"),
        ("free followers at big-follows.top now", "link"),
        ("go to foo.museum/free", "link"),
        ("join 10.0.0.1:8080", "link"),
        ("discord.gg/abc", "link"),
        ("version 3.11 is out... really", None),
        ("e.g. this, i.e. that", None),
        ("Wait.What", None),
        ("a damn fool", "word"),
        ("DAMN!", "word"),
        ("da\u200bmn", "word"),
        ("damnation", None),
    ],
)
def test_content(text: str, reason: str | None):
    """Each rule refuses what it is for, and lets ordinary talk pass."""
    judge = moderation(blocked_words=("damn",))
    verdict = judge.judge(message(text))
    assert verdict.reason == reason
    assert verdict.accepted is (reason is None)
    assert judge.refused == ({reason: 1} if reason else {})
    assert judge.accepted == (0 if reason else 1)


def test_what_passes_is_clean():
    """The accepted message is one clean line, its sender's name too; the rest is unchanged."""
    given_one = message("  he\x1b[31mllo \u202e  there\r\n", name="A\x00nn\x07")
    passed = moderation().judge(given_one).message
    assert passed is not None
    assert (passed.text, passed.sender_name) == ("he[31mllo there", "Ann")
    assert (passed.id, passed.sender_id, passed.at) == (given_one.id, given_one.sender_id, given_one.at)
    nameless = moderation().judge(message(name="\u200b")).message
    assert nameless is not None
    assert nameless.sender_name == "?"


def test_a_blocked_word_in_the_name():
    """A name is shown and read aloud: it is held to the same words."""
    verdict = moderation(blocked_words=("damn",)).judge(message("hi", name="Damn You"))
    assert (verdict.reason, verdict.detail) == ("word", "damn")


def test_rules_can_be_switched_off():
    """Links, commands, length and repeats pass where the rules say so."""
    judge = moderation(
        links=True, ignore_commands=False, max_length=0, max_repeats=0, sender_per_minute=0, per_minute=0
    )
    for text in ("https://example.org", "!uptime", "x y " * 300, "a" * 500):
        assert judge.judge(message(text)).accepted
    for _ in range(2000):
        assert judge.judge(message()).accepted


def test_owner_and_paid():
    """The owner may do anything but be silent; who paid is spared the rates, not the other rules."""
    judge = moderation(sender_per_minute=1, per_minute=1, blocked_words=("damn",))
    for _ in range(3):
        assert judge.judge(message("damn https://x.org " * 40, priority=2)).accepted
        assert judge.judge(message("thanks", priority=1, paid="100 bits")).accepted
    assert judge.judge(message("", priority=2)).reason == "empty"
    assert judge.judge(message("damn", priority=1, paid="100 bits")).reason == "word"
    assert judge.judge(message("see x.org", priority=1, paid="100 bits")).reason == "link"
    assert judge.judge(message("hi")).accepted, "those who are spared use up nobody's rate"
    assert judge.judge(message("hi")).reason == "sender-rate"


def test_rate_per_sender():
    """A sender has so many messages in any minute; others are not touched, refused ones do not count."""
    clock = Clock()
    judge = moderation(clock, sender_per_minute=3)
    for _ in range(3):
        assert judge.judge(message(sender="spammer")).accepted
        clock.pass_(10)
    assert judge.judge(message(sender="spammer")).reason == "sender-rate"
    assert judge.judge(message(sender="polite")).accepted
    clock.pass_(29.9)
    assert judge.judge(message(sender="spammer")).reason == "sender-rate"
    clock.pass_(0.1)
    assert judge.judge(message(sender="spammer")).accepted
    assert judge.judge(message(sender="spammer")).reason == "sender-rate"


def test_rate_of_all():
    """All senders together have a rate, too."""
    clock = Clock()
    judge = moderation(clock, per_minute=5)
    accepted = sum(judge.judge(message(sender=str(number))).accepted for number in range(50))
    assert (accepted, judge.refused) == (5, {"rate": 45})
    clock.pass_(60)
    assert judge.judge(message(sender="new")).accepted


def test_spam_uses_up_nobodys_rate():
    """What is refused for its content takes no place in the rates."""
    judge = moderation(per_minute=2, sender_per_minute=2)
    for _ in range(20):
        assert judge.judge(message("buy at example.com")).reason == "link"
    assert judge.judge(message("hi")).accepted


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch):
    """However many senders come, only so many are remembered; the longest silent go first."""
    monkeypatch.setattr(module, "MAX_SENDERS", 100)
    judge = moderation(per_minute=0, sender_per_minute=1)
    for number in range(1000):
        judge.judge(message(sender=str(number)))
    assert len(judge._senders) == 100
    assert judge.judge(message(sender="999")).reason == "sender-rate"


@given(st.text(max_size=200))
def test_clean_leaves_one_safe_line(text: str):
    """Whatever is sent, the cleaned text is one line without control characters, and cleaning is settled."""
    cleaned = clean(text)
    assert all(char.isprintable() or char == "\u200d" for char in cleaned)
    assert "  " not in cleaned
    assert cleaned == cleaned.strip()
    assert clean(cleaned) == cleaned


def test_a_huge_message_costs_little():
    """A text of a megabyte is cut before it is looked at."""
    assert moderation().judge(message("a b. " * 200_000)).reason == "length"
    assert len(clean("\u0300" * 1_000_000)) <= 2000


def test_emoji_stay_whole():
    """Emoji made of several characters are not taken apart."""
    family = "👨\u200d👩\u200d👧"
    passed = moderation().judge(message(family)).message
    assert passed is not None
    assert passed.text == family
