"""What an installed Greenroom holds: a source distribution needs no Node, and its wheel has all that is built."""

from __future__ import annotations

import gzip
import os
import re
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
BUILT = (
    "greenroom/server/page/index.html",
    "greenroom/server/page/ops.html",
    "greenroom/server/page/licenses.md",
    "greenroom/lab/report/built/uplot.js",
    "greenroom/lab/report/built/uplot.css",
)


def hatchling(target: str, source: Path, into: Path) -> Path:
    """The one file that a build without any Node on the PATH leaves."""
    into.mkdir()
    done = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "--target", target, "--directory", str(into)],
        cwd=source,
        env={**os.environ, "PATH": ""},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    [made] = into.iterdir()
    return made


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel that is built from the source distribution."""
    folder = tmp_path_factory.mktemp("packaging")
    with tarfile.open(hatchling("sdist", ROOT, folder / "sdist")) as archive:
        archive.extractall(folder / "unpacked", filter="data")
    [sources] = (folder / "unpacked").iterdir()
    return hatchling("wheel", sources, folder / "wheel")


def test_a_wheel_from_a_source_distribution_holds_what_is_built(wheel: Path):
    """Page and charts go through both, with the notices of the libraries in them."""
    with zipfile.ZipFile(wheel) as archive:
        assert set(BUILT) <= set(archive.namelist())
        assert "Permission is hereby granted" in archive.read("greenroom/lab/report/built/uplot.js").decode()
        assert "MIT" in archive.read("greenroom/server/page/licenses.md").decode()


def test_the_wheel_can_draw_a_report(wheel: Path, tmp_path: Path):
    """The charts are found where the package is installed."""
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path)
    code = "import greenroom.lab.report as r; r.check_built(); print(r.__file__)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(str(tmp_path))


@pytest.mark.parametrize(("page", "has_charts"), [("index.html", False), ("ops.html", True)])
def test_only_the_ops_page_loads_the_charts(page: str, has_charts: bool):
    """The chart library is in a bundle of its own, and each page stays within 120 KB of scripts on the wire."""
    folder = ROOT / "src" / "greenroom" / "server" / "page"
    names = re.findall(r'(?:src|href)="\./([^"]+\.js)"', (folder / page).read_text(encoding="utf-8"))
    scripts = [(folder / name).read_bytes() for name in names]
    assert scripts
    assert any(b"u-over" in script for script in scripts) is has_charts
    assert sum(len(gzip.compress(script, 9)) for script in scripts) <= 120_000
