"""TLS by certificate files: loaded at the start, and again on SIGHUP without dropping anybody."""

from __future__ import annotations

import ssl
from pathlib import Path

from greenroom.config.errors import ConfigError, Problem


def tls_context(cert: Path, key: Path | None) -> ssl.SSLContext:
    """Return what a TLS server needs. Raises ConfigError with the file that is wrong."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    load_certificate(context, cert, key)
    return context


def load_certificate(context: ssl.SSLContext, cert: Path, key: Path | None) -> None:
    """Put the files' present content into a context in use; new connections get it. Raises ConfigError.

    Both are tried on a context of their own first: after a failure the old certificate goes on.
    """
    for field, file in (("server.tls_cert", cert), ("server.tls_key", key or cert)):
        try:
            with file.open("rb"):
                pass
        except OSError as error:
            reason = error.strerror or type(error).__name__
            fix = "correct the path, or let this user read it"
            raise ConfigError([Problem(str(file), None, field, f"cannot be read: {reason}", fix)]) from None
    try:
        for one in (ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), context):
            one.load_cert_chain(cert, key, password=_no_password)
    except _Locked:
        fix = "store it without one; protect the file instead (chmod 600)"
        raise ConfigError(
            [Problem(str(key or cert), None, "server.tls_key", "asks for a password", fix)]
        ) from None
    except ssl.SSLError as error:
        what = error.reason or "no certificate and key in PEM"
        fix = "give the certificate with its chain and the key that belongs to it, both in PEM"
        raise ConfigError(
            [Problem(str(cert), None, "server.tls_cert", f"cannot be used: {what}", fix)]
        ) from None


class _Locked(Exception):
    pass


def _no_password() -> str:
    # Without this, OpenSSL would ask on the terminal, and a service would wait for ever.
    raise _Locked
