"""Tests of the problems' wording."""

from __future__ import annotations

from greenroom.config.errors import MAX_LISTED, ConfigError, Problem, did_you_mean, shown


def test_problem_reads_as_one_line():
    """A problem names the file, the line, the field, what is wrong and the fix."""
    problem = Problem("greenroom.yaml", 12, "server.port", "99999 is not a port", "use 1..65535")
    assert str(problem) == "greenroom.yaml:12: server.port: 99999 is not a port; use 1..65535"


def test_problem_leaves_out_what_it_does_not_know():
    """Without a line, a field or a fix nothing empty is left behind."""
    assert str(Problem("command line", None, "", "is wrong")) == "command line: is wrong"


def test_error_lists_all_problems():
    """The error's text has one line for each problem."""
    error = ConfigError([Problem("a.yaml", 1, "x", "is bad"), Problem("a.yaml", 2, "y", "is worse")])
    assert str(error) == "a.yaml:1: x: is bad\na.yaml:2: y: is worse"
    assert [problem.field for problem in error.problems] == ["x", "y"]


def test_error_text_is_bounded():
    """A file with thousands of mistakes does not make a text of thousands of lines."""
    error = ConfigError(Problem("a.yaml", line, "x", "is bad") for line in range(1000))
    assert len(str(error).splitlines()) == MAX_LISTED + 1
    assert str(error).endswith(f"... and {1000 - MAX_LISTED} more")


def test_did_you_mean():
    """A near word is suggested, a far one is not."""
    assert did_you_mean("prot", ["port", "host"]) == 'did you mean "port"?'
    assert did_you_mean("zzzzz", ["port", "host"]) == ""


def test_shown_values_are_short_and_on_one_line():
    """A value is repeated in at most 40 characters, without control characters."""
    assert shown("a\nb\x1b[31m") == '"a b [31m"'
    assert len(shown("x" * 10_000)) == 42
    assert shown({"a": 1}) == "a section"
    assert shown([1]) == "a list"
    assert shown(None) == "nothing"
    assert shown(True) == "true"
    assert shown(5) == "5"
