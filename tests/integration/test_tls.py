"""TLS by certificate files: https and wss against the real process, and a new certificate without a restart."""

from __future__ import annotations

import asyncio
import shutil
import signal
import ssl
from pathlib import Path

import httpx
import pytest
from tests.helpers.certificates import make_certificate
from tests.helpers.server_process import FAST, ServerProcess, eventually
from websockets.asyncio.client import connect

TOKEN = "visitors-token-0123456789"


def trusting(cert: Path) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(cert))


async def shown_name(server: ServerProcess) -> str:
    """The name in the certificate that a new connection is shown."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    _, writer = await asyncio.open_connection("127.0.0.1", server.port, ssl=context)
    try:
        der = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        return "new" if b"the-new-one" in der else "old"
    finally:
        writer.close()


async def test_https_and_wss(tmp_path: Path) -> None:
    """The page, a log-in whose cookie is Secure, and a socket of the page's own secure origin."""
    cert, key = make_certificate(tmp_path)
    args = ("--host", "0.0.0.0", "--tls-cert", str(cert), "--tls-key", str(key))
    settings = {"agent": FAST, "security": {"token": TOKEN}}
    async with ServerProcess(tmp_path, settings, args=args) as server:
        assert server.url == f"https://127.0.0.1:{server.port}"
        context = trusting(cert)
        async with httpx.AsyncClient(base_url=server.url, verify=context) as web:
            answer = await web.post("/login", data={"token": TOKEN}, headers={"Origin": server.url})
            assert answer.status_code == 303
            assert "Secure" in answer.headers["set-cookie"]
            cookie = answer.headers["set-cookie"].partition(";")[0]
            assert (await web.get("/")).status_code == 200
        url = f"wss://127.0.0.1:{server.port}/client-ws"
        async with connect(
            url, ssl=context, origin=server.url, additional_headers={"Cookie": cookie}
        ) as socket:
            assert "group-update" in str(await socket.recv())
        with pytest.raises(httpx.HTTPError):
            async with httpx.AsyncClient() as plain:
                await plain.get(f"http://127.0.0.1:{server.port}/")
        assert not server.complaints()


async def test_a_new_certificate_without_a_restart(tmp_path: Path) -> None:
    """After SIGHUP new connections are shown the new one; a broken one is told and left."""
    cert, key = make_certificate(tmp_path)
    new_cert, new_key = make_certificate(tmp_path / "new", "the-new-one")
    args = ("--tls-cert", str(cert), "--tls-key", str(key))
    async with ServerProcess(tmp_path, {"agent": FAST}, args=args) as server:
        url = f"wss://127.0.0.1:{server.port}/client-ws"
        async with connect(url, ssl=trusting(cert)) as socket:
            assert await shown_name(server) == "old"
            shutil.copy(new_cert, cert)
            shutil.copy(new_key, key)
            server.signal(signal.SIGHUP)

            async def renewed() -> bool:
                return await shown_name(server) == "new"

            await eventually("the new certificate", renewed)
            cert.write_text("half writ")
            server.signal(signal.SIGHUP)

            async def told() -> bool:
                return bool(server.complaints())

            await eventually("a complaint", told)
            assert "the old one goes on" in server.complaints()[0]["event"]
            assert await shown_name(server) == "new"
            assert "group-update" in str(await socket.recv())


async def test_a_certificate_that_cannot_be_used_stops_the_start(tmp_path: Path) -> None:
    """With the file and the field; a key alone is half a setting."""
    for args, words in (
        (("--tls-cert", "none.pem"), "server.tls_cert: cannot be read"),
        (("--tls-key", "none.pem"), "server.tls_key: has no certificate"),
    ):
        server = ServerProcess(tmp_path, {"agent": FAST}, args=args)
        server.start()
        assert await server.exited(20) == 2
        assert words in server.log_text()


async def test_a_soak_from_the_ops_page_comes_in(tmp_path: Path) -> None:
    """Although visitors need a token, and the certificate is for another name: with a pass of the server's own."""
    cert, key = make_certificate(tmp_path)
    args = ("--tls-cert", str(cert), "--tls-key", str(key))
    settings = {"agent": FAST, "security": {"token": TOKEN, "ops_token": f"ops-{TOKEN}"}}
    async with ServerProcess(tmp_path, settings, args=args) as server:
        headers = {"Authorization": f"Bearer ops-{TOKEN}"}
        async with httpx.AsyncClient(base_url=server.url, verify=trusting(cert), headers=headers) as web:
            assert (await web.post("/ops/soak", json={"visits": 3, "mode": "polite"})).status_code == 202

            async def ended() -> dict[str, object] | None:
                soak = (await web.get("/ops/state")).json()["soak"]
                return soak if soak["state"] != "running" else None

            found = await eventually("the soak's end", ended, 60)
        assert (found["state"], found["done"]) == ("finished", 3), found
        assert [line for line in server.log() if line.get("event") == "refused"] == []
