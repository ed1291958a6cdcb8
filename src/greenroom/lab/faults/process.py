"""A fault server in a process of its own, for tests and for the lab's own checks."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable, Sequence


class FaultProcess:
    """Starts on entering and is ended on leaving; `url` and `pid` are known in between.

    Raises RuntimeError if the process does not come up.
    """

    def __init__(
        self,
        faults: Iterable[str] = (),
        *,
        time_scale: float = 1.0,
        arguments: Sequence[str] = (),
    ) -> None:
        names = [part for name in faults for part in ("--fault", name)]
        pace = ["--time-scale", str(time_scale), "--port", "0", *arguments]
        self._command = [sys.executable, "-m", "greenroom.lab.faults", *names, *pace]
        self._process: subprocess.Popen[bytes] | None = None
        self.url = ""
        self.pid = 0

    def __enter__(self) -> FaultProcess:
        process = subprocess.Popen(self._command, stdout=subprocess.PIPE)
        self._process = process
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            self.__exit__()
            raise RuntimeError(f"the fault server left with {process.returncode}: {' '.join(self._command)}")
        self.url = json.loads(line)["url"]
        self.pid = process.pid
        return self

    def __exit__(self, *_: object) -> None:
        process = self._process
        if process is None:
            return
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdout is not None:
            process.stdout.close()
