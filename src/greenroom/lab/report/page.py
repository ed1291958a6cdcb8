"""The report as HTML. The words stand in the file in both languages; only the charts need JavaScript."""

from __future__ import annotations

import json
from collections.abc import Sequence
from html import escape
from importlib.resources import files
from pathlib import Path

from greenroom.lab.record import Run
from greenroom.lab.report.series import charts
from greenroom.lab.table import COLUMNS, MANNERS_ZH, columns, rows
from greenroom.lab.verdict import FIGURES, Verdict, judge
from greenroom.lab.wording import cause_lines, headline, restart_line, status, title

WORDS = {
    "title": ("Soak report", "压力测试报告"),
    "compared": ("Soak reports side by side", "压力测试报告对比"),
    "visits": ("The visits", "访问"),
    "verdict": ("The verdict, figure by figure", "逐项结论"),
    "causes": ("Likely causes", "可能原因"),
    "charts": ("Charts", "图表"),
    "none": ("No cause was found.", "未发现原因。"),
    "figure": ("figure", "指标"),
    "server": ("server", "服务器"),
    "mode": ("mode", "模式"),
    "machine": ("machine", "机器"),
    "began": ("began", "开始"),
    "took": ("took", "耗时"),
    "notes": ("notes", "备注"),
    "x": ("visit", "访问"),
}


class NotBuilt(Exception):
    """The charts, which are built together with the page, are not there."""


def check_built() -> None:
    """Raise NotBuilt, with what to do, where no report can be drawn: to be asked before a long run, too."""
    if not files("greenroom.lab.report").joinpath("built", "uplot.js").is_file():
        raise NotBuilt(
            "the report's charts are not built: run `make page`, or `python scripts/bootstrap.py page`"
        )


def write_report(runs: Sequence[Run], path: Path, labels: Sequence[str]) -> None:
    """Judge the runs and write one HTML file. Raises OSError if it cannot be written, and NotBuilt."""
    path.write_text(render(runs, labels), encoding="utf-8")


def render(runs: Sequence[Run], labels: Sequence[str]) -> str:
    """The whole file. Raises NotBuilt."""
    check_built()
    judged = [(label, run, judge(run)) for label, run in zip(labels, runs, strict=True)]
    name = "title" if len(runs) == 1 else "compared"
    data = {"charts": charts(judged), "x": WORDS["x"]}
    parts = [
        f"<h1>{_both(*WORDS[name])}</h1>",
        *(_head(label, run, verdict) for label, run, verdict in judged),
        f"<h2>{_both(*WORDS['causes'])}</h2>",
        '<div class="runs">', *(_causes(*one) for one in judged), "</div>",
        f"<h2>{_both(*WORDS['verdict'])}</h2>", _figures(judged),
        f"<h2>{_both(*WORDS['charts'])}</h2>", '<div id="charts"></div>',
        f"<h2>{_both(*WORDS['visits'])}</h2>", *(_visits(label, run) for label, run, _ in judged),
    ]  # fmt: skip
    return _SHELL.format(
        title=WORDS[name][0],
        style=_asset("built/uplot.css") + _asset("page.css"),
        body="\n".join(parts),
        # A script ends at the first "</", wherever it stands.
        data=json.dumps(data, ensure_ascii=False).replace("<", "\\u003c"),
        chart_library=_asset("built/uplot.js").replace("</", "<\\/"),
        script=_asset("page.js"),
    )


def _asset(name: str) -> str:
    return files("greenroom.lab.report").joinpath(name).read_text(encoding="utf-8")


def _both(en: str, zh: str) -> str:
    """A text in both languages, of which the page shows one."""
    if en == zh:
        return escape(en)
    return f'<span lang="en">{escape(en)}</span><span lang="zh">{escape(zh)}</span>'


def _head(label: str, run: Run, verdict: Verdict) -> str:
    facts = {
        "server": " ".join(part for part in (run.server, run.url) if part),
        "mode": run.mode, "began": run.began,
        "took": f"{run.seconds:.0f} s", "machine": run.machine,
    }  # fmt: skip
    if run.notes:
        facts["notes"] = "; ".join(run.notes)
    items = "".join(
        f"<dt>{_both(*WORDS[key])}</dt><dd>{escape(value)}</dd>" for key, value in facts.items() if value
    )
    heading = f"<h3>{escape(label)}</h3>" if label else ""
    restart = restart_line(run)
    cured = f'<p class="restart">{_both(restart, restart_line(run, "zh") or "")}</p>' if restart else ""
    kind = verdict.outcome.replace(" ", "-")
    return (
        f'<section class="head {kind}">{heading}'
        f'<p class="headline">{_both(headline(verdict, run), headline(verdict, run, "zh"))}</p>{cured}'
        f"<dl>{items}</dl></section>"
    )


def _causes(label: str, run: Run, verdict: Verdict) -> str:
    heading = f"<h3>{escape(label)}</h3>" if label else ""
    found = zip(cause_lines(verdict), cause_lines(verdict, "zh"), strict=True)
    items = "".join(f"<li><b>{_both(en[0], zh[0])}</b><br>{_both(en[1], zh[1])}</li>" for en, zh in found)
    content = f"<ul>{items}</ul>" if items else f"<p>{_both(*WORDS['none'])}</p>"
    return f"<section>{heading}{content}</section>"


def _figures(judged: Sequence[tuple[str, Run, Verdict]]) -> str:
    names = [name for name in FIGURES if any(name in verdict.trends for _, _, verdict in judged)]
    head = "".join(f"<th>{escape(label)}</th>" for label, _, _ in judged) if len(judged) > 1 else "<th></th>"
    lines: list[str] = []
    for name in names:
        cells = ""
        for _, _, verdict in judged:
            found = verdict.trends.get(name)
            if found is None:
                cells += "<td>–</td>"
                continue
            kind = found.status.replace(" ", "-")
            cells += f'<td class="{kind}">{_both(status(name, found), status(name, found, "zh"))}</td>'
        lines.append(f"<tr><th>{_both(title(name), title(name, 'zh'))}</th>{cells}</tr>")
    return (
        '<div class="wide"><table class="figures">'
        f"<thead><tr><th>{_both(*WORDS['figure'])}</th>{head}</tr></thead>"
        f"<tbody>{''.join(lines)}</tbody></table></div>"
    )


def _visits(label: str, run: Run) -> str:
    shown = columns(run)
    head = "".join(f"<th>{_both(*COLUMNS[name])}</th>" for name in shown)
    lines: list[str] = []
    for row in rows(run):
        cells = row.cells()
        texts = [
            _both(cells[name], MANNERS_ZH.get(cells[name], cells[name]))
            if name == "manner"
            else escape(cells[name])
            for name in shown
        ]
        lines.append("<tr>" + "".join(f"<td>{text}</td>" for text in texts) + "</tr>")
    heading = f"<h3>{escape(label)}</h3>" if label else ""
    return (
        f'{heading}<div class="wide"><table class="visits"><thead><tr>{head}</tr></thead>'
        f"<tbody>{''.join(lines)}</tbody></table></div>"
    )


_SHELL = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
<nav>
<button type="button" id="language" lang="zh">中文</button>
<button type="button" id="theme" aria-label="Light or dark">◐</button>
</nav>
<main>
{body}
</main>
<script type="application/json" id="data">{data}</script>
<script>{chart_library}</script>
<script>{script}</script>
</body>
</html>
"""
