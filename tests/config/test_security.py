"""Tests of security.py."""

from __future__ import annotations

from pathlib import Path

import pytest

from greenroom.config.errors import ConfigError
from greenroom.config.security import SecuritySettings, token_problem
from greenroom.config.settings import load_settings

GOOD = "visitors-token-0123456789"


def settings_of(tmp_path: Path, text: str, **environ: str) -> SecuritySettings:
    path = tmp_path / "greenroom.yaml"
    path.write_text(text, encoding="utf-8")
    return load_settings(path, environ=environ).security


@pytest.mark.parametrize(
    "value", ["", "too-short", "has spaces in it 123", "ümlaut-ümlaut-ümlaut", "a" * 40, "x" * 600]
)
def test_tokens_that_will_not_do(value: str, tmp_path: Path) -> None:
    """Too short, too long, not to be written into an address, too easy: the error says how to make one."""
    assert "greenroom token" in token_problem(value)
    with pytest.raises(ConfigError) as caught:
        settings_of(tmp_path, f'security: {{token: "{value}"}}')
    assert "security.token" in str(caught.value)
    assert "greenroom token" in str(caught.value)
    assert not value or value not in str(caught.value)


def test_a_token_is_never_shown(tmp_path: Path) -> None:
    """Not by repr, not by str."""
    found = settings_of(tmp_path, f"security: {{token: {GOOD}, ops_token: other-{GOOD}}}")
    assert GOOD not in repr(found)
    assert GOOD not in str(found)


def test_lists_from_the_environment(tmp_path: Path) -> None:
    """One text with commas."""
    environ = {
        "GREENROOM_SECURITY__ALLOWED_ORIGINS": "https://a.example, https://b.example:8443",
        "GREENROOM_SECURITY__TRUSTED_PROXIES": "127.0.0.1,10.0.0.0/8",
        "GREENROOM_SECURITY__ALLOWED_HOSTS": "Chat.Example",
    }
    found = settings_of(tmp_path, "", **environ)
    assert found.allowed_origins == ("https://a.example", "https://b.example:8443")
    assert found.trusted_proxies == ("127.0.0.1/32", "10.0.0.0/8")
    assert found.allowed_hosts == ("chat.example",)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("allowed_origins: [null-and-void]", "is not an origin"),
        ('allowed_origins: ["null"]', "allow_null_origin: true"),
        ('allowed_origins: ["*"]', "is not an origin"),
        ('allowed_origins: ["https://*.example"]', "is not an origin"),
        ("allowed_origins: [https://a.example/path]", "is not an origin"),
        ("allowed_hosts: [https://a.example]", "without scheme and port"),
        ('allowed_hosts: ["*"]', "without scheme and port"),
        ("trusted_proxies: [nginx]", "is no address of a proxy"),
        ("tokens: [{name: 'with space', token: x}]", "a token's name"),
    ],
)
def test_values_that_will_not_do(line: str, words: str, tmp_path: Path) -> None:
    """The error names the field and what belongs there."""
    with pytest.raises(ConfigError) as caught:
        settings_of(tmp_path, f"security:\n  {line}\n")
    assert words in str(caught.value)
    assert "greenroom.yaml:2" in str(caught.value)


def test_files_are_found_beside_the_settings(tmp_path: Path) -> None:
    """Also those of named tokens, inside a list."""
    found = settings_of(tmp_path, "security: {token_file: t, tokens: [{name: a, token_file: b}]}")
    assert found.token_file == tmp_path / "t"
    assert found.tokens[0].token_file == tmp_path / "b"
