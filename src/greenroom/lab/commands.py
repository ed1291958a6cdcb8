"""`greenroom soak`, `greenroom report` and `greenroom faults`: options and their help. What they do is
imported only when they are called, so that the other commands start as fast as without them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

SOAK_HELP = """Open and close pages against a server, and say whether it gets slower, and why.

Without a URL a Greenroom is started and measured. Speaks Open-LLM-VTuber's protocol, and with --script any
JSON over WebSocket. Ends with 0 (flat), 1 (growing, or a defect named), 2 (usage), 3 (not enough visits).

**Examples**

    greenroom soak --visits 200
    greenroom soak ws://127.0.0.1:12393/client-ws --visits 100 --report out.html
    greenroom soak 12393 --mode abrupt --restart-command "systemctl restart olv"
    greenroom soak ws://127.0.0.1:9000/ws --script chat.yaml --assert-flat --json run.json
    greenroom soak wss://chat.example.org/client-ws --token "$TOKEN" --mode polite

**Modes**: mixed (tells causes apart; the default), polite, abrupt, burst, switch, half-open, room.
"""
REPORT_HELP = """Lay results of `greenroom soak --json` side by side, such as before and after a change.

**Examples**

    greenroom report before.json after.json
    greenroom report before.json after.json --report difference.html
"""
FAULTS_HELP = """Run the fault server: small, with known defects built in, to see what soak makes of them.

**Examples**

    greenroom faults --list
    greenroom faults --fault speech-after-close --port 12500
    greenroom faults --fault as-found      # then: greenroom soak 12393 --mode abrupt --visits 10
"""
JsonOption = Annotated[Optional[Path], typer.Option("--json", help="Write everything that was measured.")]  # noqa: UP045
LangOption = Annotated[str, typer.Option("--lang", help="en or zh, for the terminal.")]


def soak(
    url: Annotated[
        Optional[str],  # noqa: UP045
        typer.Argument(help="Server: a WebSocket or page address, host:port, or a port. None: start one."),
    ] = None,
    mode: Annotated[str, typer.Option(help="How visitors behave; see above.")] = "mixed",
    visits: Annotated[
        Optional[int],  # noqa: UP045
        typer.Option(
            min=1, max=1_000_000, help="Pages to open. Default: 50, or as many as --duration allows."
        ),
    ] = None,
    parallel: Annotated[int, typer.Option(min=1, max=500, help="Pages open at the same time.")] = 1,
    duration: Annotated[
        Optional[float],  # noqa: UP045
        typer.Option(min=1.0, help="Stop after so many seconds."),
    ] = None,
    think_time: Annotated[float, typer.Option(min=0.0, help="Seconds a visitor looks before acting.")] = 0.0,
    patience: Annotated[float, typer.Option(min=0.1, help="Seconds after which a visit gives up.")] = 60.0,
    pid: Annotated[Optional[int], typer.Option(min=1, help="The server's process. Default: by port.")] = None,  # noqa: UP045
    script: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(help="YAML script for a server with another protocol (see examples/lab)."),
    ] = None,
    token: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(
            help="Sent as `Authorization: Bearer …`; an environment variable is in no list of processes.",
            envvar="GREENROOM_TOKEN",
            show_default=False,
        ),
    ] = None,
    header: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Option(help="A header of each request, as `Name: value`; repeatable."),
    ] = None,
    insecure: Annotated[
        bool, typer.Option("--insecure", help="With wss://, accept any certificate.")
    ] = False,
    assert_flat: Annotated[
        bool, typer.Option("--assert-flat", help="End with 1 unless it is proven flat.")
    ] = False,
    restart_command: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(help="Shell command that restarts the server, to see whether that cures it."),
    ] = None,
    json_path: JsonOption = None,
    report_path: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option("--report", help="Write one HTML file that needs no network."),
    ] = None,
    jsonl: Annotated[
        bool, typer.Option("--jsonl", help="Print one JSON object a line: each visit, then the verdict.")
    ] = False,
    lang: LangOption = "en",
) -> None:
    from greenroom.lab.soak_command import Wanted, run_soak
    from greenroom.lab.visitors import Access

    limit = visits or (50 if duration is None else 1_000_000)
    raise typer.Exit(
        run_soak(
            Wanted(
                url=url, mode=mode, visits=limit, parallel=parallel, duration=duration, think=think_time,
                patience=patience, pid=pid, script=script, assert_flat=assert_flat,
                access=Access(_headers(header or [], token), insecure),
                restart_command=restart_command, json=json_path, report=report_path, language=_language(lang),
                lines=jsonl,
            )
        )
    )  # fmt: skip


def report(
    results: Annotated[list[Path], typer.Argument(help="Files written by greenroom soak --json.")],
    report_path: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option("--report", help="Write one HTML file that needs no network."),
    ] = None,
    lang: LangOption = "en",
) -> None:
    from greenroom.lab.report_command import run_report

    raise typer.Exit(run_report(results, report_path, _language(lang)))


def faults(
    fault: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Option(help="A defect to switch on; repeatable. as-found: the analysed server's together."),
    ] = None,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65_535, help="Port; 0 for any free one.")] = 12393,
    provider_slots: Annotated[
        Optional[int],  # noqa: UP045
        typer.Option(min=1, help="Replies generated at once. Default: 2, with as-found 1."),
    ] = None,
    sentences: Annotated[
        Optional[int],  # noqa: UP045
        typer.Option(min=1, help="Sentences of a reply. Default: 8, with as-found 4."),
    ] = None,
    time_scale: Annotated[
        float, typer.Option(min=0.001, help="0.1 makes everything ten times as fast.")
    ] = 1.0,
    list_them: Annotated[bool, typer.Option("--list", help="Show the defects and leave.")] = False,
) -> None:
    from greenroom.lab.faults.catalog import FAULTS
    from greenroom.lab.faults.command import main

    if list_them:
        for name, what in FAULTS.items():
            typer.echo(f"{name:<20}{what}")
        raise typer.Exit
    options = [part for name in fault or [] for part in ("--fault", name)]
    if provider_slots is not None:
        options += ["--provider-slots", str(provider_slots)]
    if sentences is not None:
        options += ["--sentences", str(sentences)]
    main([*options, "--host", host, "--port", str(port), "--time-scale", str(time_scale)])


def _headers(lines: list[str], token: str | None) -> dict[str, str]:
    """The headers of `--header` and `--token`; a line that is none is an error of usage."""
    found: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon or not name.strip().isascii() or " " in name.strip() or not name.strip():
            raise typer.BadParameter(
                f"{line!r} is no header; one looks like 'X-Api-Key: abc'", param_hint="--header"
            )
        found[name.strip()] = value.strip()
    if token is not None:
        found["Authorization"] = f"Bearer {token}"
    return found


def _language(text: str) -> str:
    if text not in ("en", "zh"):
        raise typer.BadParameter(f"{text!r} is neither en nor zh", param_hint="--lang")
    return text
