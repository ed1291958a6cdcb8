"""Tests of pictures.py."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.helpers.pictures import data_url, gif, jpeg, png, webp, webp_lossless, webp_lossy

from greenroom.sessions.pictures import BadPicture, checked_picture, measure

MAX_BYTES, MAX_PIXELS = 100_000, 40_000_000


def problem(url: str, max_bytes: int = MAX_BYTES) -> BadPicture:
    with pytest.raises(BadPicture) as caught:
        checked_picture(url, max_bytes, MAX_PIXELS)
    return caught.value


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (png, "png"),
        (jpeg, "jpeg"),
        (gif, "gif"),
        (webp, "webp"),
        (webp_lossy, "webp"),
        (webp_lossless, "webp"),
    ],
)
def test_size_and_type_are_in_the_header(content: object, kind: str) -> None:
    """Of each known type, in each of its forms."""
    assert measure(content(640, 480)) == (kind, 640, 480)  # type: ignore[operator]


def test_a_jpeg_may_say_its_size_late() -> None:
    """Behind a preview, a description and padding."""
    segment = b"\xff\xe1\xff\xff" + bytes(65533)
    assert measure(jpeg(300, 200, before=segment * 5 + b"\xff\xff\xff" + b"\xff\x01"[1:])) == (
        "jpeg",
        300,
        200,
    )


def test_the_type_is_what_the_content_is() -> None:
    """Whatever was declared."""
    for kind in ("image/jpeg", "image/svg+xml", "text/html"):
        assert checked_picture(data_url(png(), kind), MAX_BYTES, MAX_PIXELS) == data_url(png(), "image/png")
    declared_nothing = f"data:;base64,{base64.b64encode(gif()).decode()}"
    assert checked_picture(declared_nothing, MAX_BYTES, MAX_PIXELS) == data_url(gif(), "image/gif")
    named = f"data:image/png;name=a.png;base64,{base64.b64encode(png()).decode()}"
    assert checked_picture(named, MAX_BYTES, MAX_PIXELS) == data_url(png(), "image/png")


@pytest.mark.parametrize(
    "bomb", [png(50_000, 50_000), jpeg(65_535, 65_535), gif(65_535, 65_535), webp(16_000_000, 9)]
)
def test_a_bomb_is_refused_unopened(bomb: bytes) -> None:
    """Some bytes that unfold to gigabytes of pixels."""
    found = problem(data_url(bomb))
    assert found.code == "too-large"
    assert "pixels" in str(found)


@pytest.mark.parametrize(
    "content",
    [b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"<html>", b"", b"BM" + bytes(60), b"%PDF-1.7", b"PK\x03\x04",
     b"\x89PNG\r\n\x1a\n", png(0, 5), jpeg()[:20], b"\xff\xd8\xff\xd9", b"\xff\xd8\xff\xda" + bytes(20),
     b"\xff\xd8\xff\xe0\x00\x00" + bytes(20), gif()[:8], b"RIFF\x00\x00\x00\x00WEBPVP8X",
     b"RIFF\x00\x00\x00\x00WEBPXXXX" + bytes(20)],
)  # fmt: skip
def test_what_is_no_picture_is_refused(content: bytes) -> None:
    """Programs, documents, and headers that break off; the text says what would be taken."""
    found = problem(data_url(content))
    assert found.code == "bad-image"
    assert str(found)


@pytest.mark.parametrize(
    "url",
    ["data:image/png,plain", "data:image/png;base64", "data:image/png;base64,%89PNG",
     "data:image/png;base64,iVBORw0K Ggo=",
     "data:image/png;base64,=AAA", "data:image/png;base64,ü", "data:image/png;charset=x;base64;base64,AAAA", "data:"],
)  # fmt: skip
def test_what_is_no_base64_is_refused(url: str) -> None:
    """With what to send instead."""
    assert "base64" in str(problem(url))


def test_too_many_bytes() -> None:
    """The bound is on the picture, not on its text."""
    fits = png() + bytes(MAX_BYTES - len(png()))
    assert checked_picture(data_url(fits), MAX_BYTES, MAX_PIXELS)
    assert problem(data_url(fits + bytes(100))).code == "too-large"


@given(
    st.sampled_from([png(), jpeg(), gif(), webp(), webp_lossy(), webp_lossless()]),
    st.binary(max_size=60),
    st.data(),
)
def test_no_bytes_break_it(start: bytes, rest: bytes, data: st.DataObject) -> None:
    """Whatever follows a good beginning: a size, or a refusal."""
    cut = data.draw(st.integers(0, len(start)))
    try:
        kind, width, height = measure(start[:cut] + rest)
    except BadPicture:
        return
    assert kind in ("png", "jpeg", "gif", "webp")
    assert width > 0
    assert height > 0
