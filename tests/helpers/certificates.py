"""Certificates for tests, made by openssl: for localhost and 127.0.0.1, signed by themselves."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.helpers.services import require


def make_certificate(folder: Path, name: str = "localhost") -> tuple[Path, Path]:
    """Return a new certificate's file and its key's."""
    openssl = require("openssl")
    folder.mkdir(parents=True, exist_ok=True)
    cert, key = folder / f"{name}.crt", folder / f"{name}.key"
    command = [
        openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
        "-days", "2", "-subj", f"/CN={name}", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
        "-keyout", str(key), "-out", str(cert),
    ]  # fmt: skip
    subprocess.run(command, check=True, capture_output=True)
    return cert, key
