"""Tests of announcement.py: what a server says it can do, and how a character gets ready."""

from __future__ import annotations

from tests.helpers.stage import Client, Stage, staged

from greenroom.agents.base import AgentError


def states(client: Client) -> list[tuple[str, str]]:
    """The new messages about the character's state."""
    return [(one["conf_uid"], one["state"]) for one in client.new() if one["type"] == "character-state"]


@staged
async def test_what_the_server_can_do(stage: Stage) -> None:
    """Named in the greeting: speech only for a character that speaks, hearing not at all so far."""
    silent, speaking = stage.connect(), None
    await silent.context.open()
    stage.characters.default = "delta.yaml"
    speaking = stage.connect()
    await speaking.context.open()
    await stage.settle()
    told = [
        next(one for one in client.new() if one["type"] == "set-model-and-conf")["features"]
        for client in (silent, speaking)
    ]
    assert told[0] == ["history-rename", "history-search", "history-undo", "character-state"]
    assert told[1] == [*told[0], "speech"]


@staged
async def test_a_character_gets_ready(stage: Stage) -> None:
    """Who asks is told at once how it stands, then that it loads, then that it is ready."""
    client = await stage.open()
    await client.send("fetch-configs", watch=True)
    assert states(client) == [("uid_alpha", "ready")]
    stage.ready = False
    await client.send("switch-config", file="beta.yaml")
    assert [one["type"] for one in client.new()] == [
        "character-state",
        "set-model-and-conf",
        "config-switched",
    ]
    await client.send("fetch-configs", watch=True)
    assert states(client) == [("uid_beta", "loading")]
    stage.engine("beta").start_ends()
    await stage.settle()
    assert states(client) == [("uid_beta", "ready")]


@staged
async def test_a_character_that_fails(stage: Stage) -> None:
    """The reason is told before the earlier character is announced again."""
    client = await stage.open()
    await client.send("fetch-configs", watch=True)
    client.new()
    stage.ready = False
    await client.send("switch-config", file="beta.yaml")
    client.new()
    stage.engine("beta").start_ends(AgentError("no such model"))
    await stage.settle()
    messages = client.new()
    assert [one["type"] for one in messages] == ["character-state", "error", "set-model-and-conf"]
    assert messages[0]["state"] == "failed"
    assert "no such model" in messages[0]["message"]


@staged
async def test_nobody_is_told_unasked(stage: Stage) -> None:
    """Clients of the original protocol never see the message."""
    client = await stage.open()
    await client.send("switch-config", file="beta.yaml")
    assert states(client) == []
