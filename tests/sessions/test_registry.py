"""Tests of registry.py."""

from __future__ import annotations

from tests.helpers.stage import Stage, staged

from greenroom.sessions.registry import Registry


@staged
async def test_one_entry_per_connected_client(stage: Stage) -> None:
    """Counted by address, forgotten when they go, also if that is said twice."""
    registry = stage.services.registry
    first, second, other = stage.connect("1.1.1.1"), stage.connect("1.1.1.1"), stage.connect("2.2.2.2")
    assert len(registry) == 3
    assert (registry.from_address("1.1.1.1"), registry.from_address("3.3.3.3")) == (2, 0)
    registry.remove(first.context)
    registry.remove(first.context)
    assert registry.from_address("1.1.1.1") == 1
    assert list(registry) == [second.context, other.context]
    for client in (second, other):
        await client.close()
    assert (len(registry), registry.opened, registry.closed) == (0, 3, 3)
    assert registry._addresses == {}


@staged
async def test_addresses_of_one_home_count_as_one(stage: Stage) -> None:
    """The server gives what a home is; what is counted is taken off again."""
    registry = Registry(lambda address: address[:3])
    clients = [stage.connect("1.1.1.1"), stage.connect("1.1.9.9"), stage.connect("2.2.2.2")]
    for client in clients:
        registry.add(client.context)
    assert (registry.from_address("1.1.7.7"), registry.from_address("2.2.0.0")) == (2, 1)
    for client in clients:
        registry.remove(client.context)
    assert registry._addresses == {}


@staged
async def test_it_may_change_while_one_looks_through_it(stage: Stage) -> None:
    """Closing all clients of a shutting-down server, for instance."""
    for _ in range(5):
        stage.connect()
    for context in stage.services.registry:
        await context.close()
    assert len(stage.services.registry) == 0
