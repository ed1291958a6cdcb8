"""Tests of the ops room's messages."""

from __future__ import annotations

import msgspec

from greenroom.server.ops import messages
from greenroom.server.ops.messages import OpsSample, OpsSamples


def test_the_columns_are_those_of_a_sample() -> None:
    """The page adds a sample to the series by name: each field has its column."""
    columns = {field.name for field in msgspec.structs.fields(OpsSamples)}
    assert columns - {"step_s"} == {field.name for field in msgspec.structs.fields(OpsSample)}


def test_the_first_event_tells_everything() -> None:
    """A stream begins with the whole state, so a page that connects again misses nothing."""
    assert next(iter(messages.EVENTS)) == "state"
