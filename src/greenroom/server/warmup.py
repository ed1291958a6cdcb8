"""Warm-up: a few visits without a socket before the doors open.

The first visitor of a fresh process would otherwise pay for lazy imports, SQL that is compiled on first use,
and code the interpreter has not specialised yet (0.6 to 0.9 s in the reference server). The visits go through
the whole path of a reply, with the built-in agent at full speed, under a character id of their own.
"""

from __future__ import annotations

import gc
from dataclasses import replace
from time import monotonic

import structlog

from greenroom.config.settings import AgentSettings, BuiltinSettings, VoiceSettings
from greenroom.protocol import client_messages as c
from greenroom.protocol import decode_server, encode
from greenroom.sessions.router import Router
from greenroom.sessions.service_context import WARM_UP, ServiceContext
from greenroom.sessions.services import NoMeter, Services

log = structlog.stdlib.get_logger("greenroom.server")

CONF_UID = "greenroom.warm-up"
VISITS = 12
OPENING = (c.FetchBackgrounds(), c.FetchConfigs(), c.FetchHistoryList(), c.CreateNewHistory())


class _Nobody:
    """A connection whose far end only decodes."""

    async def send_text(self, text: str) -> None:
        decode_server(text)

    def drop(self, code: int, reason: str) -> None:
        pass


async def warm_up(services: Services) -> None:
    """Make a dozen visits; leaves nothing behind. Takes some tens of milliseconds."""
    began = monotonic()
    visits = replace(services, meter=NoMeter())
    first = services.default_character()
    fast = AgentSettings(
        kind="builtin", builtin=BuiltinSettings(first_token_seconds=0, tokens_per_second=0, words=30)
    )
    character = replace(first, conf_uid=CONF_UID, agent=fast, voice=VoiceSettings(), wake_words=None)
    for number in range(VISITS):
        context = ServiceContext(visits, _Nobody(), f"warm-up-{number}", WARM_UP)
        context.character = character
        try:
            await context.open()
            router = Router(context)
            for message in (*OPENING, c.Heartbeat(), c.TextInput("Hello there, how are you?")):
                await router.receive(encode(message))
            await context.turns.idle()
            history_uid = context.history_uid
        finally:
            await context.close("warm-up")
        if history_uid is not None:
            await services.histories.delete(CONF_UID, history_uid)
    services.registry.opened = services.registry.closed = 0
    # What is alive now stays: the collector need not look at it again and again.
    gc.collect()
    gc.freeze()
    log.debug("warmed up", milliseconds=round((monotonic() - began) * 1000, 1))
