"""Tests of login.py."""

from __future__ import annotations

import re
from base64 import b64encode
from hashlib import sha256

import pytest
from starlette.datastructures import Headers

from greenroom.server.security.login import (
    POLICY,
    TEXTS,
    bounce_page,
    language_of,
    login_page,
    safe_next,
    up_from,
)


def test_the_two_languages_say_the_same() -> None:
    """Every text is there in both."""
    assert TEXTS["en"].keys() == TEXTS["zh"].keys()


@pytest.mark.parametrize(
    ("accept", "language"),
    [
        ("zh-CN,zh;q=0.9,en;q=0.8", "zh"),
        ("en-GB,zh", "en"),
        ("fr, zh-TW;q=0.5", "zh"),
        ("fr", "en"),
        ("", "en"),
    ],
)
def test_the_browsers_language(accept: str, language: str) -> None:
    """The first that we have; English if there is none."""
    assert language_of(Headers({"accept-language": accept})) == language


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_page_holds_to_its_own_policy(language: str) -> None:
    """Its one style is the one the policy names; there is no script and no style at an element."""
    html = login_page(language, "", problem="too-many-attempts", seconds=7).decode()
    styles = re.findall(r"<style>(.*?)</style>", html, re.DOTALL)
    assert len(styles) == 1
    assert f"'sha256-{b64encode(sha256(styles[0].encode()).digest()).decode()}'" in POLICY
    assert "<script" not in html
    assert " style=" not in html
    assert "unsafe" not in POLICY
    assert " 7 " in html


def test_what_comes_after_is_quoted() -> None:
    """Nothing of the address gets into the page's code."""
    html = login_page("en", '"><script>alert(1)</script>').decode()
    assert "<script" not in html
    assert "<b" not in bounce_page('"><b>').decode().replace("<body", "")


@pytest.mark.parametrize(
    "text", ["//evil.example", "/\\evil.example", "\\\\evil.example", "../x", "a/../../x", "a\nb", "x" * 3000]
)
def test_nothing_leads_elsewhere(text: str) -> None:
    """After logging in one is at this server."""
    assert safe_next(text) == ""


@pytest.mark.parametrize(
    "text", ["", "ops", "ops?x=1&y=%20", "a/b", "http://evil.example", "javascript:alert(1)"]
)
def test_places_of_this_server_stay(text: str) -> None:
    """As they are relative to `./`, a scheme in them is only a part of a name."""
    assert safe_next(text) == text


@pytest.mark.parametrize(("path", "up"), [("/", "./"), ("/ops", "./"), ("/a/b", "../"), ("/a/b/c", "../../")])
def test_the_way_up(path: str, up: str) -> None:
    """Relative, so that a proxy's prefix does not matter."""
    assert up_from(path) == up
