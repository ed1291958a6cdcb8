"""Tests of tls.py."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from tests.helpers.certificates import make_certificate
from tests.helpers.services import require

from greenroom.config.errors import ConfigError
from greenroom.server.security.tls import load_certificate, tls_context


def problem(cert: Path, key: Path | None) -> str:
    with pytest.raises(ConfigError) as caught:
        tls_context(cert, key)
    return str(caught.value)


def test_certificate_and_key_in_two_files_or_one(tmp_path: Path) -> None:
    """Both ways that tools write them."""
    cert, key = make_certificate(tmp_path)
    assert tls_context(cert, key)
    both = tmp_path / "both.pem"
    both.write_bytes(cert.read_bytes() + key.read_bytes())
    assert tls_context(both, None)


def test_what_is_wrong_is_named(tmp_path: Path) -> None:
    """The file, the setting and the fix."""
    cert, key = make_certificate(tmp_path)
    other, _ = make_certificate(tmp_path, "other")
    nothing = tmp_path / "nothing.pem"
    assert "server.tls_cert: cannot be read: No such file" in problem(nothing, key)
    assert "server.tls_key: cannot be read: No such file" in problem(cert, nothing)
    assert "cannot be used" in problem(other, key)
    nothing.write_text("no certificate\n")
    assert "cannot be used" in problem(nothing, key)


def test_a_locked_key_does_not_ask_on_the_terminal(tmp_path: Path) -> None:
    """It is refused with the reason."""
    cert, key = make_certificate(tmp_path)
    locked = tmp_path / "locked.key"
    command = [
        require("openssl"),
        "pkcs8",
        "-topk8",
        "-in",
        str(key),
        "-out",
        str(locked),
        "-passout",
        "pass:x",
    ]
    subprocess.run(command, check=True, capture_output=True)
    assert "asks for a password" in problem(cert, locked)


def test_a_bad_new_certificate_leaves_the_old_one(tmp_path: Path) -> None:
    """Reloading fails with the reason; the context still has a pair that fits."""
    cert, key = make_certificate(tmp_path)
    context = tls_context(cert, key)
    cert.write_text("half writ")
    with pytest.raises(ConfigError):
        load_certificate(context, cert, key)
    assert context.get_ca_certs() == []
