"""Tests of one client's memory."""

from __future__ import annotations

from time import perf_counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from greenroom.agents.base import INTERRUPTED, ChatMessage
from greenroom.agents.memory import MAX_IMAGES, ChatMemory
from greenroom.agents.tokens import PER_MESSAGE, estimate_tokens


def said(memory: ChatMemory) -> list[tuple[str, str]]:
    return [(message.role, message.content) for message in memory.messages()]


def test_talk_in_order() -> None:
    """What is added comes out, oldest first."""
    memory = ChatMemory()
    memory.add_user("Hi")
    memory.add_assistant("Hello!")
    memory.add_user("Bye")
    assert said(memory) == [("user", "Hi"), ("assistant", "Hello!"), ("user", "Bye")]
    memory.clear()
    assert memory.messages() == ()
    assert memory.tokens == 0


def test_oldest_turn_goes_first_and_whole() -> None:
    """At the bound the oldest question goes together with its answer."""
    memory = ChatMemory(60)
    for number in range(10):
        memory.add_user(f"question {number}")
        memory.add_assistant(f"answer {number}, a little longer")
        assert memory.tokens <= 60
        assert memory.messages()[0].role == "user"
    assert said(memory)[-1] == ("assistant", "answer 9, a little longer")
    assert len(said(memory)) % 2 == 0


def test_longest_user_message_is_cut() -> None:
    """A user message longer than the bound stays, shortened, alone."""
    memory = ChatMemory(20)
    memory.add_user("old")
    memory.add_user("x" * 1000)
    assert said(memory) == [("user", "x" * (4 * (20 - PER_MESSAGE)))]
    memory.add_assistant("no room for this")
    assert len(said(memory)) == 1
    memory.add_user("new")
    assert said(memory) == [("user", "new")]


def test_monologue_is_bounded_too() -> None:
    """What the character says of itself are turns of their own: the newest stay."""
    memory = ChatMemory(100)
    memory.add_user("Go on.")
    for number in range(50):
        memory.add_assistant(f"thought {number}")
    assert memory.tokens <= 100
    assert said(memory)[-1] == ("assistant", "thought 49")


def test_interrupted_after_the_end() -> None:
    """A reply stored in full, but heard in part, is replaced by what was heard; no dots are added."""
    memory = ChatMemory()
    memory.add_user("Tell me.")
    memory.add_assistant("One. Two. Three.")
    memory.interrupted("One.")
    assert said(memory) == [("user", "Tell me."), ("assistant", "One."), ("user", INTERRUPTED)]


def test_interrupted_before_the_end() -> None:
    """A reply that was not stored yet is stored as heard; with nothing heard there is only the mark."""
    memory = ChatMemory()
    memory.add_user("Tell me.")
    memory.interrupted("One.", "system")
    assert said(memory) == [("user", "Tell me."), ("assistant", "One."), ("system", INTERRUPTED)]
    memory.add_user("Again.")
    memory.interrupted("")
    assert said(memory)[-2:] == [("user", "Again."), ("user", INTERRUPTED)]


def test_interrupted_reply_nobody_heard() -> None:
    """A stored reply of which nothing was heard is forgotten."""
    memory = ChatMemory()
    memory.add_user("Tell me.")
    memory.add_assistant("One.")
    memory.interrupted("")
    assert said(memory) == [("user", "Tell me."), ("user", INTERRUPTED)]


def test_only_the_last_message_keeps_images() -> None:
    """Images are forgotten with the next message, and too many are left out at once."""
    memory = ChatMemory()
    memory.add_user("Look", [f"data:image/png;base64,{i}" for i in range(MAX_IMAGES + 3)])
    assert len(memory.messages()[0].images) == MAX_IMAGES
    memory.add_assistant("Nice.")
    assert memory.messages()[0] == ChatMessage("user", "Look")


@pytest.mark.usefixtures("no_garbage_collection")
def test_load_takes_the_newest() -> None:
    """Loading a long history keeps its end, within the bound, and costs no more than that."""
    history = [ChatMessage("user" if i % 2 == 0 else "assistant", f"line {i}") for i in range(100_000)]
    memory = ChatMemory(200)
    memory.add_user("forgotten")
    began = perf_counter()
    memory.load(history)
    assert perf_counter() - began < 0.05
    kept = memory.messages()
    assert kept[-1].content == "line 99999"
    assert kept == tuple(history[-len(kept) :])
    assert 150 < memory.tokens <= 200


def test_load_keeps_marks() -> None:
    """An interruption mark in a history is no question."""
    history = [ChatMessage("user", "a"), ChatMessage("assistant", "b"), ChatMessage("user", INTERRUPTED)]
    memory = ChatMemory()
    memory.load(history)
    assert memory.messages() == tuple(history)


def test_bound_must_leave_room() -> None:
    """A bound that holds no message at all is refused."""
    with pytest.raises(ValueError, match="max_tokens"):
        ChatMemory(PER_MESSAGE)


@pytest.mark.usefixtures("no_garbage_collection")
def test_adding_costs_the_same_for_ever() -> None:
    """The ten-thousandth turn costs what the thousandth did."""
    memory = ChatMemory(8000)

    def batch() -> float:
        began = perf_counter()
        for number in range(1000):
            memory.add_user(f"question {number} of a long talk")
            memory.add_assistant(f"answer {number} of a long talk")
        return perf_counter() - began

    batch()
    early = min(batch() for _ in range(3))
    late = min(batch() for _ in range(6))
    assert late < 3 * early


texts = st.text(max_size=60)
steps = st.lists(
    st.one_of(
        st.tuples(st.just("user"), texts),
        st.tuples(st.just("assistant"), texts),
        st.tuples(st.just("interrupted"), texts),
        st.tuples(st.just("load"), st.lists(texts, max_size=6)),
        st.tuples(st.just("clear"), st.just("")),
    ),
    max_size=40,
)


@given(st.integers(PER_MESSAGE + 4, 80), steps)
def test_bounds_hold(bound: int, todo: list[tuple[str, str | list[str]]]) -> None:
    """Whatever happens: the count is exact and within the bound, and a new question is there."""
    memory = ChatMemory(bound)
    for what, text in todo:
        if isinstance(text, list):
            memory.load([ChatMessage("user" if i % 2 else "assistant", part) for i, part in enumerate(text)])
        elif what == "user":
            memory.add_user(text, ["data:image/png;base64,AA"])
            last = memory.messages()[-1]
            assert last.role == "user"
            assert last.images
            assert text.startswith(last.content)
            if estimate_tokens(text) + PER_MESSAGE <= bound:
                assert last.content == text
        elif what == "assistant":
            memory.add_assistant(text)
        elif what == "interrupted":
            memory.interrupted(text)
        else:
            memory.clear()
        messages = memory.messages()
        assert memory.tokens == sum(estimate_tokens(m.content) + PER_MESSAGE for m in messages) <= bound
        assert not any(m.images for m in messages[:-1])
        assert memory.last is (messages[-1] if messages else None)
