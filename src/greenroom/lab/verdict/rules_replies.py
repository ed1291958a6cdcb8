"""Rules about replies: what closed pages still hold, what prompts grow by, which turns never end."""

from __future__ import annotations

from greenroom.lab.plan import EARLY_PAGES
from greenroom.lab.verdict.causes import Case, Rule
from greenroom.lab.verdict.evidence import Glow, after_abrupt, delay_after, glow, values
from greenroom.lab.verdict.figures import FIGURES, median_of
from greenroom.lab.verdict.trend import Point

TALK = ("polite", "patient")
RECOVERY_SECONDS = 30.0
"""No longer is a server left alone before it is asked again."""


def replies_running(case: Case) -> None:
    """Pages that leave before the reply has begun: does the server go on working, does the next page wait?"""
    seen, late = glow(case.run, "early"), delay_after(case.run, "early")
    if seen is not None and seen.certain and not _polled(case, seen, glow(case.run, "flip")):
        case.name(
            "replies-running",
            f"after pages that were closed before their reply had begun, the server still woke "
            f"{seen.wakeups:.0f} times a second ({seen.rest:.0f} at rest)",
            f"在回复开始前就关闭页面后，服务器每秒仍被唤醒 {seen.wakeups:.0f} 次（空闲时 "
            f"{seen.rest:.0f} 次）",
        )
    if late is not None and late.certain:
        text = (
            f"right after them the next first reply takes {_ms(late.usual + late.more)}, not "
            f"{_ms(late.usual)}",
            f"紧接其后的首次回复需 {_ms(late.usual + late.more)}，平时 {_ms(late.usual)}",
        )
        case.name("replies-running", f"pages closed before their reply had begun: {text[0]}",
                  f"在回复开始前关闭页面：{text[1]}")  # fmt: skip
        case.name("provider-slots", *text)


def _polled(case: Case, seen: Glow, control: Glow | None) -> bool:
    """Whether loops that earlier pages have left explain it: they wake the server after other pages as well."""
    return "polling" in case.found and not _outshines(seen, control)


def _outshines(seen: Glow, control: Glow | None) -> bool:
    return control is not None and seen.wakeups > 2 * control.wakeups + 25


def speech_held(case: Case) -> None:
    """Pages that leave when they are being spoken to: does the next page wait, as it does not after early
    leavers?
    """
    run = case.run
    if not any(visit.sound for visit in run.visits):
        return
    early, late = delay_after(run, "early"), delay_after(run, "late")
    if early is not None and early.certain:
        # Replies that go on are spoken too, if nothing stops that. They hold a slot for less than a whole reply.
        whole = median_of(values(run, lambda v: v.whole_reply, TALK, "calm"))
        if whole is not None and early.more > 0.5 * EARLY_PAGES * whole:
            case.name(
                "speech-held",
                f"each page closed before its reply had begun delays the next reply by "
                f"{_ms(early.more / EARLY_PAGES)} of the {_ms(whole)} that a whole one takes: their "
                f"speech goes "
                "on too (or replies are made one at a time)",
                f"每个在回复前关闭的页面使下一次回复推迟 {_ms(early.more / EARLY_PAGES)}（完整回复需 "
                f"{_ms(whole)}）：它们的语音也在继续（或者模型一次只生成一个回复）",
            )
    elif late is not None and late.certain:
        case.name(
            "speech-held",
            f"after pages that were closed while they were spoken to, the next first reply takes "
            f"{_ms(late.usual + late.more)}, not {_ms(late.usual)}; pages closed before that delay nobody",
            f"语音播放中关闭页面后，下一次首次回复需 {_ms(late.usual + late.more)}，平时 "
            f"{_ms(late.usual)}；在此之前关闭则没有影响",
        )
    for after in ("early", "late"):
        spread = after_abrupt(run, lambda v: v.pace, TALK, after, 0.015)
        if spread is not None and spread.certain:
            case.name(
                "speech-held",
                f"after abrupt closes the sentences of the next reply come every "
                f"{_ms(spread.usual + spread.more)}, not every {_ms(spread.usual)}: others are spoken "
                f"in between",
                f"突然关闭后，下一次回复每 {_ms(spread.usual + spread.more)} 才来一句，平时 "
                f"{_ms(spread.usual)}："
                "中间在朗读别的内容",
            )


def init_running(case: Case) -> None:
    """Pages that leave after changing the character: does the next change wait for theirs?"""
    run = case.run
    waits = after_abrupt(run, lambda v: v.first_reply, ("switch",), "flip")
    if waits is not None and waits.certain:
        case.name(
            "init-running",
            f"the first reply after a character change takes {_ms(waits.usual)}, but "
            f"{_ms(waits.usual + waits.more)} "
            f"if pages that changed three times have just been closed",
            f"切换角色后的首次回复需 {_ms(waits.usual)}；若刚有页面连续切换三次后关闭，则需 "
            f"{_ms(waits.usual + waits.more)}",
        )
        return
    seen, plain = glow(run, "flip"), glow(run, "early")
    others = plain is not None and plain.certain
    if seen is not None and seen.certain and (not others or _outshines(seen, plain)):
        if "polling" in case.found and not _outshines(seen, plain):
            return
        case.name(
            "init-running",
            f"after a page that changed its character was closed, the server still woke "
            f"{seen.wakeups:.0f} times a "
            f"second ({seen.rest:.0f} at rest), as it did not after other closed pages",
            f"切换过角色的页面关闭后，服务器每秒仍被唤醒 {seen.wakeups:.0f} 次（空闲时 {seen.rest:.0f} 次），"
            "其他页面关闭后没有这种情况",
        )


def prompt_growing(case: Case) -> None:
    """Calm visits, to a server that has come to rest: do their replies still take longer and longer?"""
    calm = [v for v in case.run.visits if v.manner in TALK and v.after == "calm" and v.number > 1]
    for name in ("first_reply", "whole_reply"):
        points = [Point(visit.number, value) for visit in calm if (value := getattr(visit, name)) is not None]
        found = FIGURES[name].judge(case.run, points)
        if found.status == "growing" and not case.rises("idle_cpu"):
            what = FIGURES[name]
            case.name(
                "prompt-growing",
                f"even in the calm, with nothing left running, the {what.title} takes "
                f"{_ms(found.level)} at first and "
                f"{_ms(found.per_100 / 100)} more with each visit",
                f"即使服务器已空闲，{what.title_zh}起初需 {_ms(found.level)}，每次访问再增加 "
                f"{_ms(found.per_100 / 100)}",
            )
            return


def orphaned_turns(case: Case) -> None:
    """Two messages at once: is every turn that began also ended?"""
    bursts = [v for v in case.run.visits if v.manner == "burst" and v.error is None and v.starts]
    lost = [v for v in bursts if v.starts > v.ends]
    if len(bursts) >= 2 and len(lost) >= 0.5 * len(bursts):
        began, ended = sum(v.starts for v in lost), sum(v.ends for v in lost)
        case.name(
            "orphaned-turns",
            f"pages that sent two messages at once: {began} turns began, {ended} ended "
            f"(no conversation-chain-end for {began - ended})",
            f"连续发送两条消息的页面：开始了 {began} 轮，只有 {ended} 轮结束（{began - ended} 轮没有 "
            "conversation-chain-end）",
        )


def abrupt_backlog(case: Case) -> None:
    """Nothing but abrupt closes: what do visitors meet in between, and once the server was left alone?"""
    run = case.run
    busy = [v.first_reply for v in run.visits if v.after == "late" and v.first_reply is not None
            and v.manner == "patient"]  # fmt: skip
    late = sum(v.timed_out for v in run.visits)
    usual, alone = median_of(busy), median_of(run.recovery)
    first = next((v.first_reply for v in run.visits if v.number == 1), None)
    if run.mode != "abrupt" or len(busy) + late < 2:
        return
    seen = glow(run, "late")
    if seen is not None and seen.certain:
        case.name(
            "replies-running",
            f"after pages that were closed in mid-reply, the server still woke {seen.wakeups:.0f} times a "
            f"second ({seen.rest:.0f} at rest)",
            f"回复中途关闭页面后，服务器每秒仍被唤醒 {seen.wakeups:.0f} 次（空闲时 {seen.rest:.0f} 次）",
        )
    calm = min((value for value in (first, alone) if value is not None), default=None)
    margin = FIGURES["first_reply"].margin(
        run, [Point(number, value) for number, value in enumerate(run.recovery)]
    )
    worst = max(busy, default=run.patience)
    if calm is None or (usual is None and not late):
        return
    if late or (usual is not None and usual > calm + max(margin, 0.5 * calm)):
        text = (
            f"between pages closed in mid-reply a visitor waits {_ms(usual or worst)}"
            + (f" (worst {_ms(worst)}{', or no answer at all' if late else ''})" if worst != usual else "")
            + f", but {_ms(calm)} when no page was closed before",
            f"在中途关闭的页面之间，访客要等 {_ms(usual or worst)}（最长 {_ms(worst)}"
            + ("，甚至没有回复" if late else "") + f"），而没有页面关闭时只需 {_ms(calm)}",
        )  # fmt: skip
        # What wakes the server for each token is a reply; a speech engine is waited for in silence.
        spoken = any(visit.sound for visit in run.visits)
        running = "replies-running" in case.found
        case.name("provider-slots" if running or not spoken else "speech-held", *text)
        if running and spoken:
            case.name("speech-held", *text)
    drained = not late and 2 * worst < RECOVERY_SECONDS
    if drained and alone is not None and first is not None and alone > first + max(margin, 0.5 * first):
        case.name(
            "prompt-growing",
            f"even after it was left alone, the first reply takes {_ms(alone)}; the first visitor waited "
            f"{_ms(first)}",
            f"即使让服务器静置之后，首次回复仍需 {_ms(alone)}；第一位访客只等了 {_ms(first)}",
        )


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms" if abs(seconds) < 1 else f"{seconds:.1f} s"


REPLY_RULES: tuple[Rule, ...] = (
    replies_running, speech_held, init_running, prompt_growing, orphaned_turns, abrupt_backlog,
)  # fmt: skip
