"""A process as a container or systemd would run it, without either: no rights, a file system that is read-only.

`unshare` gives it a view of its own in which everything but one folder is read-only and `/proc` shows only its
own processes; `setpriv` takes user, groups, capabilities and the way to new ones away. Linux and root only.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import sysconfig
from collections.abc import Mapping
from pathlib import Path

import psutil
import pytest
from tests.helpers.services import require

ROOT = Path(__file__).resolve().parents[2]
UID = 10001
PROBE = """
import os, sys
own, found = os.path.realpath(sys.argv[1]), []

def writable(folder):
    name = os.path.join(folder, f"greenroom-probe-{os.getpid()}")
    try:
        os.close(os.open(name, os.O_CREAT | os.O_WRONLY))
    except OSError:
        return False
    os.unlink(name)
    return True

for folder, inner, _ in os.walk("/"):
    inner[:] = [name for name in inner if os.path.join(folder, name) not in ("/proc", "/sys", own)]
    if folder.count("/") >= 3:
        inner.clear()
    if writable(folder):
        found.append(folder)
print("\\n".join(found if writable(own) else [*found, f"but not to {own}"]))
"""
"""Prints the folders that it can write to, besides the one it is given."""


class LockedUp:
    """Starts `python -m greenroom ARGUMENTS`; `folder/data` is all it can write to.

    Args:
        folder: gets the data folder and the log; everybody must be able to enter it.
        arguments: of the program.
        environ: what the image sets; nothing of ours is passed on.
    """

    def __init__(self, folder: Path, arguments: list[str], environ: Mapping[str, str] | None = None) -> None:
        if sys.platform != "linux" or os.geteuid() != 0:
            pytest.skip("taking rights away takes Linux and root")
        self.folder = folder
        self.data = folder / "data"
        self.log_file = folder / "server.log"
        self._arguments = arguments
        self._environ = dict(environ or {})
        self._outer: subprocess.Popen[bytes] | None = None
        self._prepare()

    def _prepare(self) -> None:
        self.data.mkdir()
        os.chown(self.data, UID, UID)
        self.data.chmod(0o700)
        # The interpreter may be in a home that strangers cannot enter: it is shown in another place.
        self._shown = {
            "python": sys.base_prefix, "site": sysconfig.get_path("purelib"), "src": str(ROOT / "src"),
        }  # fmt: skip
        for name in self._shown:
            (self.folder / name).mkdir()

    def command(self, *arguments: str) -> list[str]:
        """What runs Python with these arguments without rights."""
        lines = ["mount --make-rprivate /", "mount -t proc -o hidepid=2 proc /proc"]
        for name, place in self._shown.items():
            target = shlex.quote(str(self.folder / name))
            lines.append(f"mount --bind {shlex.quote(place)} {target}")
        data = shlex.quote(str(self.data))
        lines.append(f"mount --bind {data} {data}")
        # Every other mount there is, wherever this machine has them: a container has none of them.
        lines.append(
            "while read -r _ place kind _; do case $kind in proc|sysfs|devtmpfs|devpts|mqueue|cgroup*) continue;; "
            f'esac; [ "$place" = {data} ] || mount -o remount,bind,ro "$place" 2>/dev/null || '
            '[ ! -w "$place" ]; done < /proc/self/mounts'
        )
        environ = {
            "HOME": str(self.data),
            "PATH": "/usr/bin:/bin",
            "LD_LIBRARY_PATH": str(self.folder / "python" / "lib"),
            "PYTHONHOME": str(self.folder / "python"),
            "PYTHONPATH": f"{self.folder / 'src'}:{self.folder / 'site'}",
            "PYTHONDONTWRITEBYTECODE": "1",
            **self._environ,
        }
        inner = [
            require("setpriv"), f"--reuid={UID}", f"--regid={UID}", "--clear-groups", "--no-new-privs",
            "--inh-caps=-all", "--bounding-set=-all", "env", "-i", *(f"{k}={v}" for k, v in environ.items()),
            str(self.folder / "python" / "bin" / f"python{sys.version_info[0]}"), *arguments,
        ]  # fmt: skip
        lines += [f"cd {data}", "exec " + shlex.join(inner)]
        return [
            require("unshare"), "--mount", "--pid", "--fork", "--kill-child", "sh", "-euc", "\n".join(lines),
        ]  # fmt: skip

    def start(self) -> None:
        command = self.command("-m", "greenroom", *self._arguments)
        with self.log_file.open("wb") as log:
            self._outer = subprocess.Popen(command, stdout=log, stderr=log)

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Python with these arguments, beside the server, as an engine runs a health check."""
        return subprocess.run(
            self.command(*arguments), capture_output=True, text=True, check=False, timeout=60
        )

    def writable(self) -> str:
        """Folders that it can write to and should not, one a line."""
        done = self.run("-c", PROBE, str(self.data))
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    @property
    def outer(self) -> subprocess.Popen[bytes]:
        assert self._outer is not None
        return self._outer

    def inner(self) -> psutil.Process | None:
        """The server's own process, as the world outside sees it."""
        children = psutil.Process(self.outer.pid).children()
        return children[0] if children and "greenroom" in children[0].cmdline() else None

    def status(self) -> dict[str, str]:
        """What the kernel says of its rights."""
        process = self.inner()
        assert process is not None
        lines = Path(f"/proc/{process.pid}/status").read_text(encoding="utf-8").splitlines()
        return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}

    def environ(self) -> dict[str, str]:
        """What it was given."""
        process = self.inner()
        assert process is not None
        pairs = Path(f"/proc/{process.pid}/environ").read_text(encoding="utf-8").split("\0")
        return dict(pair.split("=", 1) for pair in pairs if pair)

    def stop(self, signal: int) -> int:
        """That signal, and the exit code."""
        process = self.inner()
        if process is not None:
            process.send_signal(signal)
        return self.outer.wait(15)

    def kill(self) -> None:
        if self._outer is not None and self._outer.poll() is None:
            # A process that changed its user is not killed with its parent: the kernel forgets `--kill-child`.
            for child in psutil.Process(self._outer.pid).children():
                child.kill()
            self._outer.kill()
            self._outer.wait()

    def log_text(self) -> str:
        return self.log_file.read_text(encoding="utf-8", errors="replace")
