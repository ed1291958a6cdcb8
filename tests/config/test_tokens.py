"""Tests of tokens.py."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any

import pytest

from greenroom.config import tokens
from greenroom.config.check import check
from greenroom.config.errors import ConfigError
from greenroom.config.settings import Settings
from greenroom.config.tokens import (
    exposure,
    is_loopback_host,
    load_tokens,
    make_token,
    refuse_to_be_open,
    write_token,
)

ONE = "visitors-token-0123456789"
TWO = "operators-token-9876543210"


def settings(host: str = "127.0.0.1", **security: Any) -> Settings:
    return Settings.model_validate({"server": {"host": host}, "security": security})


def secret_file(path: Path, text: str = ONE + "\n", mode: int = 0o600) -> Path:
    path.write_text(text, encoding="utf-8")
    path.chmod(mode)
    return path


def test_tokens_from_everywhere(tmp_path: Path) -> None:
    """Values and files, each with its name and what it opens."""
    file = secret_file(tmp_path / "ops", TWO)
    found = load_tokens(
        settings(
            token=ONE, ops_token_file=file, tokens=[{"name": "bot", "token": "bot-token-abcdefghijklmnop"}]
        )
    )
    assert [(token.name, token.value[:4], token.ops) for token in found] == [
        ("visitors", "visi", False),
        ("ops", "oper", True),
        ("bot", "bot-", False),
    ]


@pytest.mark.skipif(os.name == "nt", reason="files have no modes there")
@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o660, 0o620])
def test_a_file_that_others_can_read_is_refused(mode: int, tmp_path: Path) -> None:
    """With the command that mends it, and without what is in it."""
    file = secret_file(tmp_path / "token", mode=mode)
    with pytest.raises(ConfigError) as caught:
        load_tokens(settings(token_file=file))
    assert f"chmod 600 {file}" in str(caught.value)
    assert ONE not in str(caught.value)


@pytest.mark.skipif(os.name == "nt", reason="files have no modes there")
def test_a_secret_that_the_system_hands_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """systemd's credentials are root's, with an access list that shows as the group's right; so are Kubernetes'."""
    file = secret_file(tmp_path / "token", mode=0o440)
    real = os.fstat

    def owned_by_root(descriptor: int) -> os.stat_result:
        found = list(real(descriptor))
        found[stat.ST_UID] = 0
        return os.stat_result(found)

    monkeypatch.setattr(os, "fstat", owned_by_root)
    monkeypatch.setattr(os, "geteuid", lambda: 61234)
    assert [token.value for token in load_tokens(settings(token_file=file))] == [ONE]
    for mode in (0o444, 0o460, 0o441):
        file.chmod(mode)
        with pytest.raises(ConfigError, match="chmod"):
            load_tokens(settings(token_file=file))
    file.chmod(0o440)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    with pytest.raises(ConfigError, match="chmod"):
        load_tokens(settings(token_file=file))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "holds no token"),
        ("short", "is shorter than"),
        ("ü" * 30, "holds no token"),
        ("x" * 5000, "holds no token"),
    ],
)
def test_a_file_without_a_token(content: str, words: str, tmp_path: Path) -> None:
    """Says what is wrong, not what was in it."""
    with pytest.raises(ConfigError) as caught:
        load_tokens(settings(token_file=secret_file(tmp_path / "token", content)))
    assert words in str(caught.value)
    assert "greenroom token" in str(caught.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    """Names the file and how to make it; a folder is no file."""
    with pytest.raises(ConfigError) as caught:
        load_tokens(settings(token_file=tmp_path / "none"))
    assert f"greenroom token --write {tmp_path / 'none'}" in str(caught.value)
    with pytest.raises(ConfigError):
        load_tokens(settings(token_file=tmp_path))


def test_tokens_must_differ(tmp_path: Path) -> None:
    """In name and in value; a token is given once; a named one has a value."""
    for security, words in (
        ({"token": ONE, "ops_token": ONE}, "have the same token"),
        ({"tokens": [{"name": "a", "token": ONE}, {"name": "a", "token": TWO}]}, '"a" is there twice'),
        ({"token": ONE, "token_file": secret_file(tmp_path / "t")}, "given twice"),
        ({"tokens": [{"name": "a"}]}, "is missing"),
    ):
        with pytest.raises(ConfigError) as caught:
            load_tokens(settings(**security))
        assert words in str(caught.value)
        assert ONE not in str(caught.value)


def test_a_made_token_will_do(tmp_path: Path) -> None:
    """It is long and new each time; its file is its owner's alone, and never written over."""
    assert make_token() != make_token()
    assert len(make_token()) >= 43
    assert not any(make_token().startswith("-") for _ in range(500))
    write_token(tmp_path / "t", make_token())
    assert os.name == "nt" or stat.S_IMODE((tmp_path / "t").stat().st_mode) == 0o600
    assert len(load_tokens(settings(token_file=tmp_path / "t"))) == 1
    with pytest.raises(FileExistsError):
        write_token(tmp_path / "t", make_token())


@pytest.mark.parametrize(
    ("host", "here"),
    [("127.0.0.1", True), ("127.8.8.8", True), ("::1", True), ("[::1]", True), ("localhost", True),
     ("LOCALHOST.", True), ("0.0.0.0", False), ("::", False), ("192.168.0.7", False)],
)  # fmt: skip
def test_who_can_reach_a_host(host: str, here: bool) -> None:
    """Loopback addresses are this machine's alone."""
    assert is_loopback_host(host) is here


def test_a_name_is_what_it_means_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """All of its addresses must be loopback ones; one that means nothing is not."""
    answers = {"both": ["127.0.0.1", "::1%lo"], "mixed": ["127.0.0.1", "10.0.0.1"]}

    def lookup(host: str, *_: object, **__: object) -> list[Any]:
        if host not in answers:
            raise OSError
        return [(None, None, None, None, (address, 0)) for address in answers[host]]

    monkeypatch.setattr(tokens.socket, "getaddrinfo", lookup)
    assert [is_loopback_host(name) for name in ("both", "mixed", "nothing")] == [True, False, False]


def test_open_to_others_without_a_token_is_refused() -> None:
    """The refusal names every way out."""
    found = refuse_to_be_open(settings("0.0.0.0"), ())
    assert found is not None
    for words in (
        "greenroom token --write",
        "--token-file",
        "GREENROOM_SECURITY__TOKEN",
        "--insecure-open",
        "127.0.0.1",
    ):
        assert words in found.fix
    assert "0.0.0.0" in found.message


def test_what_may_start() -> None:
    """Loopback; with a visitors' token; or told so. An ops token alone keeps no visitor out."""
    assert refuse_to_be_open(settings(), ()) is None
    for security in ({"token": ONE}, {"insecure_open": True}, {"tokens": [{"name": "a", "token": ONE}]}):
        one = settings("0.0.0.0", **security)
        assert refuse_to_be_open(one, load_tokens(one)) is None
    one = settings("0.0.0.0", ops_token=TWO)
    assert refuse_to_be_open(one, load_tokens(one)) is not None


def test_behind_a_proxy_loopback_is_open_too() -> None:
    """It passes on whoever comes."""
    one = settings(trusted_proxies=["127.0.0.1"])
    assert "proxy" in exposure(one)
    assert refuse_to_be_open(one, ()) is not None


def test_check_says_so_before_the_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`greenroom check` finds an open door and a token file that others can read."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "greenroom.yaml"
    path.write_text("data_dir: d\nserver: {host: 0.0.0.0}\n", encoding="utf-8")
    assert "--insecure-open" in check(path, {}).text()
    secret_file(tmp_path / "t", mode=0o644)
    path.write_text("data_dir: d\nserver: {host: 0.0.0.0}\nsecurity: {token_file: t}\n", encoding="utf-8")
    assert "chmod 600" in check(path, {}).text()
    (tmp_path / "t").chmod(0o600)
    assert check(path, {}).ok


@pytest.mark.skipif(os.name == "nt", reason="files have no modes there")
def test_check_warns_of_a_token_that_others_can_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the settings file itself, with its line; not if it comes from a variable, or only the owner can read it."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "greenroom.yaml"
    named = f"  tokens: [{{name: a, token: {TWO}}}]\n"
    path.write_text(f"data_dir: d\nsecurity:\n  token: {ONE}\n{named}", encoding="utf-8")
    path.chmod(0o644)
    found = check(path, {})
    assert [(warning.field, warning.line) for warning in found.warnings] == [
        ("security.token", 3),
        ("security.tokens", 4),
    ]
    assert "chmod 600" in found.text()
    assert ONE not in found.text()
    path.chmod(0o600)
    assert not check(path, {}).warnings
    path.write_text("data_dir: d\nsecurity:\n  token: ${TOKEN}\n", encoding="utf-8")
    path.chmod(0o644)
    assert not check(path, {"TOKEN": ONE}).warnings
