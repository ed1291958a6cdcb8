"""Rules about what the server does when nobody asks for anything. They come first: what wakes a server at rest
must not be taken for what closed pages have left.
"""

from __future__ import annotations

import itertools
import statistics

from greenroom.lab.verdict.causes import Case, Rule
from greenroom.lab.verdict.evidence import rests


def idle_spin(case: Case) -> None:
    """At rest the server burns CPU, which it did not at the beginning, without sleeping in between."""
    found = rests(case.run)
    if len(found) < 3:
        return
    late = found[len(found) // 2 :]
    wanted, before = statistics.median(quiet.wanted for quiet in late), found[0].wanted
    wakeups = statistics.median(quiet.wakeups for quiet in late)
    cpu = found[-1].wanted
    children = min(found[-1].child_cpu, statistics.median(quiet.child_cpu for quiet in late))
    if children > 0.15:
        case.name(
            "idle-spin",
            f"at rest the processes that were started since the beginning take {children:.0%} of a core",
            f"空闲时，开始之后启动的子进程占一个核的 {children:.0%}",
        )
        return
    # On a machine where it has to wait for each turn, a loop that spins still takes its share of the cores.
    takes = statistics.median(quiet.cpu for quiet in late) > found[0].cpu + 0.05
    if takes and min(wanted, cpu) > before + 0.15 and wanted / max(1.0, wakeups) > 0.0005:
        case.spins = True
        case.name(
            "idle-spin",
            f"at rest, with no page but one silent one, it wants {cpu:.0%} of a core; {before:.0%} at "
            f"the beginning (what never sleeps hides how often others would wake it: mend this, measure again)",
            f"空闲时（只有一个静默页面）需要一个核的 {cpu:.0%}，开始时为 {before:.0%}"
            "（空转会掩盖其他轮询：修复后请再测一次）",
        )


def polling(case: Case) -> None:
    """At rest the server wakes the more often the more visits there were, and sleeps in between."""
    found = rests(case.run)
    visits = len(case.run.visits)
    if len(found) < 3 or not visits or case.spins:
        return
    before, last = found[0].wakeups, found[-1].wakeups
    more = last - before
    later = statistics.median(quiet.wakeups for quiet in found[len(found) // 2 :])
    pairs = list(itertools.combinations(found, 2))
    rising = sum(later.wakeups > earlier.wakeups for earlier, later in pairs) >= 0.7 * len(pairs)
    wakes_more = more > max(10.0, 0.8 * before) and later > before + 0.25 * more and rising
    # Many timers of one period fall together: then the wake-ups are few, but each takes longer.
    costs = statistics.median(quiet.cpu for quiet in found[len(found) // 2 :])
    dearer = sum(late.cpu > early.cpu for early, late in pairs) >= 0.6 * len(pairs)
    # Three rests are too few for that: an upkeep that falls into the last two makes them dearer as well.
    costs_more = len(found) > 3 and min(costs, found[-1].cpu) > found[0].cpu + 0.004 and dearer
    if wakes_more or costs_more:
        case.name(
            "polling",
            f"at rest the server wakes {last:.0f} times a second after {visits} visits, {before:.0f} "
            f"before the "
            f"first: {more / visits:.1f} more for each visit, {found[-1].cpu:.1%} of a core",
            f"空闲时，{visits} 次访问后服务器每秒被唤醒 {last:.0f} 次，第一次访问前为 {before:.0f} 次："
            f"每次访问增加 {more / visits:.1f} 次，占一个核的 {found[-1].cpu:.1%}",
        )


IDLE_RULES: tuple[Rule, ...] = (idle_spin, polling)
