"""`greenroom sources`: look at a live chat in the terminal, with moderation's verdicts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Optional

import typer

if TYPE_CHECKING:
    import asyncio

    from greenroom.live.sources.base import ChatMessage, ChatSource
    from greenroom.live.sources.moderation import ModerationRules, Verdict
    from greenroom.live.sources.runner import SourceRunner, SourceStatistics

app = typer.Typer(
    name="sources",
    no_args_is_help=True,
    help="Live chat from Twitch, Bilibili, YouTube and IRC.",
    rich_markup_mode="markdown",
)

TEST_HELP = """Show the messages of a live chat, and which of them would reach the character.

Nothing is written to the chat and no server is needed. Ctrl+C ends it.

**Examples**

    greenroom sources test twitch://channel
    greenroom sources test https://live.bilibili.com/123 --seconds 60
    YOUTUBE_API_KEY=... greenroom sources test youtube://@channel --count 20
    greenroom sources test irc://127.0.0.1:6667/channel
"""


@app.callback()
def _sources() -> None:
    """Live chat from Twitch, Bilibili, YouTube and IRC."""


@app.command("test", help=TEST_HELP)
def show(
    url: Annotated[str, typer.Argument(help="The chat's address.", metavar="URL", show_default=False)],
    seconds: Annotated[
        Optional[float],  # noqa: UP045 - typer reads it at run time
        typer.Option(min=0.1, help="End after so many seconds."),
    ] = None,
    count: Annotated[
        Optional[int],  # noqa: UP045
        typer.Option(min=1, help="End after so many messages, refused ones too."),
    ] = None,
    links: Annotated[bool, typer.Option("--links", help="Let links pass.")] = False,
    block: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Option("--block", help="A blocked word; can be given more than once."),
    ] = None,
) -> None:
    import asyncio
    import logging
    import os

    import structlog

    from greenroom.config.source_urls import parse_source_url
    from greenroom.live.sources.factory import create_source
    from greenroom.live.sources.moderation import ModerationRules, clean

    try:
        address = parse_source_url(url)
    except ValueError as error:
        typer.secho(f'greenroom: "{clean(url)}" {error}', err=True, fg="red")
        raise typer.Exit(2) from None
    # The states are told below, in a sentence each; the log would say them once more.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    source = create_source(address, os.environ)
    rules = ModerationRules(links=links, blocked_words=tuple(block or ()))
    try:
        ok = asyncio.run(_show(source, rules, seconds, count))
    except KeyboardInterrupt:
        ok = True
    raise typer.Exit(0 if ok else 1)


async def _show(source: ChatSource, rules: ModerationRules, seconds: float | None, count: int | None) -> bool:
    """Print until the end; False if nothing could be read."""
    import asyncio

    from greenroom.live.sources.runner import SourceRunner
    from greenroom.tasks import TaskScope

    terminal = _Terminal(count, asyncio.Event())
    async with TaskScope("sources test") as scope:
        runner = SourceRunner(
            source,
            scope,
            lambda room, message: None,
            rules=rules,
            on_verdict=terminal.message,
            on_state=terminal.state,
        )
        typer.secho(f"Reading {source.describe()}; Ctrl+C ends it.", err=True)
        runner.start()
        scope.start(terminal.until_ended, runner, name="watch")
        try:
            async with asyncio.timeout(seconds):
                await terminal.enough.wait()
        except TimeoutError:
            pass
        end = runner.statistics()
    refused = ", ".join(f"{reason} {number}" for reason, number in sorted(end.refused.items()))
    summary = f"{end.received} messages, {end.accepted} accepted"
    typer.secho(f"{summary}; refused: {refused}" if refused else summary, err=True)
    return end.state in ("connected", "ended") or end.received > 0


class _Terminal:
    """Prints messages to standard output and states to standard error."""

    def __init__(self, count: int | None, enough: asyncio.Event) -> None:
        self.enough = enough
        self._left = count

    async def until_ended(self, runner: SourceRunner) -> None:
        """Wait for the source's own end: the stream is over, or it failed for good."""
        await runner.wait()
        self.enough.set()

    def message(self, message: ChatMessage, verdict: Verdict) -> None:
        """One line for each message."""
        from datetime import datetime

        from greenroom.live.sources.moderation import clean

        if self._left == 0:
            return  # some more came in the same moment as the last
        when = datetime.fromtimestamp(message.at).strftime("%H:%M:%S")
        marks = ("", "", " [owner]")[message.priority] + (f" [{clean(message.paid)}]" if message.paid else "")
        line = f"{when} {clean(message.sender_name)}{marks}: {clean(message.text)}"
        if verdict.accepted:
            typer.echo(f"+ {line}")
        else:
            why = f"{verdict.reason}: {verdict.detail}" if verdict.detail else str(verdict.reason)
            typer.secho(f"- {line}  ({clean(why)})", fg="yellow")
        if self._left is not None:
            self._left -= 1
            if self._left == 0:
                self.enough.set()

    def state(self, now: SourceStatistics) -> None:
        """A sentence for each change that a user waits for."""
        from greenroom.live.sources.moderation import clean

        trouble = clean("; ".join(part for part in (now.last_error, now.last_hint) if part))
        if now.state == "connected":
            typer.secho("Connected.", err=True, fg="green")
        elif now.state == "ended":
            typer.secho("The live chat has ended.", err=True)
        elif now.state == "waiting":
            typer.secho(f"{trouble}. Next try in {now.next_try or 0:.0f} s.", err=True, fg="yellow")
        elif now.state == "failed":
            typer.secho(f"greenroom: {trouble}", err=True, fg="red")
