"""Tests of IRC's wire: lines cut out of bytes, and taken apart."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from greenroom.live.sources.irc_lines import MAX_LINE, IrcLine, LineBuffer, LineTooLong, parse_line


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("PING :tmi.twitch.tv", IrcLine("PING", ("tmi.twitch.tv",))),
        ("ping x", IrcLine("PING", ("x",))),
        (":a!b@c PRIVMSG #d :hi : there", IrcLine("PRIVMSG", ("#d", "hi : there"), "a!b@c")),
        (":a PRIVMSG #d hi", IrcLine("PRIVMSG", ("#d", "hi"), "a")),
        (":a PRIVMSG #d :", IrcLine("PRIVMSG", ("#d", ""), "a")),
        (":a PRIVMSG #d ::)", IrcLine("PRIVMSG", ("#d", ":)"), "a")),
        (":s  353   x  = #d  :@a b ", IrcLine("353", ("x", "=", "#d", "@a b "), "s")),
        ("@a=1;b;c= :s X", IrcLine("X", (), "s", {"a": "1", "b": "", "c": ""})),
        (r"@a=x\sy\:\\\r\n\q\ :s X", IrcLine("X", (), "s", {"a": "x y;\\\r\nq"})),
        ("@a=b=c;;=d X y", IrcLine("X", ("y",), "", {"a": "b=c"})),
    ],
)
def test_parse(text: str, line: IrcLine):
    """Tags, prefix, command and parameters are told apart as the standard says."""
    assert parse_line(text) == line


@pytest.mark.parametrize("text", ["", " ", ":prefix", "@a=b", "@a=b :p", " :trailing"])
def test_no_command(text: str):
    """A line that says nothing is an error."""
    with pytest.raises(ValueError, match="without a command"):
        parse_line(text)


def test_parts():
    """The nick stands before the `!`; a missing parameter is empty."""
    line = parse_line(":nick!user@host PRIVMSG #c :text")
    assert line.nick == "nick"
    assert (line.param(0), line.param(-1), line.param(5), line.param(-5)) == ("#c", "text", "", "")


@given(st.lists(st.text(st.characters(exclude_characters="\r\n", exclude_categories=["Cs"]), max_size=40)))
def test_lines_come_out_whole_however_they_arrive(lines: list[str]):
    """Bytes cut at any place give the same lines, with both kinds of line ends."""
    data = "".join(line + ("\r\n" if index % 2 else "\n") for index, line in enumerate(lines)).encode()
    buffer = LineBuffer()
    got = [line for start in range(0, len(data), 7) for line in buffer.feed(data[start : start + 7])]
    assert got == [line for line in lines if line.encode().strip()]


def test_not_utf8():
    """Bytes that are no UTF-8 are shown as such, not an error."""
    assert LineBuffer().feed(b"a\xff\xfeb\n") == ["a\ufffd\ufffdb"]


def test_a_line_without_an_end_is_bounded():
    """A peer that never ends its line is refused, and the memory is given back."""
    buffer = LineBuffer()
    buffer.feed(b"x" * MAX_LINE)
    with pytest.raises(LineTooLong, match="more than"):
        buffer.feed(b"x")
    assert buffer.feed(b"PING\n") == ["PING"]
    with pytest.raises(LineTooLong):
        buffer.feed(b"x" * (MAX_LINE + 1) + b"\n")


@given(st.text(max_size=100))
def test_nothing_but_a_value_error(text: str):
    """Whatever arrives is a line or a ValueError."""
    try:
        line = parse_line(text)
    except ValueError:
        return
    assert line.command
