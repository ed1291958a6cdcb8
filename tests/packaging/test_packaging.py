"""The container file and the systemd unit, without a container engine and without systemd: the same steps, the same
rights, as plain processes."""

from __future__ import annotations

import configparser
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from time import monotonic, sleep

import pytest
from tests.helpers.services import find, require

from .locked_up import PROBE, ROOT, UID, LockedUp

CONTAINERFILE = ROOT / "Containerfile"
UNIT = ROOT / "examples" / "deploy" / "greenroom.service"
TOKEN = "a-token-for-the-test-of-the-packaging-0123456789"


def steps() -> list[tuple[str, str]]:
    """The instructions of the container file, long lines joined."""
    text = CONTAINERFILE.read_text(encoding="utf-8").replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return [(line.split()[0], line.split(maxsplit=1)[1]) for line in lines]


def container_command() -> list[str]:
    """What the container runs."""
    (entry,) = [json.loads(rest) for name, rest in steps() if name == "ENTRYPOINT"]
    (more,) = [json.loads(rest) for name, rest in steps() if name == "CMD"]
    return [*entry, *more]


def instruction(name: str) -> str:
    """The only instruction of this name."""
    (found,) = [rest for other, rest in steps() if other == name]
    return found


def container_environ() -> dict[str, str]:
    """What the container sets."""
    pairs = [word.partition("=") for name, rest in steps() if name == "ENV" for word in shlex.split(rest)]
    return {name: value for name, _, value in pairs}


def health_check(port: int) -> list[str]:
    """The arguments of Python with which an engine asks whether the container is well."""
    command = json.loads(instruction("HEALTHCHECK").partition("CMD ")[2])
    assert command[0] == "/opt/greenroom/bin/python"
    return [word.replace(":12393/", f":{port}/") for word in command[1:]]


def unit() -> configparser.ConfigParser:
    found = configparser.ConfigParser(strict=False, interpolation=None, delimiters="=")
    found.optionxform = str  # type: ignore[assignment, method-assign]
    found.read(UNIT, encoding="utf-8")
    return found


def unit_command() -> list[str]:
    return shlex.split(unit()["Service"]["ExecStart"])


# -- what is written ----------------------------------------------------------------------------------------------


def test_the_container_is_nobody_in_particular() -> None:
    """The last user is a number that is not root's, and is set before anything runs in the end."""
    names = [name for name, _ in steps()]
    users = [rest for name, rest in steps() if name == "USER"]
    assert users == [f"{UID}:{UID}"]
    assert names.index("USER") < names.index("ENTRYPOINT")
    assert "ADD" not in names


def test_the_instructions_agree() -> None:
    """Port, data folder and home are the same wherever they stand; the program is where it was installed."""
    command = container_command()
    option = dict(pairwise(command))
    assert option["--port"] == instruction("EXPOSE")
    assert option["--data-dir"] == instruction("VOLUME") == container_environ()["HOME"]
    assert f":{option['--port']}/health/ready" in health_check(int(option["--port"]))[-1]
    installed = [rest for name, rest in steps() if name == "COPY"][-1].split()
    assert installed == ["--from=build", "/opt/greenroom", "/opt/greenroom"]
    assert steps()[0] == ("FROM", f"{[rest for name, rest in steps() if name == 'FROM'][-1]} AS build")
    assert signal.Signals[instruction("STOPSIGNAL")] is signal.SIGTERM


def test_the_container_is_built_from_what_is_there() -> None:
    """Packages with hashes only, from the lock; what is copied exists and is not left out."""
    text = CONTAINERFILE.read_text(encoding="utf-8")
    assert "--require-hashes -r requirements/run.txt" in text
    assert (ROOT / "requirements" / "run.txt").is_file()
    left_out = (ROOT / ".dockerignore").read_text(encoding="utf-8").split()
    assert not {"src", "web", "scripts", "requirements", "README.md", "LICENSE", "pyproject.toml"} & set(
        left_out
    )
    assert {".git", ".venv"} <= set(left_out)
    for image in re.findall(r"^FROM (\S+)", text, re.MULTILINE):
        assert re.fullmatch(r"\S+/\S+:\d\S*", image), f"{image}: no registry, or no version"


@pytest.mark.parametrize("command", [container_command(), unit_command()], ids=["container", "systemd"])
def test_the_commands_options_exist(command: list[str]) -> None:
    """Each option of the command is one of `greenroom serve`."""
    assert command[:2] == ["/opt/greenroom/bin/greenroom", "serve"]
    printed = subprocess.run(
        [sys.executable, "-m", "greenroom", "serve", "--help"], capture_output=True, text=True, check=True
    ).stdout
    options = [word for word in command if word.startswith("--")]
    assert len(options) >= 4
    for option in options:
        assert re.search(rf"{option}\b", printed), option


def test_the_unit_is_as_closed_as_it_can_be() -> None:
    """The usual locks are on."""
    service = unit()["Service"]
    for name in (
        "NoNewPrivileges",
        "PrivateTmp",
        "PrivateDevices",
        "ProtectHome",
        "DynamicUser",
        "RestrictNamespaces",
    ):
        assert service[name] == "yes", name
    assert service["ProtectSystem"] == "strict"
    assert service["CapabilityBoundingSet"] == ""
    assert int(service["TimeoutStopSec"]) > 6  # its own shutdown takes five


def test_systemd_rates_the_unit() -> None:
    """`systemd-analyze` understands it, and finds little exposed."""
    analyze = require("systemd-analyze")
    done = subprocess.run([analyze, "verify", str(UNIT)], capture_output=True, text=True, check=False)
    complaints = [line for line in done.stderr.splitlines() if "is not executable" not in line]
    assert not [line for line in complaints if UNIT.name in line], complaints
    rated = subprocess.run(
        [analyze, "security", "--offline=true", "--no-pager", str(UNIT)],
        capture_output=True,
        text=True,
        check=False,
    )
    level = re.search(r"exposure level for \S+: ([\d.]+)", rated.stdout)
    assert level is not None, rated.stderr
    assert float(level[1]) <= 1.5


@pytest.fixture
def folder() -> Iterator[Path]:
    """One that everybody may enter, which pytest's own are not: it shuts them again whenever a run begins."""
    with tempfile.TemporaryDirectory(prefix="greenroom-packaging-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


# -- what it does --------------------------------------------------------------------------------------------------


def get(url: str, token: str = "") -> tuple[int, str]:
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"} if token else {})
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:
            return answer.status, answer.read().decode("utf-8", "replace")
    except urllib.error.HTTPError as error:
        return error.code, ""


def address(server: LockedUp, seconds: float = 30) -> str:
    """Wait for its first word that it serves."""
    end = monotonic() + seconds
    while monotonic() < end:
        found = re.search(r'"url": "(http://[^"]+)"', server.log_text())
        if found:
            return found[1]
        assert server.outer.poll() is None, server.log_text()
        sleep(0.05)
    raise AssertionError(f"it did not start:\n{server.log_text()}")


@pytest.mark.parametrize("command", [container_command(), unit_command()], ids=["container", "systemd"])
def test_it_runs_without_rights(folder: Path, command: list[str]) -> None:
    """As an unknown user without a capability, on a read-only system: it serves, keeps its data, and stops in order."""
    (folder / "token").write_text(TOKEN, encoding="utf-8")
    shutil.chown(folder / "token", UID, UID)
    (folder / "token").chmod(0o400)
    places = {
        "/data": str(folder / "data"), "${STATE_DIRECTORY}": str(folder / "data"), "12393": "0",
        "/run/secrets/greenroom_token": str(folder / "token"),
        "${CREDENTIALS_DIRECTORY}/token": str(folder / "token"),
    }  # fmt: skip
    of_container = command == container_command()
    given = {name: places.get(value, value) for name, value in container_environ().items()}
    server = LockedUp(folder, [places.get(word, word) for word in command[1:]], given if of_container else {})
    assert server.writable() == ""
    assert server.run(*health_check(0)).returncode != 0
    server.start()
    try:
        url = address(server)
        assert get(f"{url}/health/live")[0] == 200
        status, page = get(url, TOKEN)
        assert status == 200
        assert "<html" in page.lower()
        assert get(f"{url}/ops/statistics.json")[0] in (401, 403)
        assert get(f"{url}/ops/statistics.json", TOKEN)[0] == 200
        rights = server.status()
        assert rights["Uid"].split() == [str(UID)] * 4
        assert rights["Gid"].split() == [str(UID)] * 4
        assert rights["NoNewPrivs"] == "1"
        assert {int(rights[name], 16) for name in ("CapEff", "CapPrm", "CapBnd", "CapInh")} == {0}
        if of_container:
            assert given.items() <= server.environ().items()
            checked = server.run(*health_check(int(url.rpartition(":")[2])))
            assert checked.returncode == 0, checked.stderr
        assert (server.data / "histories.sqlite3").is_file()
        code = server.stop(signal.Signals[instruction("STOPSIGNAL") if of_container else "SIGTERM"])
    finally:
        server.kill()
    text = server.log_text()
    assert code == 0, text
    assert '"level": "error"' not in text
    assert "Traceback" not in text
    assert TOKEN not in text


def test_the_probe_finds_what_can_be_written(folder: Path) -> None:
    """The same user without the read-only system: otherwise the test above could not fail."""
    server = LockedUp(folder, [])
    inner = server.command("-c", PROBE, str(server.data))
    script = "\n".join(line for line in inner[-1].splitlines() if "remount" not in line)
    printed = subprocess.run([*inner[:-1], script], capture_output=True, text=True, check=True).stdout
    assert "/tmp" in printed.splitlines()


def test_the_container_prepares_its_user_and_folder(folder: Path) -> None:
    """The RUN lines of the last stage, in a view of the system in which only copies can change."""
    unshare = require("unshare")
    require("useradd")
    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("a view of one's own takes Linux and root")
    last = max(number for number, (name, _) in enumerate(steps()) if name == "FROM")
    lines = [rest for name, rest in steps()[last:] if name == "RUN"]
    assert len(lines) == 3
    shutil.copytree("/etc", folder / "etc", symlinks=True)
    data = folder / instruction("VOLUME").strip("/")
    script = "\n".join(
        [
            "mount --make-rprivate /",
            f"mount --bind {shlex.quote(str(folder / 'etc'))} /etc",
            *(
                re.sub(r"(?<= )/data(?= |$)", str(data), line) if "install" in line else line
                for line in lines
            ),
            "id -u greenroom && id -G greenroom && getent passwd greenroom",
        ]
    )
    # In an image, root's programs are on the path.
    environ = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
    done = subprocess.run(
        [unshare, "--mount", "sh", "-euc", script], capture_output=True, text=True, check=False, env=environ
    )
    assert done.returncode == 0, done.stderr
    uid, groups, entry = done.stdout.splitlines()
    assert f"{uid}:{groups}" == instruction("USER") == f"{UID}:{UID}"
    assert entry.split(":")[5:] == [instruction("VOLUME"), "/usr/sbin/nologin"]
    found = data.stat()
    assert (found.st_uid, found.st_gid, found.st_mode & 0o777) == (UID, UID, 0o700)


@pytest.mark.slow
def test_the_build_steps(tmp_path: Path) -> None:
    """The RUN lines of the build stage, in a copy of the tree: what they install answers. Takes a package index."""
    git = find("git")
    if git is None or not (ROOT / ".git").exists():
        pytest.skip("takes a git checkout")
    source = tmp_path / "src"
    source.mkdir()
    packed = subprocess.run([git, "archive", "HEAD"], cwd=ROOT, capture_output=True, check=True).stdout
    subprocess.run(["tar", "-x", "-C", str(source)], input=packed, check=True)
    build = [rest for name, rest in steps()[: [n for n, _ in steps()].index("FROM", 1)] if name == "RUN"]
    assert len(build) == 3
    for line in build:
        here = line.replace("/opt/greenroom", str(tmp_path / "opt"))
        here = here.replace("python -m venv", f"{sys.executable} -m venv")
        subprocess.run(here, shell=True, cwd=source, check=True)
    printed = subprocess.run(
        [str(tmp_path / "opt" / "bin" / "greenroom"), "--version"], capture_output=True, text=True
    )
    assert printed.stdout.startswith("greenroom ")
    packages = tmp_path / "opt" / "lib"
    assert list(packages.glob("python*/site-packages/greenroom/server/page/index.html"))
