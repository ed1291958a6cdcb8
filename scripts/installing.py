"""Installs locked packages into `.venv`: with uv where that works, else with pip. Standard library only.

uv does not read pip's settings, so what this machine told pip (its index, mirrors, proxy, certificates) is
translated for uv. The addresses are the machine's; the project names none.
"""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
from pathlib import Path

import page

ROOT = page.ROOT
VENV = ROOT / ".venv"
LOCKS = ROOT / "requirements"
SCRIPTS = VENV / ("Scripts" if os.name == "nt" else "bin")
PYTHON = SCRIPTS / ("python.exe" if os.name == "nt" else "python")

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


def make_venv() -> None:
    """Create `.venv`, or leave a working one alone."""
    if venv_works():
        return
    say(f"creating .venv with Python {sys.version.split()[0]} ({sys.executable})")
    try:
        run([sys.executable, "-m", "venv", "--clear", str(VENV)])
    except SetupError as problem:
        _venv_without_ensurepip(problem)


def venv_works() -> bool:
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
    try:
        run([str(PYTHON), "-m", "pip", "install", "--disable-pip-version-check", "--no-input", *arguments])
    except SetupError as problem:
        raise SetupError(
            f"{problem}\nCan the package index be reached that this machine's pip is set up for?\n"
            f"What pip is told here: {PYTHON} -m pip config list"
        ) from None


def _last_line(problem: SetupError) -> str:
    lines = [line.strip() for line in str(problem).splitlines() if line.strip()]
    return next((line for line in reversed(lines) if line.lower().startswith(("error", "cause"))), lines[-1])


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
