"""Tests of making engines from settings."""

from __future__ import annotations

import subprocess
import sys

import pytest

from greenroom.agents.base import AgentError
from greenroom.agents.builtin import BuiltinEngine
from greenroom.agents.factory import create_engine
from greenroom.agents.openai_compatible import OpenAICompatibleEngine
from greenroom.config.settings import AgentSettings


def test_kinds() -> None:
    """Each kind gets its engine; `auto` must have been settled before."""
    assert isinstance(create_engine(AgentSettings(kind="builtin")), BuiltinEngine)
    assert isinstance(create_engine(AgentSettings(kind="openai")), OpenAICompatibleEngine)
    with pytest.raises(AgentError, match="auto"):
        create_engine(AgentSettings(kind="auto"))


def test_no_http_client_without_need() -> None:
    """Importing the agents, and making an engine, does not load the HTTP client: `start` does that."""
    code = (
        "import sys; from greenroom.agents import create_engine;"
        "from greenroom.config.settings import AgentSettings;"
        "create_engine(AgentSettings(kind='openai')); create_engine(AgentSettings(kind='builtin'));"
        "print([m for m in ('httpx', 'anyio', 'rich') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=False
    )
    assert (done.stdout.strip(), done.stderr) == ("[]", "")
