"""Real reverse proxies before a real server, with the configurations of `examples/deploy`.

What is replaced in them is what must be another here: ports, names of certificates, places of logs.
"""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
import subprocess
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.helpers.certificates import make_certificate
from tests.helpers.server_process import ROOT, ServerProcess, eventually
from tests.helpers.services import require

EXAMPLES = ROOT / "examples" / "deploy"
NAME = "chat.example.org"


@dataclass(frozen=True)
class Front:
    """A running proxy: its port on loopback, how to trust it, and its access log."""

    port: int
    context: ssl.SSLContext
    log_file: Path

    @property
    def origin(self) -> str:
        return f"https://localhost:{self.port}"

    def log_text(self) -> str:
        return self.log_file.read_text(encoding="utf-8") if self.log_file.exists() else ""


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def replaced(text: str, changes: Mapping[str, str]) -> str:
    for old, new in changes.items():
        assert old in text, f"the example has no {old!r} any more"
        text = text.replace(old, new)
    return text


@asynccontextmanager
async def nginx(folder: Path, server: ServerProcess, *, path: str = "/") -> AsyncIterator[Front]:
    """nginx with our example; `path` is where it puts the server."""
    program = require("nginx")
    cert, key = make_certificate(folder)
    port, log = free_port(), folder / "access.log"
    changes = {
        "listen 443 ssl": f"listen 127.0.0.1:{port} ssl",
        f"/etc/letsencrypt/live/{NAME}/fullchain.pem": str(cert),
        f"/etc/letsencrypt/live/{NAME}/privkey.pem": str(key),
        "/var/log/nginx/greenroom.log": str(log),
        "127.0.0.1:12393": f"127.0.0.1:{server.port}",
        f"server_name {NAME}": "server_name localhost",
        "location / {": f"location {path} {{",
        "proxy_pass http://greenroom;": f"proxy_pass http://greenroom{'' if path == '/' else '/'};",
    }
    site = folder / "greenroom.conf"
    site.write_text(
        replaced((EXAMPLES / "nginx.conf").read_text(encoding="utf-8"), changes), encoding="utf-8"
    )
    places = "".join(
        f"{name}_temp_path {folder}/{name};\n"
        for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    main = folder / "nginx.conf"
    main.write_text(
        f"daemon off;\nworker_processes 1;\npid {folder}/nginx.pid;\nerror_log {folder}/error.log;\n"
        f"events {{ worker_connections 256; }}\nhttp {{\n{places}include {site};\n}}\n",
        encoding="utf-8",
    )
    command = [program, "-p", str(folder), "-c", str(main), "-e", str(folder / "error.log")]
    async with _running(command, folder, port):
        yield Front(port, ssl.create_default_context(cafile=str(cert)), log)


@asynccontextmanager
async def caddy(folder: Path, server: ServerProcess) -> AsyncIterator[Front]:
    """Caddy with our example, and a certificate of ours instead of one it would fetch."""
    program = require("caddy")
    cert, key = make_certificate(folder)
    port, log = free_port(), folder / "access.log"
    changes = {
        f"{NAME} {{": f"https://localhost:{port} {{\n\tbind 127.0.0.1\n\ttls {cert} {key}",
        "127.0.0.1:12393": f"127.0.0.1:{server.port}",
        "/var/log/caddy/greenroom.log": str(log),
    }
    text = replaced((EXAMPLES / "Caddyfile").read_text(encoding="utf-8"), changes)
    file = folder / "Caddyfile"
    file.write_text("{\n\tadmin off\n\tauto_https disable_redirects\n}\n" + text, encoding="utf-8")
    command = [program, "run", "--config", str(file), "--adapter", "caddyfile"]
    async with _running(command, folder, port):
        yield Front(port, ssl.create_default_context(cafile=str(cert)), log)


def _start(command: list[str], folder: Path, output: Path) -> subprocess.Popen[bytes]:
    home = str(folder)
    environ = {**os.environ, "HOME": home, "XDG_DATA_HOME": home, "XDG_CONFIG_HOME": home}
    with output.open("wb") as log:
        return subprocess.Popen(command, stdout=log, stderr=log, env=environ, cwd=folder)


@asynccontextmanager
async def _running(command: list[str], folder: Path, port: int) -> AsyncIterator[None]:
    output = folder / "proxy.log"
    process = _start(command, folder, output)
    try:

        async def listens() -> bool:
            assert process.poll() is None, output.read_text(encoding="utf-8", errors="replace")
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                return False
            writer.close()
            return True

        await eventually("the proxy listens", listens, 10)
        yield
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
