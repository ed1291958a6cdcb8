"""Whole sessions at random: whatever a visitor, an agent, a voice and a slow network do, the rules hold."""

from __future__ import annotations

import json
import re
from random import Random

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from tests.helpers.loop import settle
from tests.helpers.stage import Json, Stage, staged

from greenroom.agents.base import AgentError

FILES = ["alpha.yaml", "beta.yaml", "delta.yaml", "nobody.yaml"]
ACTIONS = [
    "say", "say", "say", "interrupt", "played", "new", "fetch", "delete", "speak", "bad",
    *("switch " + file for file in FILES),
    "token", "token", "token", "end", "end", "fail", "spoken", "spoken", "hoarse",
    "ready", "ready", "broken", "slow starts", "quick starts", "block", "unblock", "second", "minute", "tick",
]  # fmt: skip


class Session:
    """One client whose frames are read one after the other, as a read loop does."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.asked = 0
        self.interrupts = 0
        self.uids: list[str] = []
        self.frames: list[Json] = []
        self.reading = False

    async def open(self) -> None:
        self.client = await self.stage.open("delta.yaml")
        self.connection = self.client.connection

    def send(self, kind: str, **fields: object) -> None:
        self.frames.append({"type": kind, **fields})
        if not self.reading:
            self.reading = True
            self.stage.start(self._read())

    async def _read(self) -> None:
        while self.frames:
            await self.client.router.receive(json.dumps(self.frames.pop(0)))
        self.reading = False

    def last_heard(self) -> str:
        shown = [m["display_text"]["text"] for m in self.connection.messages if m["type"] == "audio"]
        return shown[-1] if shown else ""

    async def act(self, action: str) -> None:
        stage = self.stage
        streams = [stream for engine in stage.engines for stream in engine.streams if stream.ended is None]
        starting = [engine for engine in stage.engines if engine.state == "starting"]
        uid = self.client.context.history_uid
        if uid is not None and uid not in self.uids:
            self.uids.append(uid)
        match action:
            case "say":
                self.asked += 1
                self.send("text-input", text=f"q{self.asked}")
            case "interrupt":
                self.interrupts += 1
                self.send("interrupt-signal", text=self.last_heard())
            case "played":
                self.send("frontend-playback-complete")
            case "new":
                self.send("create-new-history")
            case "fetch" if self.uids:
                self.send("fetch-and-set-history", history_uid=self.uids[0])
            case "delete" if uid is not None:
                self.send("delete-history", history_uid=uid)
            case "speak":
                self.send("ai-speak-signal")
            case "bad":
                self.send("text-input")
            case "token":
                for stream in streams:
                    question = stream.request.messages[-1].content
                    answer = question.replace("q", "a") if question.startswith("q") else "unasked"
                    stream.token(f"{answer} *x*. {answer} more. ")
            case "end":
                for stream in streams:
                    stream.end()
            case "fail":
                for stream in streams:
                    stream.fail()
            case "spoken" if stage.voice.speaking:
                stage.voice.done()
            case "hoarse" if stage.voice.speaking:
                stage.voice.fail()
            case "ready" | "broken":
                for engine in starting:
                    if not engine._start.done():
                        engine.start_ends(AgentError("no") if action == "broken" else None)
            case "slow starts":
                stage.ready = False
            case "quick starts":
                stage.ready = True
            case "block":
                self.connection.block()
            case "unblock":
                self.connection.unblock()
            case "second":
                await stage.advance(1)
            case "minute":
                self.connection.unblock()
                await stage.advance(60)
            case _ if action.startswith("switch"):
                self.send("switch-config", file=action.removeprefix("switch "))

    async def finish(self) -> None:
        """Let everything come to its end: whoever waits is served."""
        stage = self.stage
        stage.ready = True
        stage.voice.auto = True
        self.connection.unblock()
        for _ in range(40):
            await self.act("ready")
            await self.act("spoken")
            await self.act("end")
            await stage.settle()
            self.send("frontend-playback-complete")
            await stage.settle()
        await stage.advance(200)

    def check_wire(self) -> None:
        """Chains do not overlap, sounds precede their one backend-synth-complete, each chain has an end."""
        inside = False
        complete = False
        started = ended = 0
        for message in self.connection.messages:
            kind, text = message["type"], message.get("text")
            if (kind, text) == ("control", "conversation-chain-start"):
                inside, complete = True, False
                started += 1
            elif (kind, text) == ("control", "conversation-chain-end"):
                assert inside, "an end without a beginning"
                inside = False
                ended += 1
            elif kind == "audio":
                assert inside, "a sentence outside of a turn"
                assert not complete, "a sentence after backend-synth-complete"
            elif kind == "backend-synth-complete":
                assert inside
                assert not complete, "backend-synth-complete twice"
                complete = True
        assert ended <= started
        assert started - ended <= self.interrupts, "a turn without an end that nobody interrupted"

    async def check_talks(self) -> None:
        """No answer stands in a conversation or a memory in which its question does not."""
        for conf_uid in ("uid_alpha", "uid_beta", "uid_delta"):
            page = await self.stage.histories.list(conf_uid)
            for entry in page.entries:
                check_talk(await self.stage.history(entry.uid, conf_uid), "human", "ai")
        agent = self.client.context.agent
        if agent is not None:
            check_talk([(m.role, m.content) for m in agent.memory.messages()], "user", "assistant")


def check_talk(lines: list[tuple[str, str]], asker: str, answerer: str) -> None:
    questions: set[str] = set()
    for role, content in lines:
        if role == asker and content.startswith("q"):
            questions.add(content[1:])
        elif role == answerer:
            answers = set(re.findall(r"a(\d+)", content))
            assert len(answers) <= 1, f"two replies in one: {content}"
            assert answers <= questions, f"{content!r} answers nothing of {lines}"


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(st.sampled_from(ACTIONS), max_size=50), st.randoms(use_true_random=False), st.booleans())
@example(["slow starts", "say", "switch beta.yaml", "new", "ready", "token", "end"], None, False)
@example(["say", "token", "fail", "spoken"], None, False)
@example(["block", *["say", "token"] * 10, "interrupt", "say", "unblock"], None, False)
@example(["say", "say", "new", "token", "end", "token"], None, False)
@example(["slow starts", "say", "delete", "switch alpha.yaml", "broken", "fetch", "ready"], None, False)
def test_any_session_keeps_the_rules(actions: list[str], dice: Random | None, leaves: bool) -> None:
    """Order on the wire, an end for each turn, talks that do not mix, and nothing left afterwards.

    `leaves`: the page is closed in the middle of all that.
    """

    @staged(outbox_messages=8)
    async def test(stage: Stage) -> None:
        session = Session(stage)
        await session.open()
        for action in actions:
            await session.act(action)
            if dice is None or dice.random() < 0.7:
                await stage.settle()
            elif dice.random() < 0.5:
                await settle()
        if leaves:
            await session.client.close()
            stage.assert_nothing_left()
            return
        await session.finish()
        session.check_wire()
        await session.check_talks()
        context = session.client.context
        if session.connection.dropped:
            return
        assert context.turns.current is None
        assert len(context.message_handler) == 0
        assert len(context.outbox) == 0
        assert context._earlier is None
        assert stage.pool.statistics().leased <= 1
        assert context.scope.statistics().running == 1, "only the writer is left"
        await session.client.send("heartbeat")
        assert session.client.kinds()[-1] == "heartbeat-ack"

    test()
