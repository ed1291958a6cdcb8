"""Canaries: secrets are planted everywhere, all kinds of errors provoked, and every output searched for them."""

from __future__ import annotations

import contextlib
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from tests.agents.fault_provider import FaultProvider, cut_after, garbage, ok, stall_after, status
from tests.helpers.server_process import ServerProcess
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidHandshake

CANARIES = {
    "visitors' token": "canary-visitor-0123456789",
    "ops token": "canary-operator-9876543210",
    "bot's token": "canary-bot-abcdefghijklmnop",
    "key in the environment": "sk-canary-environ-0123456789",
    "key in a character": "sk-canary-character-0123456789",
    "persona": "canary-persona: you are secretly afraid of canaries",
    "source's password": "canary-irc-password-0123456789",
    "wrong token": "canary-wrong-token-0123456789",
    "words of a visitor": "canary-words of a visitor",
}
TOKEN, OPS = CANARIES["visitors' token"], CANARIES["ops token"]
WORDS = CANARIES["words of a visitor"]
BOT, PASSWORD = CANARIES["bot's token"], CANARIES["source's password"]


def found_in(output: str, *, but: tuple[str, ...] = ()) -> list[str]:
    """The names of canaries that an output holds, as they are, inside JSON, and inside an address."""
    return [
        name
        for name, value in CANARIES.items()
        if name not in but
        and any(form in output for form in (value, json.dumps(value)[1:-1], quote(value, safe="")))
    ]


def echoing(code: int) -> Any:
    """A provider that repeats in its error what it was sent."""
    key, persona = CANARIES["key in a character"], CANARIES["persona"]
    return status(code, f"Incorrect API key provided: {key}, for {persona}")


INSIDE = (
    "/metrics", "/ops/state", "/ops/tree", "/ops/tasks.json?stacks=1", "/ops/statistics.json", "/ops/export",
    "/health/ready", "/ops", "/", "/ops/nothing", "/ops/tree?after=x", "/ops/tasks/x/stack",
)  # fmt: skip


async def talk(url: str, *characters: str) -> str:
    """All frames of a visitor who talks to each of them, and sends nonsense with secrets in it."""
    frames: list[str] = []
    async with connect(url, ping_interval=None, max_size=None) as page:

        async def until(kind: str, text: str = "") -> None:
            while True:
                frames.append(str(await page.recv()))
                message = json.loads(frames[-1])
                if message["type"] == kind and (not text or message.get("text") == text):
                    return

        for name in characters:
            await page.send(json.dumps({"type": "switch-config", "file": name}))
            await page.send(json.dumps({"type": "text-input", "text": WORDS, "images": []}))
            await until("control", "conversation-chain-end")
        for odd in (
            "{",
            '{"type": 5}',
            '{"type": "text-input", "text": 5}',
            '{"type": "fetch-configs", "x": NaN}',
        ):
            await page.send(odd)
            await until("error")
        await page.send(json.dumps({"type": "switch-config", "file": "../x.yaml"}))
        await until("error")
        await page.send(json.dumps({"type": "interrupt-signal", "text": WORDS}))
        await page.send(json.dumps({"type": "heartbeat"}))
        await until("heartbeat-ack")
    return "\n".join(frames)


async def views(server: ServerProcess) -> str:
    """Everything that HTTP shows: the inside with the ops token, and all refusals."""
    seen: list[str] = []
    ops = {"Authorization": f"Bearer {OPS}"}
    async with httpx.AsyncClient(base_url=server.url) as web:
        seen.append((await web.get("/")).text)
        for path in INSIDE:
            answer = await web.get(path, headers=ops)
            seen += [answer.text, str(answer.headers)]
        tree = (await web.get("/ops/tree", headers=ops)).text
        tasks = re.findall(r'"id":\s*"?([\w.-]+)', tree)[:20]
        assert tasks
        for task in tasks:
            seen.append((await web.get(f"/ops/tasks/{task}/stack", headers=ops)).text)
        wrong = CANARIES["wrong token"]
        html = {"Accept": "text/html"}
        for path in (
            f"/?token={wrong}",
            f"/ops?token={wrong}&x=1",
            f"/bg/%2e%2e/x?token={TOKEN}",
            f"/?token={TOKEN}",
        ):
            for headers in ({}, html):
                answer = await web.get(path, headers=headers)
                seen += [
                    answer.text,
                    str([pair for pair in answer.headers.items() if pair[0] != "set-cookie"]),
                ]
        for fields in (
            {"token": wrong},
            {"token": TOKEN, "next": "ops"},
            {"token": wrong, "next": wrong[:0]},
        ):
            answer = await web.post("/login", data=fields, headers=html)
            seen += [answer.text, str(answer.headers)]
        answer = await web.post("/ops/soak", content=b"{", headers=ops)
        seen.append(answer.text)
    foreign = {"Origin": "https://evil.example", "Authorization": f"Bearer {TOKEN}"}
    for headers in ({"Authorization": f"Bearer {wrong}"}, foreign):
        for path in ("/client-ws", "/proxy-ws", "/tts-ws"):
            with contextlib.suppress(InvalidHandshake):
                async with connect(
                    f"ws://{server.host}:{server.port}{path}?token={wrong}", additional_headers=headers
                ) as socket:
                    await socket.wait_closed()
    return "\n".join(seen)


async def test_no_secret_in_any_output(tmp_path: Path) -> None:
    """Not in the log at its most talkative, not in what clients are sent, not in the views, not at the exit."""
    scripts = [echoing(401), echoing(500), echoing(429), echoing(400), garbage(CANARIES["persona"].encode()),
               cut_after("Well"), stall_after("Well"), ok("A fine day.")]  # fmt: skip
    openai = {"model": "m", "retries": 0, "silence_seconds": 0.5, "first_token_seconds": 0.5}
    async with FaultProvider(*scripts) as provider:
        keyed = {**openai, "base_url": provider.base_url, "api_key": CANARIES["key in a character"]}
        unreachable = {**openai, "base_url": "http://127.0.0.1:9/v1"}
        characters = {
            "keyed.yaml": {"agent": {"kind": "openai", "openai": keyed}},
            "environ.yaml": {"agent": {"kind": "openai", "openai": unreachable}},
            "broken.yaml": {
                "agent": {"kind": "openai", "openai": {"api_key": [CANARIES["key in a character"]]}}
            },
        }
        for fields in characters.values():
            fields["persona_prompt"] = CANARIES["persona"]
        settings = {
            "log": {"level": "debug"},
            "character": "keyed.yaml",
            "security": {
                "token": TOKEN,
                "ops_token": OPS,
                "wrong_tokens_per_minute": 1000,
                "tokens": [{"name": "bot", "token": CANARIES["bot's token"]}],
            },
            "sources": [{"url": "irc://127.0.0.1:9/room", "key_env": "IRC_PASSWORD"}],
        }
        environ = {
            "OPENAI_API_KEY": CANARIES["key in the environment"],
            "IRC_PASSWORD": CANARIES["source's password"],
        }
        server = ServerProcess(
            tmp_path, settings, characters=characters, args=("--host", "0.0.0.0"), environ=environ
        )
        async with server:
            url = f"{server.ws_url}?token={TOKEN}"
            sent = await talk(url, *["keyed.yaml"] * len(scripts), "environ.yaml", "broken.yaml")
            room = f"ws://{server.host}:{server.port}/proxy-ws?room=hall&token={BOT}"
            async with connect(room) as viewer:
                await viewer.send(json.dumps({"type": "text-input", "text": WORDS}))
                sent += str(await viewer.recv())
            shown = await views(server)
        assert len(provider.requests) >= 5
    # A visitor's own words come back to that visitor, and to nobody else.
    assert found_in(sent, but=("words of a visitor",)) == []
    assert found_in(shown) == []
    log = server.log_text()
    assert found_in(log) == []
    for told in ("no-token", "wrong-token", "origin", "path"):
        assert f'"reason": "{told}"' in log, told


@pytest.mark.parametrize("command", ["check", "serve"])
def test_no_secret_in_what_is_said_of_wrong_settings(command: str, tmp_path: Path) -> None:
    """Each canary stands where it is wrong, or beside something that is."""
    (tmp_path / "data" / "characters").mkdir(parents=True)
    (tmp_path / "token").write_text("canary short", encoding="utf-8")
    (tmp_path / "token").chmod(0o600)
    text = (
        "security:\n"
        f"  token: '{TOKEN} with spaces'\n  ops_token: ['{OPS}']\n  token_file: token\n"
        f"  tokens: [{{name: a, token: {{x: {BOT}}}}}]\n"
        "agent:\n  openai:\n"
        f"    api_key: [{CANARIES['key in the environment']}]\n"
        f"    api_key_env: {CANARIES['key in a character']}\n"
        f"sources: [{{url: 'irc://bot:{PASSWORD}@host:x/room'}}]\n"
    )
    (tmp_path / "greenroom.yaml").write_text(text, encoding="utf-8")
    broken = f"conf_name: A\npersona_prompt: ['{CANARIES['persona']}']\nagent: {{openai: {{api_key: 5, {{\n"
    (tmp_path / "data" / "characters" / "a.yaml").write_text(broken, encoding="utf-8")
    arguments = [command, "--config", str(tmp_path / "greenroom.yaml"), "--data-dir", str(tmp_path / "data")]
    environ = {**ServerProcess(tmp_path).environ, "GREENROOM_SECURITY__OPS_TOKEN": f"{OPS} wrong"}
    program = [sys.executable, "-m", "greenroom", *arguments]
    done = subprocess.run(program, capture_output=True, text=True, env=environ, check=False, timeout=60)
    assert done.returncode != 0
    assert "security.token" in done.stdout + done.stderr
    assert found_in(done.stdout + done.stderr) == []
    assert "canary short" not in done.stdout + done.stderr
