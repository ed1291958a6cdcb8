"""The process: binds, serves, and stops on a signal with everything stored and everybody told."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import ssl
import sys
from collections.abc import Callable, Coroutine
from functools import partial
from time import monotonic
from typing import Any

import structlog
import uvicorn

from greenroom import __version__
from greenroom.config.errors import ConfigError, Problem
from greenroom.config.settings import LimitSettings, Settings
from greenroom.config.tokens import load_tokens, refuse_to_be_open
from greenroom.server.http_protocol import HttpProtocol
from greenroom.server.lifetime import Lifetime
from greenroom.server.security.redaction import secrets
from greenroom.server.security.tls import load_certificate, tls_context
from greenroom.server.socket_protocol import SocketProtocol
from greenroom.server.tls_listener import TlsListener
from greenroom.server.waiting_room import WaitingRoom
from greenroom.tasks import TaskScope

log = structlog.stdlib.get_logger("greenroom.server")

FORCED = 1
"""Exit code when a second signal cut the shutdown short."""
SWITCH_SECONDS = 0.001
"""How long a thread of the histories may keep the interpreter to itself while the loop wants it. With Python's own
5 ms, a hundred questions to the histories at once made other pages' p99 about a third longer."""


class CannotListen(Exception):
    """The address cannot be used; the text says what to do."""


class Server(uvicorn.Server):
    """uvicorn's server without its ten wake-ups a second: it sleeps until it is told to stop."""

    def __init__(self, config: uvicorn.Config, *, room: WaitingRoom, scope: TaskScope) -> None:
        super().__init__(config)
        self.stopping = asyncio.Event()
        self._room = room
        self._scope = scope

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        # As uvicorn's for given sockets; handshakes of TLS have their deadline, and count as half-open.
        config, loop = self.config, asyncio.get_running_loop()
        protocol = partial(
            config.http_protocol_class, config=config, server_state=self.server_state, app_state={}
        )
        self.servers = []
        for one in sockets or ():
            if config.ssl is None:
                self.servers.append(await loop.create_server(protocol, sock=one, backlog=config.backlog))
                continue
            listener = TlsListener(
                one, protocol, config.ssl, self._room.seconds, self._room, self._scope.child("tls")
            )
            self.servers.append(listener)  # type: ignore[arg-type]  # pyright: ignore
        self.started = True

    async def main_loop(self) -> None:
        self.server_state.default_headers = self.config.encoded_headers
        await self.stopping.wait()

    @contextlib.contextmanager
    def capture_signals(self) -> Any:
        # Ours are installed on the loop; uvicorn would raise them again at the end, and exit with -15.
        yield


def bind(host: str, port: int) -> socket.socket:
    """A listening socket. Raises `CannotListen`."""
    try:
        family, kind, proto, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except socket.gaierror as error:
        raise CannotListen(
            f"server.host: {host!r} is no address of this machine ({error.strerror})."
        ) from error
    found = socket.socket(family, kind, proto)
    try:
        if os.name != "nt":
            found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.bind(address)
        found.listen(2048)
    except OSError as error:
        found.close()
        if error.errno == 98 or "in use" in str(error):
            raise CannotListen(
                f"server.port: {port} is in use by another program; stop it, or choose another with --port."
            ) from error
        raise CannotListen(f"server: cannot listen on {host}:{port}: {error.strerror or error}.") from error
    found.setblocking(False)
    return found


def run(settings: Settings, *, on_ready: Callable[[str], None] = lambda url: None) -> int:
    """Serve until a signal comes; returns the exit code.

    `on_ready` gets the page's address once it answers. Raises `CannotListen`, what `Lifetime.open` does, and
    `ConfigError` if the server would be open to everybody without having been told so.
    """
    return _run_loop(_serve(settings, on_ready))


def _run_loop(main: Coroutine[Any, Any, int]) -> int:
    sys.setswitchinterval(SWITCH_SECONDS)
    try:
        import uvloop
    except ImportError:
        return asyncio.run(main)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(main)


async def _serve(settings: Settings, on_ready: Callable[[str], None]) -> int:
    began = monotonic()
    tokens = load_tokens(settings)
    secrets.add(*(token.value for token in tokens), settings.agent.openai.key(os.environ))
    secrets.add(*(os.environ.get(source.key_env) for source in settings.sources if source.key_env))
    if (problem := refuse_to_be_open(settings, tokens)) is not None:
        raise ConfigError([problem])
    tls = _tls(settings)
    listener = bind(settings.server.host, settings.server.port)
    lifetime = Lifetime(settings, tokens)
    try:
        await lifetime.open()
    except BaseException:
        listener.close()
        await lifetime.root.close(1.0, reason="start failed")
        raise
    limits = settings.limits
    waiting_room = WaitingRoom(
        _most_half_open(limits, lifetime.pressure.descriptors),
        limits.handshake_seconds,
        limits.upload_seconds,
        limits.outbox_drain_seconds,
        lifetime.metrics.refused,
    )
    server = Server(
        uvicorn.Config(
            lifetime.app,
            http=partial(HttpProtocol, waiting_room=waiting_room),  # type: ignore[arg-type]  # pyright: ignore
            ws=partial(SocketProtocol, inbox=lifetime.inbox),  # type: ignore[arg-type]  # pyright: ignore
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            date_header=False,
            ws_max_size=limits.max_message_bytes,
            ws_ping_interval=limits.ping_seconds,
            ws_ping_timeout=limits.ping_seconds,
            ws_per_message_deflate=False,
            timeout_graceful_shutdown=max(1, int(limits.shutdown_seconds * 0.6)),
            timeout_keep_alive=20,
            proxy_headers=False,
            ssl_context_factory=None if tls is None else lambda config, default: tls,
        ),
        room=waiting_room,
        scope=lifetime.root,
    )
    forced = _watch_signals(server, lifetime)
    if tls is not None:
        _reload_on_hangup(settings, tls)
    url = _url(settings.server.host, listener, secure=tls is not None)
    log.info(
        "server started", version=__version__, url=url, pid=os.getpid(), seconds=round(monotonic() - began, 2)
    )
    serving = lifetime.root.start(server.serve, [listener], name="http server")
    if lifetime.ops is not None:
        lifetime.ops.soak.url = url
    # Told when it answers, not when it has begun to listen.
    on_ready(url)
    await serving.wait()
    server_error = None if serving.cancelled() else serving.exception()  # type: ignore[union-attr]  # pyright: ignore
    lifetime.stop_accepting()
    await lifetime.close(limits.shutdown_seconds * 0.4)
    if server_error is not None:
        raise server_error
    return FORCED if forced() else 0


def _most_half_open(limits: LimitSettings, descriptors: int | None) -> int:
    """As many as the settings allow, and never so many that the descriptors go out."""
    return limits.max_half_open if descriptors is None else min(limits.max_half_open, descriptors // 3)


def _watch_signals(server: Server, lifetime: Lifetime) -> Callable[[], bool]:
    """Stop on the first SIGTERM or SIGINT, exit at once on the second."""
    state = {"signals": 0}

    def on_signal(name: str) -> None:
        state["signals"] += 1
        if state["signals"] > 1:
            log.warning("second signal: leaving at once", signal=name)
            os._exit(FORCED)
        log.info("shutting down", signal=name, clients=len(lifetime.services.registry))
        lifetime.stop_accepting()
        server.should_exit = True
        server.stopping.set()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        name = signal.Signals(number).name
        try:
            loop.add_signal_handler(number, on_signal, name)
        except NotImplementedError:  # Windows
            signal.signal(number, lambda _n, _f, name=name: loop.call_soon_threadsafe(on_signal, name))
    return lambda: state["signals"] > 1


def _tls(settings: Settings) -> ssl.SSLContext | None:
    cert, key = settings.server.tls_cert, settings.server.tls_key
    if cert is not None:
        return tls_context(cert, key)
    if key is not None:
        fix = "give the certificate too, with --tls-cert"
        raise ConfigError([Problem("settings", None, "server.tls_key", "has no certificate", fix)])
    return None


def _reload_on_hangup(settings: Settings, tls: ssl.SSLContext) -> None:
    """Read the certificate again on SIGHUP, as those who renew it expect of a server."""

    def reload() -> None:
        cert = settings.server.tls_cert
        assert cert is not None
        try:
            load_certificate(tls, cert, settings.server.tls_key)
        except ConfigError as error:
            log.error("the new certificate cannot be used; the old one goes on", error=str(error))
        else:
            log.info("certificate loaded again", file=str(cert))

    if hasattr(signal, "SIGHUP"):
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, reload)


def _url(host: str, listener: socket.socket, *, secure: bool) -> str:
    port = listener.getsockname()[1]
    shown = "127.0.0.1" if host in ("0.0.0.0", "::", "") else host
    scheme = "https" if secure else "http"
    return f"{scheme}://[{shown}]:{port}" if ":" in shown else f"{scheme}://{shown}:{port}"
