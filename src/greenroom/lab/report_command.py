"""`greenroom report`: results side by side, in the terminal and as one HTML file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from greenroom.lab.display import COLOURS
from greenroom.lab.record import NotARun, Run, load
from greenroom.lab.verdict import FIGURES, judge
from greenroom.lab.wording import cause_lines, headline, status, title

USAGE = 2


def run_report(
    paths: Sequence[Path], target: Path | None, language: str, console: Console | None = None
) -> int:
    """Print the runs side by side and write the page, if one is wanted; returns the exit code."""
    console = console or Console()
    try:
        runs = [load(path) for path in paths]
    except NotARun as error:
        console.print(f"greenroom report: {error}", style="red", markup=False, highlight=False)
        return USAGE
    except OSError as error:
        console.print(f"greenroom report: cannot read {error.filename}: {error.strerror}", style="red")
        return USAGE
    labels = unique_labels(paths)
    console.print(side_by_side(runs, labels, language))
    if target is not None:
        from greenroom.lab.report import NotBuilt, write_report

        try:
            write_report(runs, target, labels)
        except NotBuilt as error:
            console.print(f"greenroom report: {error}", style="red", markup=False, highlight=False)
            return USAGE
        except OSError as error:
            console.print(f"greenroom report: cannot write {target}: {error.strerror}", style="red")
            return USAGE
        console.print(f"Written: {target}", highlight=False)
    return 0


def unique_labels(paths: Sequence[Path]) -> list[str]:
    """The files' names without their ending; with their folder where two are the same."""
    stems = [path.stem for path in paths]
    return [
        stem if stems.count(stem) == 1 else f"{path.parent.name}/{stem}"
        for path, stem in zip(paths, stems, strict=True)
    ]


def side_by_side(runs: Sequence[Run], labels: Sequence[str], language: str = "en") -> Table:
    """One column for each run: the verdict, the causes, each figure."""
    verdicts = [judge(run) for run in runs]
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("")
    for label in labels:
        table.add_column(label, overflow="fold")
    zh = language == "zh"
    table.add_row(
        "结论" if zh else "verdict",
        *(
            Text(headline(verdict, run, language), COLOURS[verdict.outcome])
            for run, verdict in zip(runs, verdicts, strict=True)
        ),
    )
    table.add_row(
        "可能原因" if zh else "likely causes",
        *(
            "\n".join(
                f"{number}. {name}" for number, (name, _) in enumerate(cause_lines(verdict, language), 1)
            )
            or "–"
            for verdict in verdicts
        ),
    )
    for name in FIGURES:
        if any(name in verdict.trends for verdict in verdicts):
            table.add_row(
                title(name, language),
                *(
                    Text(status(name, found, language), COLOURS[found.status])
                    if (found := verdict.trends.get(name)) is not None
                    else "–"
                    for verdict in verdicts
                ),
            )
    return table
