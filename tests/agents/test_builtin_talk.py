"""Tests of what the built-in voice says."""

from __future__ import annotations

import re
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from greenroom.agents.base import INTERRUPTED, ChatMessage, ChatRequest
from greenroom.agents.builtin_phrases import LANGUAGES, phrases_for
from greenroom.agents.builtin_talk import compose, stretch, tokens

from .helpers import ask

NOON = datetime(2026, 3, 5, 12, 34)


def sentences(text: str) -> int:
    return len([part for part in re.split(r"[.!?。！？]+[”」]?", text) if part.strip()])


@pytest.mark.parametrize(
    ("language", "talk", "words"),
    [
        ("en", ["My name is Bob.", "Hi", "What is my name?"], "Bob"),
        ("en-GB", ["Please call me Anna", "Hi", "I like tea.", "Oh", "do you know my name?"], "Anna"),
        ("zh-CN", ["我叫小明。", "好", "我叫什么名字？"], "小明"),
        ("ja", ["田中と申します。", "はい", "私の名前は何ですか？"], "田中"),
        ("ja", ["私は健太です", "はい", "私の名前を覚えていますか？"], "健太"),
        ("ja", ["私は健太です", "はい", "私は学生です", "はい", "私の名前は何ですか？"], "健太"),
        ("en", ["I saw a fox in the garden", "Oh", "What did I say before?"], "I saw a fox in the garden"),
        ("zh", ["我看到一只狐狸", "哦", "我刚才说了什么？"], "我看到一只狐狸"),
        ("ja", ["庭に狐がいました", "へえ", "さっき何を言いましたか？"], "庭に狐がいました"),
        ("en", ["One", "a", "Two", "b", "How many messages did I send?"], "3"),
        ("zh", ["一", "a", "我发了几条消息？"], "2"),
        ("ja", ["一", "a", "メッセージは何個ですか"], "2"),
        ("en", ["Hi", "Hi", "What time is it?"], "12:34"),
        ("zh", ["现在几点了？"], "12:34"),
        ("ja", ["今何時ですか？"], "12時34分"),
        ("en", ["Who are you?"], "Sakura"),
        ("zh", ["你是谁？"], "Sakura"),
        ("ja", ["あなたは誰ですか？"], "Sakura"),
        ("en", ["Are you ChatGPT?"], "no language model"),
        ("en", ["Write me a poem about spring"], "real language model"),
        ("zh", ["帮我写一首诗"], "真正的语言模型"),
        ("ja", ["詩を書いてください"], "本物の言語モデル"),
        ("en", ["Hello!"], "Hello"),
        ("zh", ["你好"], "你好"),
        ("ja", ["こんにちは"], "こんにちは"),
        ("en", ["x", "y", "Thank you!"], "welcome"),
        ("zh", ["谢谢"], "不用客气"),
        ("ja", ["ありがとう"], "どういたしまして"),
        ("en", ["Bye!"], "Goodbye"),
        ("zh", ["再见"], "再见"),
        ("ja", ["さようなら"], "さようなら"),
        ("en", ["What can you do?"], "chat with me"),
        ("zh", ["你会做什么？"], "聊"),
        ("ja", ["何ができますか"], "話しかけて"),
        ("fr", ["J'aime le fromage"], "J'aime le fromage"),
    ],
)
def test_understands(language: str, talk: list[str], words: str) -> None:
    """It answers simple things, in the language asked for, and remembers the talk."""
    assert words in compose(ask(*talk, language=language), lambda: NOON)


@pytest.mark.parametrize("language", LANGUAGES)
def test_says_what_it_is_once(language: str) -> None:
    """The first reply says that it is the built-in voice; later ones do not."""
    intro = phrases_for(language).intro
    assert intro in compose(ask("Blue!", language=language))
    assert intro not in compose(ask("Blue!", "Hm.", "Green!", language=language))


def test_name_of_the_page_counts_unless_told_otherwise() -> None:
    """A human name given with the request is known; one that the user tells wins."""
    assert "Ann" in compose(ask("x", "y", "What's my name?", human="Ann"))
    assert "Bob" in compose(ask("Call me Bob", "y", "What's my name?", human="Ann"))
    assert "not told" in compose(ask("x", "y", "What's my name?"))


def test_pictures_and_silence() -> None:
    """A picture is acknowledged, an empty message or an empty talk gets an answer too."""
    picture = ChatMessage("user", "Look", ("data:image/png;base64,AA",))
    assert "picture" in compose(ChatRequest("", (picture,)))
    assert "quiet" in compose(ask(" "))
    assert "quiet" in compose(ChatRequest("", ()))


def test_interruption_mark_is_nobodys_words() -> None:
    """The mark of an interruption is neither counted nor quoted."""
    talk = [
        ChatMessage("user", "A fox!"),
        ChatMessage("assistant", "Oh."),
        ChatMessage("user", INTERRUPTED),
        ChatMessage("user", "What did I say?"),
    ]
    assert "A fox" in compose(ChatRequest("", talk))


def test_braces_of_the_user_stay() -> None:
    """What looks like a placeholder in the user's words is left alone."""
    reply = compose(ask("x", "y", "I like {name} and {me}"))
    assert "{name} and {me}" in reply


@given(st.text(max_size=500), st.sampled_from(["en", "zh", "ja", "de"]), st.integers(0, 4))
def test_any_text_gets_the_same_fair_answer(text: str, language: str, turn: int) -> None:
    """Any text at all gets 2 to 4 sentences of bounded length, and the same ones when asked again."""
    talk = ask(*["before", "answer"] * turn, text, language=language)
    reply = compose(talk, lambda: NOON)
    assert reply == compose(talk, lambda: NOON)
    assert len(reply) < 600
    assert "".join(tokens(reply)) == reply


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    "text", ["I went to the sea", "Why is it blue?", "雨が降る", "我喜欢猫", "hello", "bye"]
)
def test_length_in_sentences(language: str, text: str) -> None:
    """A reply is 2 to 4 sentences long."""
    for turn in range(4):
        assert 2 <= sentences(compose(ask(*["before", "answer"] * turn, text, language=language))) <= 5


@given(
    st.sampled_from(["Hello, big world. Bye!", "你好，世界。", "猫 and dog が好き。"]), st.integers(1, 200)
)
def test_stretch_is_exact(text: str, words: int) -> None:
    """Replies of a set length have exactly that many tokens and end like a sentence."""
    long = stretch(text, words)
    assert len(tokens(long)) == words
    assert long[-1] in ".!?。！？"
