"""Reports and tables: complete, in both languages, safe to open."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from rich.console import Console
from tests.lab.test_evidence import CAUSES, sound_run

from greenroom.lab.display import verdict_view, visits_table
from greenroom.lab.record import FORMAT, NotARun, Run, load, save
from greenroom.lab.report import NotBuilt, render
from greenroom.lab.report_command import run_report, unique_labels
from greenroom.lab.soak_command import Wanted, document, run_soak
from greenroom.lab.table import ordinal, rows, seconds
from greenroom.lab.verdict import FIGURES, judge


@pytest.fixture
def run() -> Run:
    """A run of a server whose prompt grows."""
    made = sound_run()
    CAUSES["the prompt"][0](made)
    return made


def console(width: int = 120) -> Console:
    """One that records what it prints."""
    return Console(record=True, width=width, force_terminal=False)


def test_the_table_shows_the_visits_of_the_analysis(run: Run):
    """1st, 3rd, 5th, 10th and so on, each with its reply, and the last one."""
    assert [row.visit.number for row in rows(run)] == [1, 3, 5, 10, 20, 30, 50]
    assert all(row.visit.first_reply is not None for row in rows(run))
    assert [ordinal(number) for number in (1, 2, 3, 11, 13, 21, 102)] == [
        "1st", "2nd", "3rd", "11th", "13th", "21st", "102nd",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("value", "text"), [(None, "–"), (0.0012, "1.2 ms"), (0.25, "250 ms"), (12.34, "12.3 s")]
)
def test_times_are_short(value: float | None, text: str):
    """A time is shown in the unit that fits."""
    assert seconds(value) == text


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_narrow_terminal_cuts_nothing_off(run: Run, language: str):
    """With 80 columns every figure of the table is whole."""
    out = console(80)
    out.print(visits_table(run, language, 80))
    assert "…" not in out.export_text()


def test_the_verdict_is_told_in_both_languages(run: Run):
    """Status, interval, cause and sentence appear in English and in Chinese."""
    verdict = judge(run)
    for language, words in {
        "en": ("growing", "95 %", "prompt grows"),
        "zh": ("增长", "95%", "提示词"),
    }.items():
        out = console()
        out.print(verdict_view(run, verdict, language))
        text = out.export_text()
        assert all(word in text for word in words)


def test_the_page_needs_no_network(run: Run):
    """Nothing in the report is loaded from anywhere."""
    page = render([run], [""])
    assert not re.findall(r"""(?:src|href)\s*=|@import|url\(|fetch\(|XMLHttpRequest""", page)


def test_the_page_has_every_figure_and_both_languages(run: Run):
    """Each judged figure has its line and its chart; each text stands there twice."""
    page = render([run], [""])
    data = json.loads(re.search(r'id="data">(.*?)</script>', page, re.DOTALL)[1].replace("<\\/", "</"))
    assert {chart["name"] for chart in data["charts"]} == set(judge(run).trends)
    assert page.count('<span lang="en">') == page.count('<span lang="zh">')
    assert all(FIGURES[chart["name"]].title_zh in page for chart in data["charts"])


def test_the_page_carries_the_charts_and_their_licence(run: Run):
    """The chart library stands in the file as built from the npm package, with its notice."""
    page = render([run], [""])
    assert "var uPlot=" in page
    assert page.count("Permission is hereby granted") == 2  # script and style


@pytest.fixture
def unbuilt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A copy of the sources in which nothing of `web/` was built."""
    monkeypatch.setattr("greenroom.lab.report.page.files", lambda _: tmp_path)


@pytest.mark.usefixtures("unbuilt")
def test_without_the_built_charts_the_report_says_how_to_build_them(run: Run, tmp_path: Path):
    """`greenroom report` ends as an error of usage that names the command."""
    with pytest.raises(NotBuilt, match="make page"):
        render([run], [""])
    save(document(run, judge(run)), tmp_path / "run.json")
    out = console()
    assert run_report([tmp_path / "run.json"], tmp_path / "out.html", "en", out) == 2
    assert "make page" in out.export_text()
    assert not (tmp_path / "out.html").exists()


@pytest.mark.usefixtures("unbuilt")
def test_a_soak_that_could_not_write_its_report_does_not_begin(tmp_path: Path):
    """What is missing is said before the visits, not after an hour of them."""
    out = console()
    assert run_soak(Wanted(url="ws://127.0.0.1:9/client-ws", report=tmp_path / "out.html"), out) == 2
    assert "make page" in out.export_text()


def test_words_of_a_server_stay_words(run: Run):
    """An address or a note with markup in it is shown, not run."""
    run.url = "ws://x/<script>alert(1)</script>"
    run.notes = ["</script><b>bold</b>"]
    page = render([run], ["<i>label</i>"])
    assert "<script>alert" not in page
    assert "<b>bold</b>" not in page
    assert "<i>label" not in page


def test_a_result_is_the_same_after_reading_it_back(run: Run, tmp_path: Path):
    """What --json writes can be read, and is judged the same."""
    path = tmp_path / "run.json"
    save(document(run, judge(run)), path)
    assert load(path) == run
    assert json.loads(path.read_text(encoding="utf-8"))["verdict"]["outcome"] == "growing"


@pytest.mark.parametrize(
    ("text", "words"),
    [("not json", "no result"), ("[]", "no result"), ('{"run": {"url": 1}}', "no result"),
     (f'{{"run": {{"url": "", "mode": "", "format": {FORMAT + 1}}}}}', "measure again")],
)  # fmt: skip
def test_other_files_are_refused(tmp_path: Path, text: str, words: str):
    """A file that is no result, or one of another version, is named with the reason."""
    path = tmp_path / "other.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(NotARun, match=words):
        load(path)
    out = console()
    assert run_report([path], None, "en", out) == 2
    assert words in out.export_text()


def test_two_results_lie_side_by_side(run: Run, tmp_path: Path):
    """Before and after have a column each, in the terminal and in the page."""
    before, after = tmp_path / "before.json", tmp_path / "after.json"
    save(document(run, judge(run)), before)
    sound = sound_run()
    save(document(sound, judge(sound)), after)
    out = console()
    assert run_report([before, after], tmp_path / "both.html", "en", out) == 0
    text = out.export_text()
    assert all(word in text for word in ("before", "after", "growing", "flat: visit 50"))
    page = (tmp_path / "both.html").read_text(encoding="utf-8")
    assert "<th>before</th><th>after</th>" in page


def test_equal_file_names_are_told_apart():
    """Two results of the same name are named with their folders."""
    assert unique_labels([Path("a/run.json"), Path("b/run.json"), Path("c.json")]) == ["a/run", "b/run", "c"]


def test_a_missing_result_is_told(tmp_path: Path):
    """A path that leads nowhere is an error of usage."""
    out = console()
    assert run_report([tmp_path / "none.json"], None, "en", out) == 2
    assert "cannot read" in out.export_text()
