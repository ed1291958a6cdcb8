"""What hostile, careless and honest clients send: frames made from a source of chance.

The classes of `greenroom.protocol` are the grammar, so a message that is added is fuzzed from its first day. Each
function takes a `random.Random`; hypothesis hands in one of its own, and can then shrink what it finds.
"""

from __future__ import annotations

import json
from random import Random
from typing import Any

from greenroom.protocol.codec import TYPES

CUTTING = frozenset(
    {"interrupt-signal", "switch-config", "create-new-history", "fetch-and-set-history", "delete-history"}
)
"""Messages that may end a turn without an announced end, for the page asked for something else."""
HISTORIES = ("2026-01-01_00-00-00_" + "0" * 32, "x", "../../etc/passwd", "' OR 1=1 --", "\u202e", "a" * 255)
FILES = (
    "white.yaml", "sakura.yaml", "bloodsucker.yaml", "nobody.yaml", "", "..", "../white.yaml", "/etc/passwd",
    "C:\\windows\\win.ini", "white.yaml\x00.png", "con", "~root", "a" * 5000, "%2e%2e%2fwhite.yaml",
)  # fmt: skip
TEXTS = (
    "Hello", "你好，你是谁？", "", " ", "\n\n", "a", "😀" * 50, "word " * 500, "\u0000", "\ud800",

    "<script>alert(1)</script>", "[joy]" * 50, "(" * 500, "<think>" * 20, "hey white " * 30, "$(reboot)", "{{7*7}}",
    "\r\nSet-Cookie: a=b",
    "ﷺ" * 100, "é" * 300, "\u200b", "A" * 20_000,
)  # fmt: skip
PICTURES = (
    "data:image/png;base64,iVBORw0KGgo=", "data:image/jpeg;base64,", "data:image/svg+xml,<svg onload=alert(1)>",
    "http://169.254.169.254/latest/meta-data/", "file:///etc/passwd", "javascript:alert(1)", "",
    "data:image/png;base64," + "A" * 3000, "data:text/html,<h1>",
)  # fmt: skip
NUMBERS = (0, 1, -1, 2, 100, 2**31, 2**63, -(2**63), 10**30, 0.5, -0.0, 1e308, 5e-324)


def junk(chance: Random, depth: int = 3) -> Any:
    """Any JSON value."""
    kind = chance.randrange(8 if depth else 5)
    match kind:
        case 0:
            return None
        case 1:
            return chance.random() < 0.5
        case 2:
            return chance.choice(NUMBERS)
        case 3 | 4:
            return chance.choice(TEXTS + FILES + PICTURES)
        case 5:
            return [junk(chance, depth - 1) for _ in range(chance.randrange(4))]
        case _:
            names = [chance.choice(("type", "text", "", "a" * 300)) for _ in range(chance.randrange(3))]
            return {name: junk(chance, depth - 1) for name in names}


def value(chance: Random, name: str) -> Any:
    """A value that makes sense for a field of this name."""
    match name:
        case "text" | "query" | "title" | "name" | "platform":
            return chance.choice(TEXTS)
        case "audio":
            return [chance.choice((0.0, 1.0, -1.0, 0.25)) for _ in range(chance.choice((0, 1, 160, 2048)))]
        case "images":
            return [_picture(chance) for _ in range(chance.choice((0, 0, 1, 9)))]
        case "file":
            return chance.choice(FILES)
        case "history_uid" | "before" | "invitee_uid" | "target_uid" | "client_id" | "undo" | "request_id":
            return chance.choice(HISTORIES)
        case "limit" | "priority":
            return chance.choice((1, 2, 10, 1000))
        case "idle_time":
            return chance.choice((-1, 0, 5.5, 1e9))
        case "display_text":
            return {"text": chance.choice(TEXTS), "name": "A", "avatar": "a.png"}
        case "forwarded" | "watch" | "deleted":
            return chance.random() < 0.5
    return junk(chance)


def _picture(chance: Random) -> dict[str, Any]:
    return {"source": "camera", "data": chance.choice(PICTURES), "mime_type": "image/png"}


def message(chance: Random, kinds: tuple[str, ...] = tuple(TYPES)) -> dict[str, Any]:
    """A message whose fields make sense."""
    kind = chance.choice(kinds)
    fields = TYPES[kind].__struct_fields__
    return {"type": kind, **{name: value(chance, name) for name in fields if chance.random() < 0.9}}


def nearly(chance: Random) -> dict[str, Any]:
    """A message with a mistake in it."""
    found = message(chance)
    name = chance.choice([*found, "extra"])
    match chance.randrange(5):
        case 0:
            found.pop(name, None)
        case 1:
            found[name] = None
        case 2:
            found[name] = chance.choice(NUMBERS)
        case 3:
            found["type"] = chance.choice(
                (found["type"].upper(), found["type"] + " ", "audio", "control", "quit", "")
            )
        case _:
            found[name] = junk(chance)
    return found


def garbage(chance: Random) -> str | bytes:
    """No message at all."""
    match chance.randrange(10):
        case 0:
            return "[" * chance.choice((10, 1000, 30_000))
        case 1:
            return '{"type":' * 2000
        case 2:
            return '{"type":"text-input","text":"' + "\\ud83d" * 500 + '"}'
        case 3:
            return bytes(chance.randrange(256) for _ in range(chance.choice((0, 1, 50))))
        case 4:
            return json.dumps(junk(chance))
        case 5:
            return '{"type":"text-input","type":"heartbeat","text":"a","text":null}'
        case 6:
            return '{"type":"raw-audio-data","audio":[' + "1e999," * 200 + "NaN]}"
        case 7:
            return '{"type":"text-input","text":' + "9" * 5000 + "}"
        case 8:
            return "\ufeff" + json.dumps(message(chance))
        case _:
            whole = json.dumps(message(chance))
            return whole[: chance.randrange(len(whole))]


def frame(chance: Random) -> str | bytes:
    """What one frame holds: a good message, one with a mistake, or garbage."""
    share = chance.randrange(10)
    if share < 5:
        return json.dumps(message(chance))
    return json.dumps(nearly(chance)) if share < 8 else garbage(chance)
