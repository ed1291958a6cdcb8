"""Tests of registry.py."""

from __future__ import annotations

from tests.helpers.stage import Stage, staged


@staged
async def test_one_entry_per_connected_client(stage: Stage) -> None:
    """Forgotten when they go, also if that is said twice."""
    registry = stage.services.registry
    first, second, other = stage.connect("1.1.1.1"), stage.connect("1.1.1.1"), stage.connect("2.2.2.2")
    assert len(registry) == 3
    registry.remove(first.context)
    registry.remove(first.context)
    assert list(registry) == [second.context, other.context]
    for client in (second, other):
        await client.close()
    assert (len(registry), registry.opened, registry.closed) == (0, 3, 3)


@staged
async def test_it_may_change_while_one_looks_through_it(stage: Stage) -> None:
    """Closing all clients of a shutting-down server, for instance."""
    for _ in range(5):
        stage.connect()
    for context in stage.services.registry:
        await context.close()
    assert len(stage.services.registry) == 0
