"""Tests of turn.py: what one turn sends, remembers and stores, on a real `ServiceContext`."""

from __future__ import annotations

import asyncio
import base64

import pytest
from tests.helpers.pictures import PICTURE
from tests.helpers.stage import Client, ScriptedStream, Stage, staged

from greenroom.agents.base import AgentError
from greenroom.history import HistoryBusy
from greenroom.voice import SpeechError

START = ["control start", "full-text Thinking..."]
END = ["force-new-message", "control end"]


async def asked(stage: Stage, client: Client, text: str = "Hi?") -> ScriptedStream:
    """The reply to a text; what was sent so far counts as seen."""
    await client.say(text)
    stream = await stage.stream()
    client.new()
    return stream


@staged
async def test_a_text_turn(stage: Stage) -> None:
    """Start, thinking, sentences, new message, end; nothing to play, so nothing to wait for."""
    client = await stage.open()
    await client.say("Hi?")
    assert client.kinds() == START
    reply = await stage.stream()
    assert reply.talk == [("user", "Hi?")]
    reply.token("Hel", "lo. ", "How are")
    await stage.settle()
    assert client.kinds() == ["audio Hello."]
    reply.token(" you?").end()
    await stage.settle()
    assert client.kinds() == ["audio How are you?", *END]
    assert client.memory == [("user", "Hi?"), ("assistant", "Hello. How are you?")]
    assert await client.history() == [("human", "Hi?"), ("ai", "Hello.How are you?")]
    assert stage.meter.turns == ["finished"]


@staged
async def test_the_white_space_between_sentences(stage: Stage) -> None:
    """It is told beside each sentence and stored beside the text; the model gets the reply back as it was."""
    client = await stage.open()
    reply = await asked(stage, client)
    written = "Two steps 👋🏽:\n\n- Boil.\n   - Stir.  你好。好。"
    reply.token("\n", *written, "\n").end()
    await stage.settle()
    sent = [message for message in client.new() if message["type"] == "audio"]
    texts = [message["display_text"]["text"] for message in sent]
    assert [message["before"] for message in sent] == ["", "\n\n", "\n   ", " ", ""]
    uid = client.context.history_uid
    await client.send("create-new-history")
    await client.send("fetch-and-set-history", history_uid=uid)
    (line,) = [one for one in client.new()[-1]["messages"] if one["role"] == "ai"]
    assert line["content"] == "".join(texts)
    for place, white in reversed(line["breaks"]):
        line["content"] = line["content"][:place] + white + line["content"][place:]
    assert line["content"] == "Two steps 👋🏽:\n\n- Boil.\n   - Stir. 你好。好。"
    assert client.memory[-1] == ("assistant", line["content"])


@staged
async def test_the_white_space_of_what_was_heard(stage: Stage) -> None:
    """A reply that was cut short keeps the white space inside the part that was heard; other words have none."""
    client = await stage.open()
    for heard, breaks in (("One.Two", [[4, "\n"]]), ("Quite other words.", None)):
        reply = await asked(stage, client)
        reply.token("One.\nTwo.\nThree. ")
        await stage.settle()
        await client.send("interrupt-signal", text=heard)
        await stage.settle()
        uid = client.context.history_uid
        assert uid is not None
        (stored,) = [
            line for line in await stage.histories.messages("uid_alpha", uid) if line.content == heard
        ]
        assert stored.breaks == (None if breaks is None else tuple((at, white) for at, white in breaks))


@staged
async def test_white_space_has_a_bound(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a reply with too many places none is kept: the text itself is."""
    monkeypatch.setattr("greenroom.conversation.turn.MAX_BREAKS", 2)
    client = await stage.open()
    for lines, kept in ((3, True), (4, False)):
        reply = await asked(stage, client)
        reply.token("Hm.\n" * lines).end()
        await stage.settle()
        uid = client.context.history_uid
        assert uid is not None
        stored = (await stage.histories.messages("uid_alpha", uid))[-1]
        assert stored.content == "Hm." * lines
        assert (stored.breaks is not None) == kept


@staged
async def test_the_fields_of_a_sentence(stage: Stage) -> None:
    """Name, avatar and expressions of the character; silent ones have no sound and no volumes."""
    client = await stage.open()
    reply = await asked(stage, client)
    reply.token("[joy] Hi [SAD]. ").end()
    await stage.settle()
    assert client.new()[0] == {
        "type": "audio", "audio": None, "volumes": [], "slice_length": 20,
        "display_text": {"text": "[joy] Hi [SAD].", "name": "Alpha", "avatar": "alpha.png"},
        "actions": {"expressions": [3, "gloom"]}, "forwarded": False, "before": "",
    }  # fmt: skip


@staged
async def test_a_turn_with_speech(stage: Stage) -> None:
    """All sound is sent before one backend-synth-complete, and the end waits for the playback."""
    client = await stage.open("delta.yaml")
    reply = await asked(stage, client)
    reply.token("One. ", "*nods* ", "Two. ", "(Three.)").end()
    await stage.settle()
    assert stage.voice.asked == ["One.", "Two."]
    stage.voice.done(2)
    await stage.settle()
    (one,) = client.new()
    assert base64.b64decode(one["audio"]) == b"WAV:One."
    assert (one["volumes"], one["slice_length"]) == ([0.5, 1.0], 20)
    stage.voice.done()
    await stage.settle()
    assert client.kinds() == ["audio *nods* Two.", "audio (Three.)", "backend-synth-complete"]
    await stage.advance(10)
    assert client.kinds() == []
    await client.send("frontend-playback-complete")
    assert client.kinds() == END
    assert await client.history() == [("human", "Hi?"), ("ai", "One.*nods* Two.(Three.)")]


@staged
async def test_thoughts_are_shown_and_not_spoken(stage: Stage) -> None:
    """In parentheses; the reply after them is spoken."""
    client = await stage.open("delta.yaml")
    stage.voice.auto = True
    reply = await asked(stage, client)
    reply.token("<think>Hm, ", "hm.</th", "ink>Yes. [joy]").end()
    await stage.settle()
    assert client.kinds() == [
        "audio (", "audio Hm, hm.", "audio )", "audio Yes.", "audio [joy]", "backend-synth-complete",
    ]  # fmt: skip
    assert stage.voice.asked == ["Yes."]


@staged
async def test_nothing_to_speak_means_nothing_to_wait_for(stage: Stage) -> None:
    """A reply of actions alone ends without backend-synth-complete."""
    client = await stage.open("delta.yaml")
    reply = await asked(stage, client)
    reply.token("*waves* (smiles)").end()
    await stage.settle()
    assert client.kinds() == ["audio *waves* (smiles)", *END]


@staged
async def test_an_empty_reply(stage: Stage) -> None:
    """It ends like any other; nothing is stored for it."""
    client = await stage.open()
    (await asked(stage, client)).end()
    await stage.settle()
    assert client.kinds() == END
    assert client.memory == [("user", "Hi?")]
    assert await client.history() == [("human", "Hi?")]


@staged
async def test_a_proactive_turn(stage: Stage) -> None:
    """The prompt goes to the agent, to neither memory nor history; the reply goes to both."""
    client = await stage.open()
    await client.send("ai-speak-signal", idle_time=30)
    assert client.kinds() == ["full-text AI wants to speak something...", *START]
    reply = await stage.stream()
    assert reply.talk == [("user", "Say something, Alpha.")]
    reply.token("Nice day.").end()
    await stage.settle()
    assert client.kinds() == ["audio Nice day.", *END]
    assert client.memory == [("assistant", "Nice day.")]
    assert await client.history() == [("ai", "Nice day.")]


@staged
async def test_images_go_to_the_agent(stage: Stage) -> None:
    """Pictures that were sent along reach the model with the message."""
    client = await stage.open()
    picture = PICTURE
    await client.say("", images=[picture])
    reply = await stage.stream()
    assert reply.request.messages[-1].images == (PICTURE["data"],)
    reply.end()


@staged
async def test_an_agent_that_fails_before_its_first_token(stage: Stage) -> None:
    """The client is told why, and the turn ends; the next one works."""
    client = await stage.open()
    (await asked(stage, client)).fail()
    await stage.settle()
    assert client.kinds() == ["error agent", *END]
    assert client.errors()[0]["message"] == (
        "Error processing agent response: The model fell over. Try again."
    )
    assert await client.history() == [("human", "Hi?")]
    (await asked(stage, client, "Again?")).token("Yes.").end()
    await stage.settle()
    assert client.kinds() == ["audio Yes.", *END]


@staged
async def test_an_agent_that_fails_in_mid_reply(stage: Stage) -> None:
    """What came before is shown to its end, remembered and stored."""
    client = await stage.open()
    (await asked(stage, client)).token("One. Two").fail()
    await stage.settle()
    assert client.kinds() == ["audio One.", "error agent", "audio Two", *END]
    assert client.memory == [("user", "Hi?"), ("assistant", "One. Two")]
    assert await client.history() == [("human", "Hi?"), ("ai", "One.Two")]


@staged
async def test_an_agent_that_fails_while_sentences_are_being_spoken(stage: Stage) -> None:
    """They are spoken to their end; no sound comes after backend-synth-complete."""
    client = await stage.open("delta.yaml")
    (await asked(stage, client)).token("One. Two. Thr").fail()
    await stage.settle()
    stage.voice.auto = True
    stage.voice.done()
    await stage.settle()
    assert client.kinds() == [
        "error agent", "audio One.", "audio Two.", "audio Thr", "backend-synth-complete",
    ]  # fmt: skip
    await client.send("frontend-playback-complete")
    assert client.kinds() == END


@staged
async def test_an_unforeseen_failure_ends_the_turn_too(stage: Stage) -> None:
    """The client gets an error without the server's internals, and the chain's end; the log says more."""
    stage.expect_errors("a turn failed")
    client = await stage.open()
    (await asked(stage, client)).fail(ZeroDivisionError("secret detail"))
    await stage.settle()
    assert client.kinds() == ["error None", *END]
    assert client.errors()[0]["message"] == (
        "Conversation error: ZeroDivisionError. The server's log says more."
    )
    assert "a turn failed" in stage.errors[0].getMessage()


@staged(turn_seconds=20)
async def test_a_reply_that_takes_too_long(stage: Stage) -> None:
    """It is stopped at its limit: the provider's stream ends, the client is told, the chain ends."""
    client = await stage.open()
    reply = await asked(stage, client)
    reply.token("One. ")
    await stage.advance(19.9)
    assert client.kinds() == ["audio One."]
    await stage.advance(0.2)
    assert reply.ended == "aborted"
    assert client.kinds() == ["error turn-timeout", *END]
    assert await client.history() == [("human", "Hi?"), ("ai", "One.")]


@staged(turn_seconds=20)
async def test_a_voice_that_takes_too_long(stage: Stage) -> None:
    """What was not spoken in time is shown silently, before the playback is waited for."""
    client = await stage.open("delta.yaml")
    reply = await asked(stage, client)
    reply.token("One. Two. Three. ").end()
    await stage.settle()
    stage.voice.done()
    await stage.advance(20)
    assert client.kinds() == [
        "audio One.", "error turn-timeout", "audio Two.", "audio Three.", "backend-synth-complete",
    ]  # fmt: skip
    assert stage.voice.speaking is None
    await client.send("frontend-playback-complete")
    assert client.kinds() == END


@staged(turn_seconds=20)
async def test_an_agent_that_is_never_ready(stage: Stage) -> None:
    """A turn waits for its agent no longer than its own limit."""
    stage.ready = False
    client = await stage.open()
    await client.say("Hi?")
    assert client.kinds() == START
    await stage.advance(20)
    assert client.kinds() == ["error turn-timeout", *END]


@pytest.mark.parametrize("times", [1, 10])
@staged
async def test_playback_answers_may_be_repeated(stage: Stage, times: int) -> None:
    """Ten answers end one turn, not the next one's wait as well when they come before it."""
    client = await stage.open("delta.yaml")
    stage.voice.auto = True
    (await asked(stage, client)).token("One.").end()
    await stage.settle()
    for _ in range(times):
        await client.send("frontend-playback-complete")
    assert client.kinds() == ["audio One.", "backend-synth-complete", *END]
    reply = await asked(stage, client, "And?")
    for _ in range(times):
        await client.send("frontend-playback-complete")
    reply.token("Two.").end()
    await stage.settle()
    assert client.kinds() == ["audio Two.", "backend-synth-complete"]
    assert len(client.context.message_handler) == 1
    await client.send("frontend-playback-complete")
    assert client.kinds() == END
    assert len(client.context.message_handler) == 0


@staged
async def test_an_answer_names_the_turn_it_is_for(stage: Stage) -> None:
    """A late answer to the turn before ends nothing; the right one does, and so does one without a name."""
    client = await stage.open("delta.yaml")
    stage.voice.auto = True

    async def spoken(text: str) -> str:
        (await asked(stage, client, text)).token("One.").end()
        await stage.settle()
        (complete,) = [one for one in client.new() if one["type"] == "backend-synth-complete"]
        return complete["request_id"]

    first = await spoken("First?")
    await client.send("frontend-playback-complete", request_id=first)
    assert client.kinds() == END
    second = await spoken("Second?")
    assert second != first
    await client.send("frontend-playback-complete", request_id=first)
    assert client.kinds() == []
    await client.send("frontend-playback-complete", request_id=second)
    assert client.kinds() == END
    await spoken("Third?")
    await client.send("frontend-playback-complete")
    assert client.kinds() == END


@staged(playback_grace_seconds=30)
async def test_a_client_that_never_answers(stage: Stage) -> None:
    """The turn ends by itself after the length of the sound and the grace time; a late answer is nothing."""
    client = await stage.open("delta.yaml")
    reply = await asked(stage, client)
    reply.token("One. ", "Two.").end()
    await stage.settle()
    stage.voice.done(5)
    await stage.settle()
    stage.voice.done(7)
    await stage.settle()
    client.new()
    await stage.advance(41.9)
    assert client.kinds() == []
    await stage.advance(0.2)
    assert client.kinds() == END
    await client.send("frontend-playback-complete")
    assert client.kinds() == []


@staged
async def test_sentences_that_cannot_be_spoken_are_shown(stage: Stage) -> None:
    """In their place; with no sound at all there is nothing to play."""
    client = await stage.open("delta.yaml")
    (await asked(stage, client)).token("One. Two.").end()
    await stage.settle()
    stage.voice.fail()
    await stage.settle()
    stage.voice.fail(SpeechError("no"))
    await stage.settle()
    assert client.kinds() == ["audio One.", "audio Two.", *END]
    sentences = [message for message in client.connection.messages if message["type"] == "audio"]
    assert [message["audio"] for message in sentences] == [None, None]


@staged
async def test_a_message_that_cannot_be_stored(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """The client is told that it is not safe, and gets its reply all the same."""
    stage.expect_errors("was not stored")
    client = await stage.open()

    def refuse(*_: object, **__: object) -> None:
        raise HistoryBusy("too much is waiting")

    monkeypatch.setattr(stage.histories, "append_nowait", refuse)
    await client.say("Hi?")
    (await stage.stream()).token("Yes.").end()
    await stage.settle()
    assert client.kinds() == ["error not-stored", *START, "audio Yes.", "error not-stored", *END]


@staged
async def test_a_store_that_is_slow(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """The turn waits two seconds for its message to be safe, then says so and goes on."""
    client = await stage.open()
    append = stage.histories.append_nowait

    def later(*_: str, **__: str | None) -> object:
        return asyncio.get_running_loop().create_future()

    monkeypatch.setattr(stage.histories, "append_nowait", later)
    await client.say("Hi?")
    assert client.kinds() == []
    await stage.advance(1.9)
    assert client.kinds() == []
    await stage.advance(0.2)
    assert client.kinds() == ["error not-stored", *START]
    monkeypatch.setattr(stage.histories, "append_nowait", append)
    (await stage.stream()).end()
    await stage.settle()
    assert client.kinds() == END


@staged
async def test_an_agent_error_is_told_as_it_is(stage: Stage) -> None:
    """Message and hint, both meant for the visitor."""
    client = await stage.open()
    (await asked(stage, client)).fail(AgentError("No key.", hint="Set OPENAI_API_KEY."))
    await stage.settle()
    assert client.errors()[0]["message"].endswith("No key. Set OPENAI_API_KEY.")
