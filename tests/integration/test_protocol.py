"""The wire protocol against a real server: order, turns, interruption, switches, bad input."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from time import perf_counter
from typing import Any

import pytest
import pytest_asyncio
from tests.helpers.olv_client import END, GREETING, OPENING_REPLIES, OlvClient, shape
from tests.helpers.server_process import FAST, ServerProcess, eventually, slow

TURN = [
    "control conversation-chain-start",
    "full-text",
    "audio",
    "force-new-message",
    "control conversation-chain-end",
]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ServerProcess]:
    """A server with a fast character first, a slow one, and two that take 5 s to load."""
    characters: dict[str, Any] = {
        "slow.yaml": {"agent": slow(words=400)},
        "heavy.yaml": {"agent": slow(init_seconds=5)},
        "heavier.yaml": {"agent": slow(init_seconds=5.5)},
        "spoken.yaml": {"agent": FAST, "voice": {"tts": {"engine": "tone", "seconds_per_sentence": 0.02}}},
    }
    async with ServerProcess(
        tmp_path_factory.mktemp("protocol"), {"agent": FAST}, characters=characters
    ) as running:
        yield running
        assert not running.complaints()


def once(shapes: list[str]) -> list[str]:
    """Without repetitions of the same shape in a row: how many sentences a reply has is the agent's affair."""
    return [kind for index, kind in enumerate(shapes) if index == 0 or shapes[index - 1] != kind]


async def test_a_page_opens(server: ServerProcess) -> None:
    """Five messages greet; the four messages of a page are answered in order."""
    async with OlvClient(server.ws_url) as page:
        messages = await page.open()
        assert [m["type"] for m in messages] == GREETING + OPENING_REPLIES
        hello = messages[2]
        assert hello["conf_name"] == "White"
        assert hello["client_uid"]
        names = {c["name"]: c["filename"] for c in messages[6]["configs"]}
        assert names["White"] == "white.yaml"
        assert names["heavy"] == "heavy.yaml"


async def test_a_turn(server: ServerProcess) -> None:
    """A silent turn: start, thinking, sentences, new bubble, end; nothing follows."""
    async with OlvClient(server.ws_url) as page:
        await page.open()
        reply = await page.ask("Hello there")
        assert once([shape(m) for m in reply.messages]) == TURN
        assert reply.messages[1]["text"] == "Thinking..."
        assert reply.text
        await page.send("heartbeat")
        assert (await page.receive())["type"] == "heartbeat-ack"


async def test_a_spoken_turn(server: ServerProcess) -> None:
    """A spoken turn has sound, exactly one `backend-synth-complete` after all of it, and ends after playback."""
    async with OlvClient(server.ws_url) as page:
        await page.open()
        await page.send("switch-config", file="spoken.yaml")
        await page.until("config-switched")
        reply = await page.ask("Hello there")
        spoken = [*TURN[:3], "backend-synth-complete", *TURN[3:]]
        assert once([shape(m) for m in reply.messages]) == spoken
        assert sum(m["type"] == "backend-synth-complete" for m in reply.messages) == 1
        assert any(m["type"] == "audio" and m["audio"] for m in reply.messages)


async def test_playback_answers_may_be_late_and_repeated(server: ServerProcess) -> None:
    """Ten `frontend-playback-complete`, some before and some after their time, change nothing."""
    async with OlvClient(server.ws_url) as page:
        await page.open()
        for _ in range(10):
            await page.send("frontend-playback-complete")
        reply = await page.ask("Hello")
        for _ in range(10):
            await page.send("frontend-playback-complete", request_id=7)
        again = await page.ask("Hello again")
        assert [shape(m) for m in reply.messages][-2:] == [shape(m) for m in again.messages][-2:]


async def test_a_proactive_turn(server: ServerProcess) -> None:
    """`ai-speak-signal` makes the character speak; only the reply is stored."""
    async with OlvClient(server.ws_url) as page:
        await page.open()
        await page.send("ai-speak-signal", idle_time=-1)
        messages = (await page.reply(perf_counter())).messages
        assert messages[0] == {"type": "full-text", "text": "AI wants to speak something..."}
        assert once([shape(m) for m in messages[1:]]) == TURN
        await page.send("fetch-and-set-history", history_uid=page.history_uid)
        stored = (await page.until("history-data"))[-1]["messages"]
        assert [m["role"] for m in stored] == ["ai"]


async def test_several_messages_at_once_are_answered_one_after_another(server: ServerProcess) -> None:
    """Three messages in one breath: three whole turns in order, none lost, none mixed."""
    async with OlvClient(server.ws_url) as page:
        await page.open()
        for number in range(3):
            await page.send("text-input", text=f"My name is Bob{number}", images=[])
        shapes: list[str] = []
        texts = []
        for _ in range(3):
            reply = await page.reply(perf_counter())
            shapes += once([shape(m) for m in reply.messages])
            texts.append(reply.text)
        assert shapes == TURN * 3
        assert ["Bob0" in texts[0], "Bob1" in texts[1], "Bob2" in texts[2]] == [True] * 3


async def test_too_many_messages_are_refused_with_a_reason(server: ServerProcess) -> None:
    """One runs, three wait; the fifth is told that the character is busy, and the connection goes on."""
    async with OlvClient(server.ws_url) as page:
        await page.open()
        await page.send("switch-config", file="slow.yaml")
        await page.until("config-switched")
        for number in range(5):
            await page.send("text-input", text=f"Message {number}", images=[])
        refused = (await page.until("error"))[-1]
        assert refused["code"] == "busy"
        assert "Interrupt" in refused["message"]
        await page.send("interrupt-signal", text="")
        await page.round_trip()


async def test_nothing_of_an_interrupted_turn_follows(server: ServerProcess) -> None:
    """After an interruption only the next turn speaks; what was heard is what is stored."""
    async with OlvClient(server.ws_url) as page:
        await page.open()
        await page.send("switch-config", file="slow.yaml")
        await page.until("config-switched")
        await page.send("create-new-history")
        page.history_uid = (await page.until("new-history-created"))[-1]["history_uid"]
        await page.send("text-input", text="Tell me something long", images=[])
        first = (await page.until("audio"))[-1]["display_text"]["text"]
        await page.send("interrupt-signal", text=first)
        await page.send("heartbeat")
        between = await page.until("heartbeat-ack")
        # Sentences that were on the wire before the interruption may arrive before the answer, no end of a turn.
        assert {m["type"] for m in between} <= {"audio", "heartbeat-ack"}
        await page.send("heartbeat")
        assert (await page.receive())["type"] == "heartbeat-ack"
        await page.send("fetch-and-set-history", history_uid=page.history_uid)
        stored = (await page.until("history-data"))[-1]["messages"]
        assert [(m["role"], m["content"]) for m in stored] == [
            ("human", "Tell me something long"),
            ("ai", first),
        ]


async def test_an_interrupt_of_nothing_is_nothing(server: ServerProcess) -> None:
    """An interruption without a turn is no error, and the next turn is whole."""
    async with OlvClient(server.ws_url) as page:
        await page.open()
        await page.send("interrupt-signal", text="heard")
        reply = await page.ask("Hello")
        assert once([shape(m) for m in reply.messages]) == TURN


async def test_a_switch_is_answered_while_another_loads(server: ServerProcess) -> None:
    """While an init of 5 s runs, a switch is answered within 20 ms (median of ten)."""
    async with OlvClient(server.ws_url) as page:
        await page.open()
        taken = []
        for number in range(10):
            file = ("heavy.yaml", "heavier.yaml")[number % 2]
            began = perf_counter()
            await page.send("switch-config", file=file)
            messages = await page.until("config-switched")
            taken.append(perf_counter() - began)
            assert [m["type"] for m in messages] == ["set-model-and-conf", "config-switched"]
            assert file in messages[-1]["message"]
            await asyncio.sleep(0.01)
        assert sorted(taken)[5] < 0.02, taken


async def test_a_hundred_switches_leave_one_init(server: ServerProcess) -> None:
    """Of a hundred switches in a row one init is alive, one result is installed, and all others were cancelled."""
    async with OlvClient(server.ws_url) as page:
        await page.open()
        before = (await server.statistics())["engines"]
        for number in range(100):
            await page.send("switch-config", file=("heavy.yaml", "heavier.yaml")[number % 2])
        names = []
        for _ in range(100):
            found = await page.until("config-switched")
            names.append(next(m for m in found if m["type"] == "set-model-and-conf")["conf_name"])
        assert names == ["heavy", "heavier"] * 50

        async def settled() -> dict[str, Any] | None:
            found = (await server.statistics())["engines"]
            return found if found["starting"] == 1 else None

        alive = await eventually("one init alive", settled, 1)
        assert alive["starts_finished"] == before["starts_finished"]
        inits = [t for t in await server.tasks() if "init" in t["name"]]
        assert len(inits) == 1, inits
        reply = await page.ask("Who are you?", seconds=12)
        assert any(m["type"] == "audio" and m["display_text"]["name"] == "heavier" for m in reply.messages)
        after = (await server.statistics())["engines"]
        assert after["starting"] == 0
        assert after["starts_finished"] == before["starts_finished"] + 1
        done = after["starts_finished"] + after["starts_cancelled"] + after["starts_failed"]
        assert done == after["starts_begun"]


async def test_a_switch_to_nothing(server: ServerProcess) -> None:
    """An unknown file is an `error` followed by the character that is still there; the talk goes on."""
    async with OlvClient(server.ws_url) as page:
        await page.open()
        for file in ("nobody.yaml", "../data/characters/heavy.yaml", "/etc/passwd", "white.yaml\x00"):
            await page.send("switch-config", file=file)
            error, again = await page.receive(), await page.receive()
            assert error["type"] == "error"
            assert again["type"] == "set-model-and-conf"
            assert again["conf_name"] == "White"
        assert (await page.ask("Hello")).text


async def test_a_failed_init_brings_the_earlier_character_back(tmp_path: Path) -> None:
    """An init that takes too long is an `error`; the character before it is announced again and answers."""
    settings = {"agent": FAST, "limits": {"init_seconds": 0.2}}
    characters = {"heavy.yaml": {"agent": slow(init_seconds=30)}}
    async with (
        ServerProcess(tmp_path, settings, characters=characters) as server,
        OlvClient(server.ws_url) as page,
    ):
        await page.open()
        await page.ask("Hello")
        await page.send("switch-config", file="heavy.yaml")
        await page.until("config-switched")
        error = (await page.until("error"))[-1]
        assert error["code"] == "init-failed"
        assert "heavy" in error["message"]
        assert (await page.receive())["conf_name"] == "White"
        assert (await page.ask("Are you back?")).text


BAD = [
    "",
    "{",
    "null",
    "[]",
    "42",
    '"text"',
    "{}",
    '{"type":null}',
    '{"type":7}',
    '{"type":"no-such-type"}',
    '{"type":"text-input"}',
    '{"type":"text-input","text":7}',
    '{"type":"text-input","text":""}',
    '{"type":"text-input","text":"hi","images":"none"}',
    '{"type":"text-input","text":"hi","images":[{"source":"camera"}]}',
    '{"type":"switch-config","file":{"a":1}}',
    '{"type":"fetch-and-set-history"}',
    '{"type":"delete-history","history_uid":["x"]}',
    '{"type":"mic-audio-data","audio":"no numbers"}',
    '{"type":"interrupt-signal","text":null}',
    '{"type":"add-client-to-group","invitee_uid":"nobody"}',
    '{"type":"heartbeat"' + " " * 10_000,
    "[" * 5_000,
    '{"type":"text-input","text":"' + "x" * 70_000 + '"}',
    b"\x00\x01\x02",
    b"\xff\xfe",
    b'{"type":"request-group-info"}',
]


async def test_bad_input_never_closes_the_socket(server: ServerProcess) -> None:
    """Whatever nonsense comes, the connection stays and the next message is answered."""
    async with OlvClient(server.ws_url) as page:
        await page.open()
        for data in BAD:
            await page.send_raw(data)
            await page.round_trip()
        reply = await page.ask("Still there?")
        assert reply.messages[-1] == END


async def test_errors_name_field_and_fix(server: ServerProcess) -> None:
    """An invalid message is answered with an `error` that names the field."""
    async with OlvClient(server.ws_url) as page:
        await page.open()
        await page.send_raw('{"type":"text-input","text":7}')
        error = await page.receive()
        assert error["type"] == "error"
        assert error["field"] == "text"
        await page.send("text-input", text="x" * 70_000, images=[])
        error = await page.receive()
        assert error["code"] == "too-large"
        assert "65536" in error["message"]


async def test_a_flood_is_slowed_down_not_cut(server: ServerProcess) -> None:
    """A client that sends too fast is told once and read slowly; another page notices nothing."""
    async with OlvClient(server.ws_url) as flood, OlvClient(server.ws_url) as bystander:
        await flood.open()
        await bystander.open()
        for _ in range(130):
            await flood.send("heartbeat")
        slowest = max([await bystander.round_trip() for _ in range(20)])
        answered, told = 0, []
        while answered < 130:
            message = await flood.receive()
            answered += message["type"] == "heartbeat-ack"
            told += [message["code"]] if message["type"] == "error" else []
        # Once for each time that it was too fast: where sending takes its time, that is more than one.
        assert set(told) == {"too-fast"}
        assert len(told) <= 5
        assert slowest < 0.1


async def test_two_pages_do_not_share_a_memory(server: ServerProcess) -> None:
    """What one page tells the character, another page's character does not know."""
    async with OlvClient(server.ws_url) as one, OlvClient(server.ws_url) as two:
        await one.open()
        await two.open()
        await one.ask("My name is Zacharias")
        assert "Zacharias" in (await one.ask("What is my name?")).text
        assert "Zacharias" not in (await two.ask("What is my name?")).text


async def test_histories_of_pages(server: ServerProcess) -> None:
    """Empty histories are never stored; others are listed newest first, open with their talk, can be deleted."""
    async with OlvClient(server.ws_url) as page:
        await page.open()
        await page.send("create-new-history")
        empty = (await page.until("new-history-created"))[-1]["history_uid"]
    async with OlvClient(server.ws_url) as page:
        stored = [h["uid"] for h in (await page.open())[7]["histories"]]
        assert empty not in stored
        await page.ask("The first talk")
        first = page.history_uid
    async with OlvClient(server.ws_url) as page:
        opened = await page.open()
        assert [h["uid"] for h in opened[7]["histories"]] == [first, *stored]
        await page.send("fetch-and-set-history", history_uid=first)
        data = (await page.until("history-data"))[-1]
        assert [m["role"] for m in data["messages"]] == ["human", "ai"]
        await page.send("delete-history", history_uid=first)
        assert (await page.until("history-deleted"))[-1]["success"] is True
        await page.send("fetch-history-list")
        assert [h["uid"] for h in (await page.until("history-list"))[-1]["histories"]] == stored


async def test_messages_in_every_legal_form(server: ServerProcess) -> None:
    """Unknown fields and a `request_id` on any message do no harm."""
    async with OlvClient(server.ws_url) as page:
        await page.open()
        await page.send_raw(json.dumps({"type": "heartbeat", "request_id": "a", "future": {"x": [1]}}))
        assert (await page.receive())["type"] == "heartbeat-ack"
        await page.send("fetch-backgrounds", request_id=9)
        assert (await page.receive())["type"] == "background-files"
