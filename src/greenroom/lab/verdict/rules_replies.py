"""Rules about replies: what closed pages still hold, what prompts grow by, which turns never end."""

from __future__ import annotations

from greenroom.lab.plan import EARLY_PAGES
from greenroom.lab.verdict.causes import Case, Rule
from greenroom.lab.verdict.evidence import after_abrupt, delay_after, glow, values
from greenroom.lab.verdict.figures import FIGURES, disturbance, median_of
from greenroom.lab.verdict.trend import Point, trend

TALK = ("polite", "patient")


def replies_running(case: Case) -> None:
    """Pages that leave before the reply has begun: does the server go on working, does the next page wait?"""
    seen, late = glow(case.run, "early"), delay_after(case.run, "early")
    if seen is not None and seen.certain:
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
    if seen is not None and seen.certain and not (plain is not None and plain.certain):
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
        level = median_of(point.value for point in points[: max(3, len(points) // 4)]) or 0.0
        found = trend(points, FIGURES[name].margin(level, disturbance(case.run, points)))
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


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms" if abs(seconds) < 1 else f"{seconds:.1f} s"


REPLY_RULES: tuple[Rule, ...] = (replies_running, speech_held, init_running, prompt_growing, orphaned_turns)
