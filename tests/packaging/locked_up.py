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
import tempfile
from pathlib import Path

import psutil
import pytest
from tests.helpers.services import require

ROOT = Path(__file__).resolve().parents[2]
UID = 10001


class LockedUp:
    """Starts `python -m greenroom ARGUMENTS`; `folder/data` is all it can write to."""

    def __init__(self, folder: Path, arguments: list[str]) -> None:
        if sys.platform != "linux" or os.geteuid() != 0:
            pytest.skip("taking rights away takes Linux and root")
        self.folder = folder
        self.data = folder / "data"
        self.log_file = folder / "server.log"
        self._arguments = arguments
        self._outer: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self.data.mkdir()
        os.chown(self.data, UID, UID)
        for parent in (self.folder, *self.folder.parents):
            if parent.stat().st_uid == os.geteuid() and parent.is_relative_to(tempfile.gettempdir()):
                parent.chmod(parent.stat().st_mode | 0o055)
        # The interpreter may be in a home that strangers cannot enter: it is shown in another place.
        shown = {"python": sys.base_prefix, "site": sysconfig.get_path("purelib"), "src": str(ROOT / "src")}
        lines = ["mount --make-rprivate /", "mount -t proc -o hidepid=2 proc /proc"]
        for name, place in shown.items():
            (self.folder / name).mkdir()
            target = shlex.quote(str(self.folder / name))
            lines.append(f"mount --bind {shlex.quote(place)} {target}")
            lines.append(f"mount -o remount,bind,ro {target}")
        data = shlex.quote(str(self.data))
        lines += [f"mount --bind {data} {data}", "mount -o remount,bind,ro /"]
        environ = {
            "HOME": str(self.data),
            "PATH": "/usr/bin:/bin",
            "LD_LIBRARY_PATH": str(self.folder / "python" / "lib"),
            "PYTHONHOME": str(self.folder / "python"),
            "PYTHONPATH": f"{self.folder / 'src'}:{self.folder / 'site'}",
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        command = [
            require("setpriv"), f"--reuid={UID}", f"--regid={UID}", "--clear-groups", "--no-new-privs",
            "--inh-caps=-all", "--bounding-set=-all", "env", "-i", *(f"{k}={v}" for k, v in environ.items()),
            str(self.folder / "python" / "bin" / f"python{sys.version_info[0]}"), "-m", "greenroom", *self._arguments,
        ]  # fmt: skip
        lines += [f"cd {data}", "exec " + shlex.join(command)]
        outer = [
            require("unshare"),
            "--mount",
            "--pid",
            "--fork",
            "--kill-child",
            "sh",
            "-euc",
            "\n".join(lines),
        ]
        with self.log_file.open("wb") as log:
            self._outer = subprocess.Popen(outer, stdout=log, stderr=log)

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

    def stop(self) -> int:
        """SIGTERM, and the exit code."""
        process = self.inner()
        if process is not None:
            process.terminate()
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
