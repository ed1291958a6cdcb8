"""What a verdict says in words, in English and Chinese."""

from __future__ import annotations

from greenroom.lab.record import Run
from greenroom.lab.table import amount, ordinal, seconds
from greenroom.lab.verdict import FIGURES, Trend, Verdict
from greenroom.lab.verdict.causes import TITLES

STATUS_ZH = {
    "flat": "平稳",
    "growing": "增长",
    "step": "跃升",
    "saturated": "饱和",
    "not enough visits": "访问次数不足",
}


def headline(verdict: Verdict, run: Run, language: str = "en") -> str:
    """The verdict in one sentence."""
    visits = len(run.visits)
    if language == "zh":
        match verdict.outcome:
            case "flat":
                return f"平稳：第 {visits} 次访问与最初一样。"
            case "growing" if verdict.failing:
                names = "、".join(FIGURES[name].title_zh for name in verdict.failing)
                return f"有增长：{visits} 次访问中，{names}变差。"
            case "growing":
                return f"{visits} 次访问中没有指标持续增长，但发现了缺陷。"
            case _:
                return f"访问次数不足：{visits} 次访问无法得出结论，请用更多次访问再试。"
    match verdict.outcome:
        case "flat":
            return f"flat: visit {visits} is served like the first ones."
        case "growing" if verdict.failing:
            names = ", ".join(FIGURES[name].title for name in verdict.failing)
            return f"growing: over {visits} visits these got worse: {names}."
        case "growing":
            return f"growing: over {visits} visits no figure kept rising, but a defect shows (below)."
        case _:
            return f"not enough visits: {visits} do not decide it; try with more."


def status(name: str, found: Trend, language: str = "en") -> str:
    """One figure's trend: `growing (+1.2 s per 100 visits, 95 % interval 1.0 s … 1.4 s)`."""
    unit = FIGURES[name].unit
    zh = language == "zh"
    word = STATUS_ZH[found.status] if zh else found.status
    level = amount(found.level, unit)
    match found.status:
        case "growing":
            rate, low, high = (_signed(value, unit) for value in (found.per_100, found.low, found.high))
            if zh:
                return f"{word}（起初 {level}，每百次访问 {rate}，95% 区间 {low} … {high}）"
            return f"{word} (from {level}, {rate} per 100 visits, 95 % interval {low} … {high})"
        case "step":
            rise = _signed(found.change, unit)
            if zh:
                return f"{word}（从 {level} 起，第 {found.at} 次访问时 {rise}）"
            return f"{word} ({rise} at the {ordinal(found.at or 0)} visit, from {level})"
        case "saturated":
            if zh:
                return f"{word}（从 {level} 起，约在第 {found.at} 次访问后不再变化）"
            return f"{word} (from {level}; rose, and stays since about the {ordinal(found.at or 0)} visit)"
        case "flat":
            return f"{word}（{level}）" if zh else f"{word} ({level})"
        case _:
            if zh:
                return (
                    f"{word}（{level}，每百次访问 {_signed(found.low, unit)} … {_signed(found.high, unit)}）"
                )
            return (
                f"{word} ({level}, {_signed(found.low, unit)} … {_signed(found.high, unit)} per 100 visits)"
            )


def _signed(value: float, unit: str) -> str:
    return ("+" if value >= 0 else "−") + amount(abs(value), unit)


def title(name: str, language: str = "en") -> str:
    figure = FIGURES[name]
    return figure.title_zh if language == "zh" else figure.title


def cause_lines(verdict: Verdict, language: str = "en") -> list[tuple[str, str]]:
    """Name and evidence of each cause."""
    zh = language == "zh"
    return [
        (TITLES[cause.name][1 if zh else 0], cause.evidence_zh if zh else cause.evidence)
        for cause in verdict.causes
    ]


def restart_line(run: Run, language: str = "en") -> str | None:
    """What a restart changed, if one was asked for."""
    if "before" not in run.restart or "after" not in run.restart:
        return None
    before, after = run.restart["before"], run.restart["after"]
    cures = after < 0.75 * before
    if language == "zh":
        word = "重启后恢复正常" if cures else "重启没有改变"
        return f"{word}：首次回复 {seconds(before)} → {seconds(after)}"
    word = "a restart cures it" if cures else "a restart changes nothing"
    return f"{word}: first reply {seconds(before)} → {seconds(after)}"
