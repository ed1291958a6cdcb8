"""Rules about what is left in the process, and about what the loop, the disk and the collector do."""

from __future__ import annotations

import itertools
import statistics

from greenroom.lab.plan import MANNERS
from greenroom.lab.table import MANNERS_ZH
from greenroom.lab.verdict.causes import Case, Rule
from greenroom.lab.verdict.evidence import left_behind, memory_by_manner, trimmed, values
from greenroom.lab.verdict.figures import MB, median_of
from greenroom.lab.verdict.trend import Point, scatter, start, trend

TALK = ("polite", "patient", "late", "burst")
BLOCKED_SECONDS = 0.05
PIPES_PER_CHILD = 3
LONG_COLLECTION = 0.012
KEPT_LONG = 55.0
STEADY_BYTES = 16 * 1024
READS_PER_100 = 40.0
"""More read calls of a page open after a hundred visits: a file for each of them takes one call at least. An index of
a database that grows takes a few.
"""
MANY_READS = 300
"""Read calls of one page open: a sound server makes a few dozen at most."""


def server_died(case: Case) -> None:
    """The server is gone."""
    died = case.run.died
    if died is None:
        return
    manner = next((visit.manner for visit in case.run.visits if visit.number == died), "")
    case.name(
        "server-died",
        f"its process was gone after visit {died} ({manner}: {MANNERS.get(manner, 'unknown')})",
        f"第 {died} 次访问（{MANNERS_ZH.get(manner, manner)}）之后进程已不存在",
    )


def children_left(case: Case) -> None:
    """Processes born since the beginning that are still there."""
    left = left_behind(case.run, lambda s: s.children, 2)
    if left is None or not (left.steady or case.grows("children")):
        return
    last = case.run.samples[-1]
    case.name(
        "children-left",
        f"{left.count:.0f} child processes more than at the beginning, {left.per_visit:.2f} a visit; "
        f"{last.reparented or 0} of them without their parent, {(last.child_memory or 0) / MB:.0f} MB "
        f"together",
        f"子进程比开始时多 {left.count:.0f} 个，每次访问 {left.per_visit:.2f} 个；其中 "
        f"{last.reparented or 0} "
        f"个已失去父进程，共占 {(last.child_memory or 0) / MB:.0f} MB",
    )


def fds_left(case: Case) -> None:
    """Open files that no child process explains."""
    children = left_behind(case.run, lambda s: s.children, 1)
    explained = PIPES_PER_CHILD * (children.count if children else 0)
    kinds: dict[str, float] = {}
    for kind in sorted({kind for sample in case.run.samples for kind in sample.fd_kinds}):
        left = left_behind(case.run, lambda s, kind=kind: s.fd_kinds.get(kind, 0), 1)
        if left is not None and left.steady:
            kinds[kind] = left.count - (explained if kind == "pipe" else 0)
    count = sum(found for found in kinds.values() if found > 0)
    if count >= max(4, 0.05 * len(case.run.visits)):
        listed = ", ".join(f"{found:.0f} × {kind}" for kind, found in kinds.items() if found > 0)
        per_visit = count / max(1, len(case.run.visits))
        case.name(
            "fds-left",
            f"{count:.0f} open files more than at the beginning ({listed}), {per_visit:.2f} a visit",
            f"打开的文件比开始时多 {count:.0f} 个（{listed}），每次访问 {per_visit:.2f} 个",
        )


def threads_left(case: Case) -> None:
    left = left_behind(case.run, lambda s: s.threads, 3)
    if left is not None and case.grows("threads"):
        case.name(
            "threads-left",
            f"{left.count:.0f} threads more than at the beginning, {left.per_visit:.2f} a visit",
            f"线程比开始时多 {left.count:.0f} 个，每次访问 {left.per_visit:.2f} 个",
        )


def tasks_left(case: Case) -> None:
    left = left_behind(case.run, lambda s: s.tasks, 4)
    if left is not None and case.rises("tasks"):
        case.name(
            "tasks-left",
            f"the server counts {left.count:.0f} tasks more than at the beginning, {left.per_visit:.2f} "
            f"a visit",
            f"服务器自报任务比开始时多 {left.count:.0f} 个，每次访问 {left.per_visit:.2f} 个",
        )


def files_at_open(case: Case) -> None:
    """Opening a page takes longer, or reads more, with each visit; replies do not."""
    run = case.run
    points = [Point(v.number, v.reads, v.manner) for v in run.visits if v.number > 1 and v.reads is not None]
    # Some event loops read their sockets with the same call as files: that scatters, and is no growth.
    level = start(points)
    reads = trend(points, max(4.0, 0.05 * level, scatter(points)))
    usual = median_of(point.value for point in points) or 0.0
    opened = case.trends.get("opened")
    slower = opened is not None and opened.status == "growing"
    if reads.status == "growing" and reads.per_100 >= READS_PER_100:
        more = f", and takes {opened.per_100 * 1000:+.0f} ms per 100 visits" if slower and opened else ""
        more_zh = f"，耗时每百次访问增加 {opened.per_100 * 1000:.0f} 毫秒" if slower and opened else ""
        case.name(
            "files-at-open",
            f"opening a page makes {level:.0f} read calls at first and {reads.per_100 / 100:.1f} "
            f"more with each visit{more}",
            f"打开页面起初需 {level:.0f} 次读文件调用，每次访问增加 {reads.per_100 / 100:.1f} 次{more_zh}",
        )
    elif len(points) >= 5 and usual >= MANY_READS:
        case.name(
            "files-at-open",
            f"opening a page makes {usual:.0f} read calls, each time: so much is read again for every visitor",
            f"每次打开页面都需 {usual:.0f} 次读文件调用：每位访客都要重新读取",
        )
    elif slower and opened is not None and not points:
        case.name(
            "files-at-open",
            f"from the handshake to the four answers it takes {opened.level * 1000:.0f} ms at first and "
            f"{opened.per_100 * 1000:.0f} ms more per 100 visits",
            f"从握手到四个应答起初需 {opened.level * 1000:.0f} 毫秒，每百次访问增加 "
            f"{opened.per_100 * 1000:.0f} 毫秒",
        )


def connect_slowing(case: Case) -> None:
    found = case.trends.get("connect")
    if found is not None and found.status == "growing":
        case.name(
            "connect-slowing",
            f"TCP and handshake take {found.level * 1000:.0f} ms at first and "
            f"{found.per_100 * 1000:.0f} ms more per "
            "100 visits",
            f"TCP 与握手起初需 {found.level * 1000:.0f} 毫秒，每百次访问增加 {found.per_100 * 1000:.0f} 毫秒",
        )


def garbage_collection(case: Case) -> None:
    """Now and then a visit costs far more CPU than others of its kind, the more the larger memory is."""
    memory = case.trends.get("memory")
    if memory is None or memory.status != "growing" or memory.change < 30 * MB:
        return
    usual: dict[str, list[float]] = {}
    for visit in case.run.visits:
        if visit.cpu is not None:
            usual.setdefault(visit.manner, []).append(visit.cpu)
    middles = {manner: statistics.median(costs) for manner, costs in usual.items()}
    judged = [v for v in case.run.visits if v.number > 1 and v.cpu is not None and len(usual[v.manner]) >= 3]
    high = [(v.number, (v.cpu or 0.0) - middles[v.manner]) for v in judged]
    # A busy machine makes every visit dearer now and then: what is small against the longest is not counted.
    least = max(LONG_COLLECTION, 0.15 * max((extra for _, extra in high), default=0.0))
    high = [(number, extra) for number, extra in high if extra > least]
    if len(high) < 3 or len(high) > 0.35 * len(judged):
        return
    pairs = list(itertools.combinations(high, 2))
    rises = sum(later > earlier for (_, earlier), (_, later) in pairs) / len(pairs)
    if rises >= 0.75 and high[-1][1] > 1.5 * high[0][1]:
        first, last = high[0][1] * 1000, high[-1][1] * 1000
        case.name(
            "garbage-collection",
            f"{len(high)} of {len(judged)} visits cost the server {first:.0f} ms to {last:.0f} ms of "
            f"CPU more "
            f"than others of their kind, the more the later, while memory grows by "
            f"{memory.change / MB:.0f} MB: "
            "so a full collection costs",
            f"{len(judged)} 次访问中有 {len(high)} 次比同类访问多耗 {first:.0f} 至 {last:.0f} 毫秒 CPU，"
            f"越往后越多，同时内存增长 {memory.change / MB:.0f} MB：这正是完整垃圾回收的表现",
        )


def loop_blocked(case: Case) -> None:
    """The bystander waits while others talk: usually, and longer than opening a page accounts for."""
    run = case.run
    talking = values(run, lambda v: v.stall, TALK)
    silent = values(run, lambda v: v.bystander, ("silent",)) if "files-at-open" not in case.found else []
    # A busy machine makes an answer late now and then; the quickest of the silent visits show what opening takes.
    usual, calm = median_of(talking), median_of(sorted(silent)[: max(1, len(silent) // 2)])
    if usual is None or len(talking) < 5:
        return
    if usual > BLOCKED_SECONDS and (calm is None or usual > 3 * calm):
        case.name(
            "loop-blocked",
            f"while somebody talks, another page waits {usual * 1000:.0f} ms for an answer"
            + (f" ({calm * 1000:.0f} ms when a page is only opened)" if calm is not None else ""),
            f"有人对话时，另一页面要等 {usual * 1000:.0f} 毫秒才得到应答"
            + (f"（只打开页面时 {calm * 1000:.0f} 毫秒）" if calm is not None else ""),
        )


def peers_kept(case: Case) -> None:
    """Peers that vanished long ago are still served."""
    gone, kept = case.run.let_go, [age for age in case.run.kept if age >= KEPT_LONG]
    if len(kept) >= 2 and len(kept) > len(gone):
        case.name(
            "peers-kept",
            f"{len(kept)} of {len(gone) + len(case.run.kept)} peers that vanished without closing were still "
            f"connected after {max(kept):.0f} s: no ping finds them",
            f"{len(gone) + len(case.run.kept)} 个失联的对端中有 {len(kept)} 个在 {max(kept):.0f} 秒后仍保持连接："
            "没有心跳检测它们",
        )


def memory_kept(case: Case) -> None:
    """Memory grows: with every page, or only with what is said?"""
    found = case.trends.get("memory")
    if found is None or found.status != "growing":
        return
    left = memory_by_manner(case.run)
    by = {manner: trimmed(changes) for manner, changes in left.items()}
    each = found.per_100 / 100
    silent = by.get("silent")
    # New contexts may fit into what larger work has freed: then less shows, but it shows each time.
    steady = [change > STEADY_BYTES for change in left.get("silent", [])]
    always = len(steady) >= 3 and sum(steady) >= 0.8 * len(steady)
    shown = ", ".join(f"{manner} {change / 1024:+.0f} KB" for manner, change in sorted(by.items()))
    if silent is not None and (silent > 0.4 * each or (always and silent > 0.1 * each)):
        case.name(
            "registry-growing",
            f"each page that is only opened and closed leaves {silent / 1024:.0f} KB ({shown} a visit)",
            f"每个只打开再关闭的页面留下 {silent / 1024:.0f} KB（每次访问：{shown}）",
        )
    elif not case.found.keys() & {"prompt-growing", "orphaned-turns", "replies-running", "threads-left"}:
        case.name(
            "memory-growing",
            f"{each / 1024:.0f} KB a visit, pages that say nothing leave little ({shown})",
            f"每次访问 {each / 1024:.0f} KB，不说话的页面几乎不留下什么（{shown}）",
        )


RESOURCE_RULES: tuple[Rule, ...] = (
    server_died, children_left, fds_left, threads_left, tasks_left, files_at_open, connect_slowing,
    peers_kept,
    garbage_collection, loop_blocked, memory_kept,
)  # fmt: skip
