"""The `greenroom` command: thin commands over the server and the lab."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any, Optional

import typer

from greenroom import __version__
from greenroom.lab import commands as lab
from greenroom.live.sources.commands import app as sources_app

app = typer.Typer(
    name="greenroom",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    help="The conversation server for AI characters: the 10,000th visitor waits no longer than the first.",
    context_settings={"help_option_names": ["-h", "--help"]},
)

app.add_typer(sources_app, name="sources")

SERVE_HELP = """Serve the page and the Open-LLM-VTuber client protocol.

Needs no key, no service and no configuration: without a model server the built-in agent speaks.

**Examples**

    greenroom serve
    greenroom serve --port 8080 --data-dir ~/greenroom
    greenroom serve --agent openai          # base_url and model from greenroom.yaml or the environment
    GREENROOM_AGENT__OPENAI__MODEL=qwen3 greenroom serve
    greenroom token --write ./token && greenroom serve --host 0.0.0.0 --token-file ./token
"""
TOKEN_HELP = """Make a token: what visitors of a server that others can reach must show.

Without `--write` it is printed once, and kept nowhere.

**Examples**

    greenroom token --write ~/.config/greenroom-token
    greenroom serve --host 0.0.0.0 --token-file ~/.config/greenroom-token
    GREENROOM_SECURITY__TOKEN=$(greenroom token) greenroom serve --host 0.0.0.0
"""
CHECK_HELP = """Check the configuration and every character file, and say what to mend.

**Examples**

    greenroom check
    greenroom check --config ./greenroom.yaml
"""

ConfigOption = Annotated[
    Optional[Path],  # noqa: UP045 - typer reads it at run time
    typer.Option(
        "--config", help="Settings file. Default: ./greenroom.yaml, then the one in the data folder."
    ),
]
DataDirOption = Annotated[
    Optional[Path],  # noqa: UP045
    typer.Option(
        "--data-dir", help="Histories and your own characters. Default: the system's place for them."
    ),
]


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"greenroom {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and leave.")
    ] = False,
) -> None:
    pass


@app.command(help=SERVE_HELP)
def serve(
    host: Annotated[Optional[str], typer.Option(help="Address to listen on. Default: 127.0.0.1.")] = None,  # noqa: UP045
    port: Annotated[Optional[int], typer.Option(help="Port; 0 for any free one. Default: 12393.")] = None,  # noqa: UP045
    data_dir: DataDirOption = None,
    config: ConfigOption = None,
    agent: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(
            help="auto (a model server on the usual local ports, else built-in), builtin, or openai."
        ),
    ] = None,
    character: Annotated[
        Optional[str], typer.Option(help="File of the character a visitor meets first.")  # noqa: UP045
    ] = None,
    max_rss: Annotated[
        Optional[int],  # noqa: UP045
        typer.Option("--max-rss", metavar="MIB", help="Refuse new pages while the process uses more memory."),
    ] = None,
    token_file: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(
            "--token-file", help="File with the token that visitors must show (see `greenroom token`)."
        ),
    ] = None,
    insecure_open: Annotated[
        bool, typer.Option("--insecure-open", help="Let in whoever can reach the server, without a token.")
    ] = False,
    tls_cert: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option("--tls-cert", help="Certificate with its chain (PEM): serve https and wss."),
    ] = None,
    tls_key: Annotated[
        Optional[Path], typer.Option("--tls-key", help="The certificate's private key (PEM).")  # noqa: UP045
    ] = None,
    log_json: Annotated[bool, typer.Option("--log-json", help="One JSON object a line.")] = False,
    log_level: Annotated[Optional[str], typer.Option(help="debug, info, warning or error.")] = None,  # noqa: UP045
) -> None:
    from greenroom.config.errors import ConfigError
    from greenroom.config.settings import load_settings
    from greenroom.history import HistoryError
    from greenroom.server.logs import configure_logs
    from greenroom.server.run import CannotListen, run

    overrides: dict[str, Any] = {
        "server.host": host,
        "server.port": port,
        "data_dir": data_dir,
        "agent.kind": agent,
        "character": character,
        "limits.max_rss_mb": max_rss,
        "security.token_file": token_file,
        "security.insecure_open": True if insecure_open else None,
        "server.tls_cert": tls_cert,
        "server.tls_key": tls_key,
        "log.json": True if log_json else None,
        "log.level": log_level,
    }
    try:
        settings = load_settings(config, environ=os.environ, overrides=overrides)
        configure_logs(settings.log.level, as_json=settings.log.json)
        code = run(settings, on_ready=_say_ready if not settings.log.json else lambda url: None)
    except (ConfigError, HistoryError, CannotListen) as error:
        typer.secho(f"greenroom: {error}", err=True, fg="red")
        raise typer.Exit(2) from None
    raise typer.Exit(code)


def _say_ready(url: str) -> None:
    typer.echo(f"Greenroom is ready: {url}  (Ctrl+C stops it)", err=True)


@app.command(help=TOKEN_HELP)
def token(
    write: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option("--write", help="Put it into this new file, which only you can read."),
    ] = None,
) -> None:
    from greenroom.config.tokens import make_token, write_token

    value = make_token()
    if write is None:
        typer.echo(value)
        return
    try:
        write_token(write, value)
    except OSError as error:
        typer.secho(f"greenroom: {write}: cannot be written: {error.strerror}", err=True, fg="red")
        raise typer.Exit(2) from None
    typer.echo(f"A new token is in {write}. Use it with: greenroom serve --token-file {write}", err=True)


@app.command(help=CHECK_HELP)
def check(config: ConfigOption = None, data_dir: DataDirOption = None) -> None:
    from greenroom.config.check import check as run_check

    report = run_check(config, os.environ, {"data_dir": data_dir})
    typer.echo(report.text())
    raise typer.Exit(0 if report.ok else 1)


TOP_HELP = """Watch a server in the terminal: is it getting slower, and what does it do right now?

Shows what its page `/ops` shows: first replies, tasks by owner, memory, CPU, loop lag, slots, queues, closes,
abandoned tasks. Without a terminal it prints one view and leaves.

**Examples**

    greenroom top
    greenroom top 8080 --once
    greenroom top https://chat.example.org --token "$OPS_TOKEN"
    greenroom top --json | jq .verdict_hint

**Keys**: q quit, ↑↓ select, Enter opens or shuts an owner, s shows where a task stands, o changes the order,
S starts or ends a soak of 50 visits.
"""


@app.command(help=TOP_HELP)
def top(
    url: Annotated[
        str, typer.Argument(help="The server: a port, host:port, or its page's address.")
    ] = "http://127.0.0.1:12393",
    token: Annotated[
        str, typer.Option(help="The ops token of a server elsewhere.", envvar="GREENROOM_TOKEN")
    ] = "",
    once: Annotated[bool, typer.Option("--once", help="Print one view and leave.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the state as JSON and leave.")] = False,
) -> None:
    from greenroom.server.ops.top.command import run_top

    raise typer.Exit(run_top(url, token, once=once, as_json=as_json))


COMPARE_HELP = """Play one workload with six ways to run background tasks, and lay their figures side by side.

The analysis' decision matrix, measured: fire and forget, a tracked set with a limit, a semaphore, direct
await, a TaskGroup, and Greenroom's scopes. Takes about a minute.

**Examples**

    greenroom compare
    greenroom compare --pages 80 --slots 2 --json matrix.json
"""


@app.command(help=COMPARE_HELP)
def compare(
    pages: Annotated[int, typer.Option(min=2, max=2000, help="Pages that come and go.")] = 40,
    slots: Annotated[int, typer.Option(min=1, max=1000, help="Answers the provider gives at once.")] = 4,
    seed: Annotated[int, typer.Option(help="The same seed plays the same workload.")] = 7,
    speed: Annotated[float, typer.Option(min=1, max=100, help="How many times faster than life.")] = 20.0,
    json_path: Annotated[
        Optional[Path], typer.Option("--json", help="Write all figures to this file.")  # noqa: UP045
    ] = None,
) -> None:
    from greenroom.lab.compare_command import run_compare
    from greenroom.lab.workload import WorkloadSettings

    raise typer.Exit(run_compare(WorkloadSettings(seed=seed, pages=pages, slots=slots), speed, json_path))


AUDIT_HELP = """Read asyncio code, without running it, and name the tasks it forgets.

Finds what RUF006 does not see: tasks kept but never cancelled, wrappers that start and forget, polling loops,
closes without a deadline, swallowed cancellations. `greenroom audit --help` lists all options.

**Examples**

    greenroom audit src/
    greenroom audit --format sarif --min-severity error src/ > audit.sarif
"""


@app.command(
    help=AUDIT_HELP,
    add_help_option=False,
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
)
def audit(context: typer.Context) -> None:
    from greenroom.tasks.audit import main as run_audit

    try:
        code = run_audit(context.args)
    except SystemExit as done:  # argparse's way to end after --help
        code = int(done.code or 0)
    raise typer.Exit(code)


app.command(help=lab.SOAK_HELP)(lab.soak)
app.command(help=lab.REPORT_HELP)(lab.report)
app.command(help=lab.FAULTS_HELP)(lab.faults)


def main() -> None:
    """Entry point."""
    app(prog_name="greenroom")


if __name__ == "__main__":
    main()
