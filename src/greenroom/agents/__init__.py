"""Agents: what turns messages into a stream of text.

An *engine* (`AgentEngine`) is shared by all clients with the same settings and carries no conversation state;
an `Agent` belongs to one client: it joins a lease on an engine with that client's own `ChatMemory`.
The OpenAI-compatible engine is imported only by who uses it (`create_engine`).
"""

from .agent import Agent
from .base import AgentEngine, AgentError, ChatMessage, ChatRequest, EngineStatistics
from .discovery import choose
from .factory import create_engine
from .memory import ChatMemory
from .pool import EngineLease, EnginePool, PoolCloseReport, PoolStatistics

__all__ = [
    "Agent",
    "AgentEngine",
    "AgentError",
    "ChatMemory",
    "ChatMessage",
    "ChatRequest",
    "EngineLease",
    "EnginePool",
    "EngineStatistics",
    "PoolCloseReport",
    "PoolStatistics",
    "choose",
    "create_engine",
]
