"""What a kiosk's record says: a plot and `docs/kiosk.md`, with verdicts by the lab's own statistics."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from greenroom.lab.verdict.trend import Point, Trend, trend

DOCS = Path(__file__).resolve().parents[2] / "docs"
Day = dict[str, Any]
FIGURES: tuple[tuple[str, str, Callable[[Day], float | None], Callable[[float], float]], ...] = (
    ("memory, MB", "rss_mb", lambda day: day["rss_mb"], lambda level: 0.03 * level),
    ("tasks", "tasks", lambda day: day["tasks"], lambda level: 0.5),
    ("descriptors", "fds", lambda day: day["fds"], lambda level: 2),
    ("threads", "threads", lambda day: day["threads"], lambda level: 0.5),
    ("first reply, lower quartile, ms", "first", lambda day: _part(day, 1), lambda level: 0.1 * level),
    ("processor time a visit, ms", "cpu", lambda day: _cpu(day), lambda level: 0.15 * level),
)
"""Title, name, value of a day, and the change over the whole run that does not matter."""


def _part(day: Day, index: int) -> float | None:
    return day["first_ms"][index] if day["first_ms"] else None


def _cpu(day: Day) -> float | None:
    return 1000 * day["cpu_seconds"] / day["visits_today"] if day["visits_today"] else None


def judged(days: list[Day]) -> list[tuple[str, Trend]]:
    """The trend of each figure over the days; the first, in which everything is loaded, does not count."""
    found = []
    for title, _, value, margin in FIGURES:
        points = [Point(day["day"], value(day) or 0.0) for day in days[1:] if value(day) is not None]
        level = trend(points, 0.0).level
        found.append((title, trend(points, margin(level))))
    return found


def with_visits(record: dict[str, Any]) -> list[Day]:
    """The days, with the visits of each."""
    before = 0
    days = []
    for day in record["days"]:
        days.append({**day, "visits_today": day["visits"] - before})
        before = day["visits"]
    return days


def plot(days: list[Day], path: Path) -> None:
    """Four panels over the virtual days."""
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "greenroom"
    from matplotlib import pyplot

    at = [day["day"] + 1 for day in days]
    drawing, panels = pyplot.subplots(2, 2, figsize=(11, 6.5), constrained_layout=True, sharex=True)
    memory, counts, replies, work = panels.flat
    memory.plot(at, [day["rss_mb"] for day in days], color="#3b6ea5")
    memory.set_ylim(0, 1.25 * max(day["rss_mb"] for day in days))
    memory.set_title("resident memory at midnight, MB", fontsize=9)
    for name, title, color in (
        ("fds", "descriptors", "#3b6ea5"), ("threads", "threads", "#e0a030"), ("tasks", "tasks", "#7a4f9a"),
    ):  # fmt: skip
        counts.plot(at, [day[name] for day in days], label=title, color=color)
    counts.set_ylim(0, None)
    counts.set_title("held at midnight, with all screens still", fontsize=9)
    counts.legend(fontsize=8)
    labels = ("lower quartile", "median", "95th percentile")
    for index, (label, color) in enumerate(zip(labels, ("#3b6ea5", "#e0a030", "#bbbbbb"), strict=True), 1):
        replies.plot(at, [_part(day, index) for day in days], label=label, color=color)
    replies.set_ylim(0, None)
    replies.set_title("first reply of undisturbed turns, ms", fontsize=9)
    replies.legend(fontsize=8)
    work.plot(at, [_cpu(day) for day in days], color="#3b6ea5")
    work.set_ylim(0, None)
    work.set_title("the server's processor time a visit, ms", fontsize=9)
    for panel in panels.flat:
        panel.spines[["top", "right"]].set_visible(False)
    for panel in panels[1]:
        panel.set_xlabel("virtual day", fontsize=8)
    drawing.savefig(path, metadata={"Date": None})


def beside(record: dict[str, Any], young: dict[str, Any]) -> dict[str, float]:
    """Medians of the days in which both servers were there at the same time, the young one's first left out."""
    later = (datetime.fromisoformat(young["began"]) - datetime.fromisoformat(record["began"])).total_seconds()
    begins, ends = later + young["days"][0]["seconds"], later + young["days"][-1]["seconds"]
    sides = {
        "aged": [day for day in with_visits(record) if begins < day["seconds"] <= ends + 60],
        "young": with_visits(young)[1:],
    }
    found: dict[str, float] = {"beside_minutes": (ends - begins) / 60}
    for side, days in sides.items():
        found[f"{side}_first"] = statistics.median(_part(day, 1) or 0.0 for day in days)
        found[f"{side}_cpu"] = statistics.median(_cpu(day) or 0.0 for day in days)
    found["age"] = sides["aged"][0]["day"]
    return found


def write_report(record: dict[str, Any], young: dict[str, Any] | None = None) -> None:
    """Draw, and write both documents; with `young`, also how a fresh server did that ran at the same time."""
    days = with_visits(record)
    (DOCS / "images").mkdir(parents=True, exist_ok=True)
    plot(days, DOCS / "images" / "kiosk.svg")
    tally = record["tally"]
    facts = {
        **tally,
        **(beside(record, young) if young is not None else {}),
        "days": len(days),
        "minutes": days[-1]["seconds"] / 60,
        "screens": record["screens"],
        "requests": record["requests"]["made"],
        "idle_days": tally["idle_skipped"] / 86_400 / record["screens"],
        "python": record["python"],
        "complaints": record["log_complaints"],
        "abandoned": days[-1]["abandoned"],
        "disk": days[-1]["disk_mb"],
        "began": record["began"][:10],
    }
    rows = [
        (title, f"{found.level:.4g}", f"{found.change:+.3g}", found.status) for title, found in judged(days)
    ]
    table = "\n".join("| " + " | ".join(row) + " |" for row in rows)
    whole = facts["minutes"] >= WHOLE_MINUTES
    for name, template, short, compared in (
        ("kiosk.md", ENGLISH, SHORT, BESIDE),
        ("kiosk.zh-CN.md", CHINESE, SHORT_CHINESE, BESIDE_CHINESE),
    ):
        text = template if young is None else template + compared
        text = text.format(**facts, table=table, short="" if whole else short)
        (DOCS / name).write_text(text, encoding="utf-8")
        print(text)


WHOLE_MINUTES = 120
SHORT = " (not the two hours that are the default: what follows is this run and no more)"
SHORT_CHINESE = "（不是默认的两小时：以下只说这一次运行）"

ENGLISH = """# A kiosk, open around the clock

[中文](kiosk.zh-CN.md)

Written by `python -m benchmarks.kiosk --plot`; do not edit by hand.

A character on screens in a station hall is the hardest visitor: its page stays open for weeks. `benchmarks/kiosk`
plays that: {screens} screens, each with one page that stays, visitors by the hour of the day, wake words said and
forgotten, answers cut short, characters switched in quick succession, pictures, old conversations opened, browsers
that crash and are loaded again, and a model provider that is slow, silent, cut off, out of order or too busy over 4 %
of what is said. Time in which nobody stands before a screen is skipped; everything else takes the time it takes. Every
answer is checked: a visitor who must be told of a failure is told, and nobody else is. At every virtual midnight all
screens fall still, and the server is looked at.

```sh
.venv/bin/python -m benchmarks.kiosk --minutes 120 --out kiosk.json
.venv/bin/python -m benchmarks.kiosk --plot kiosk.json
# On a busy machine also a fresh server, beside the old one in its last minutes, to be laid next to it (--plot A B):
.venv/bin/python -m benchmarks.kiosk --minutes 6 --seed 2 --out young.json
```

## One run

{began}, CPython {python}, 2 cores that had other work, too: **{days} virtual days in {minutes:.0f}
minutes**{short}. {visits:,} visits, {turns:,} turns,
{interrupted:,} of them interrupted, {hiccups:,} failures of the provider, {switches:,} switches of the character,
{reloads:,} page loads, {ignored:,} remarks without the wake word, {proactive:,} times the character spoke unasked;
{requests:,} requests to the provider.

**{problem_count} answers were not as they should be**, {complaints} errors in the server's log, {abandoned} abandoned
tasks. The histories took {disk:.1f} MB in the end.

![Memory, what is held, first replies and processor time over the virtual days](images/kiosk.svg)

| At midnight | level | change over the run | verdict |
|---|---:|---:|---|
{table}

The verdicts are those of `greenroom soak`: *flat* means that the upper end of the 95 % interval of the change stays
below what does not matter (3 % of memory, 10 % of the first reply, half a task, 15 % of the processor time). Of first
replies, 20 ms are the provider's.
"""
BESIDE = """
A clock on the wall cannot tell a server that grows slow from a machine that gets busy, and this one did, as the 95th
percentile shows. So a fresh server was started beside the old one and played the same script, for {beside_minutes:.0f}
minutes at the same time. First reply, lower quartile: **{young_first:.1f} ms young, {aged_first:.1f} ms after {age:.0f}
virtual days**; processor time a visit: {young_cpu:.1f} ms young, {aged_cpu:.1f} ms aged.
"""

CHINESE = """# 昼夜开放的展台

[English](kiosk.md)

由 `python -m benchmarks.kiosk --plot` 写成；请勿手工编辑。

车站大厅屏幕上的角色是最难伺候的访客：它的网页一开就是几个星期。`benchmarks/kiosk` 演的就是这个：{screens} 块屏幕，
每块一个一直开着的网页；访客按一天中的钟点到来，唤醒词有人说、有人忘，回答被打断，角色被接连切换，有图片，有人翻看旧对话，
浏览器崩溃后重新加载；模型提供方对 4 % 的话语表现为慢、沉默、中断、出错或太忙。屏幕前没有人的时间被跳过，
其余都按实际时间进行。
每个回答都被检查：应当得知失败的访客得到提示，其他人不会。每到虚拟的午夜，所有屏幕静下来，再查看服务器。

```sh
.venv/bin/python -m benchmarks.kiosk --minutes 120 --out kiosk.json
.venv/bin/python -m benchmarks.kiosk --plot kiosk.json
# 机器忙的时候，在它的最后几分钟里同时运行一个新的服务器，放在一起看（--plot A B）：
.venv/bin/python -m benchmarks.kiosk --minutes 6 --seed 2 --out young.json
```

## 一次运行

{began}，CPython {python}，2 个核心，同时还有别的工作：**{minutes:.0f} 分钟里的 {days} 个虚拟日**{short}。
{visits:,} 次来访，{turns:,} 轮对话，其中 {interrupted:,} 轮被打断，提供方失败 {hiccups:,} 次，
切换角色 {switches:,} 次，加载网页 {reloads:,} 次，没有唤醒词的话 {ignored:,} 句，角色主动开口 {proactive:,} 次；
向提供方发出 {requests:,} 个请求。

**不符合预期的回答有 {problem_count} 个**，服务器日志里的错误 {complaints} 条，被放弃的任务 {abandoned} 个。
历史最后占用 {disk:.1f} MB。

![虚拟日里的内存、持有的资源、首次回复和处理器时间](images/kiosk.svg)

| 午夜时 | 水平 | 整个运行中的变化 | 结论 |
|---|---:|---:|---|
{table}

结论与 `greenroom soak` 相同：*flat* 表示变化的 95 % 区间上端低于无关紧要的程度（内存的 3 %，首次回复的 10 %，半个任务，
处理器时间的 15 %）。首次回复中有 20 毫秒是提供方的。
"""
BESIDE_CHINESE = """
墙上的钟分不清是服务器变慢了，还是机器变忙了；而这台机器确实变忙了，95 百分位可以看出。
所以在旧服务器旁边启动了一个新的，同时演同样的剧本 {beside_minutes:.0f} 分钟。
首次回复的下四分位数：**新的 {young_first:.1f} 毫秒，{age:.0f} 个虚拟日之后的 {aged_first:.1f} 毫秒**；
每次来访的处理器时间：新的 {young_cpu:.1f} 毫秒，旧的 {aged_cpu:.1f} 毫秒。
"""
