"""Tests of turns.py."""

from __future__ import annotations

from tests.helpers.stage import Stage, staged


@staged
async def test_a_text_turn_in_the_order_of_the_protocol(stage: Stage) -> None:
    """A silent reply: start, thinking, sentences, new message, end; nothing to play."""
    client = await stage.open()
    await client.say("Hi?")
    reply = await stage.stream("alpha")
    reply.token("Hello. ", "How are", " you?").end()
    await stage.settle()
    assert client.kinds() == [
        "control start", "full-text Thinking...", "audio Hello.", "audio How are you?", "force-new-message",
        "control end",
    ]  # fmt: skip
    assert client.memory == [("user", "Hi?"), ("assistant", "Hello. How are you?")]
    assert await client.history() == [("human", "Hi?"), ("ai", "Hello.How are you?")]
