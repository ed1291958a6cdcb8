"""From what was seen to why: each rule looks for one cause, and names it only with its evidence.

The rules see the run and the trends, nothing of the server. Where two causes look alike, a rule asks for
what only the one can do: a page that leaves before the reply has begun holds no speech engine; a silent
page adds nothing to a prompt; a spinning loop does not sleep between its turns, a polling one does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from greenroom.lab.record import Run
from greenroom.lab.verdict.trend import Trend


@dataclass(frozen=True)
class Cause:
    """One likely cause."""

    name: str
    """Stable, for programs: `speech-held`, `prompt-growing`, …"""
    evidence: str
    """What was seen, with figures, in English…"""
    evidence_zh: str
    """… and in Chinese."""


TITLES: dict[str, tuple[str, str]] = {
    "server-died": ("the server's process ended during the run", "服务器进程在测试中退出"),
    "replies-running": ("replies of closed pages go on", "已关闭页面的回复仍在进行"),
    "provider-slots": ("the provider's slots are used up by closed pages", "模型的并发槽被已关闭页面占满"),
    "speech-held": ("speech of closed pages holds the engine", "已关闭页面的语音占着语音引擎"),
    "init-running": ("character initialisations of closed pages go on", "已关闭页面的角色初始化仍在进行"),
    "prompt-growing": ("the prompt grows with every visit", "提示词随访问不断变长"),
    "orphaned-turns": ("turns are orphaned: their end never comes", "有对话轮次被遗弃，永不结束"),
    "children-left": ("child processes are left behind", "遗留子进程"),
    "idle-spin": ("the idle server burns CPU in a loop", "空闲时服务器空转消耗 CPU"),
    "fds-left": ("open files are left behind", "遗留打开的文件"),
    "threads-left": ("threads are left behind", "遗留线程"),
    "tasks-left": ("tasks are left behind", "遗留任务"),
    "peers-kept": ("peers that have vanished are kept", "失联的连接一直不释放"),
    "registry-growing": ("what belongs to closed pages is kept", "已关闭页面的上下文未释放"),
    "memory-growing": ("memory grows with what is said", "内存随对话增长"),
    "polling": ("each visit leaves a polling loop", "每次访问遗留一个轮询循环"),
    "loop-blocked": ("the event loop is blocked", "事件循环被阻塞"),
    "files-at-open": ("files are read at each page open", "每次打开页面都读取文件"),
    "garbage-collection": ("garbage collections get longer", "垃圾回收越来越久"),
    "connect-slowing": ("setting up a connection gets slower", "建立连接越来越慢"),
    "unknown": ("something that cannot be seen from outside", "从外部看不出的原因"),
}
"""Every cause by name, in English and Chinese."""


@dataclass
class Case:
    """What a rule may look at, and what has been found so far."""

    run: Run
    trends: Mapping[str, Trend]
    found: dict[str, Cause] = field(default_factory=dict)
    spins: bool = False
    """The server itself never sleeps, so how often it wakes means nothing."""

    def name(self, name: str, evidence: str, evidence_zh: str) -> None:
        self.found.setdefault(name, Cause(name, evidence, evidence_zh))

    def rises(self, figure: str) -> bool:
        return figure in self.trends and self.trends[figure].rises

    def grows(self, figure: str) -> bool:
        """It keeps rising; one step, as a pool takes that is filled when first used, is no leak."""
        return figure in self.trends and self.trends[figure].status == "growing"


Rule = Callable[[Case], None]


def find_causes(run: Run, trends: Mapping[str, Trend]) -> list[Cause]:
    """The causes that have evidence, most telling first."""
    from greenroom.lab.verdict.rules_idle import IDLE_RULES
    from greenroom.lab.verdict.rules_replies import REPLY_RULES
    from greenroom.lab.verdict.rules_resources import RESOURCE_RULES

    case = Case(run, trends)
    for rule in (*IDLE_RULES, *REPLY_RULES, *RESOURCE_RULES):
        rule(case)
    if not case.found and any(case.rises(name) for name in ("first_reply", "whole_reply")):
        case.name("unknown", "replies get slower; nothing else that can be seen from here does",
                  "回复变慢，但从外部看不到其他变化")  # fmt: skip
    order = list(TITLES)
    return sorted(case.found.values(), key=lambda cause: order.index(cause.name))
