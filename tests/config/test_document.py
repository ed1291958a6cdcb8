"""Tests of the YAML reader that remembers lines."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from greenroom.config.document import MAX_BYTES, MAX_VALUES, dotted, parse_document, read_document
from greenroom.config.errors import ConfigError


def parse(text: str, **environ: str):
    return parse_document(text, "f.yaml", environ)


def problem_of(text: str):
    with pytest.raises(ConfigError) as caught:
        parse(text)
    assert len(caught.value.problems) == 1
    return caught.value.problems[0]


def test_values_and_lines():
    """Every value comes with the line it stands on."""
    document = parse("server:\n  port: 8000\n\nwords:\n  - a\n  - {b: 1}\n")
    assert document.data == {"server": {"port": 8000}, "words": ["a", {"b": 1}]}
    assert document.line(("server", "port")) == 2
    assert document.line(("words", 1, "b")) == 6
    assert document.line(("server", "nothing")) == 1
    assert document.line(("nothing",)) is None


def test_plain_words():
    """Plain words mean what they mean in YAML, but dates, clock times and keys stay text."""
    text = "a: true\nb: no\nc: ~\nd: 1.5\ne: 0x10\nf: 12:30\ng: 2024-01-01\nno: x\n1: y\nh: '5'\ni:\n"
    assert parse(text).data == {
        "a": True,
        "b": False,
        "c": None,
        "d": 1.5,
        "e": 16,
        "f": "12:30",
        "g": "2024-01-01",
        "no": "x",
        "1": "y",
        "h": "5",
        "i": None,
    }


@pytest.mark.parametrize("text", ["", "# only a comment\n", "---\n"])
def test_empty(text: str):
    """An empty file is an empty list of fields."""
    assert parse(text).data == {}


@pytest.mark.parametrize("text", ["- a\n- b\n", "just words\n", "5\n"])
def test_top_level_must_be_fields(text: str):
    """A file that is not a list of fields is refused."""
    assert problem_of(text).message == "is not a list of fields"


def test_syntax_error_has_its_line():
    """Broken YAML is named with its line."""
    problem = problem_of("a: 1\nb: c: d\n")
    assert (problem.file, problem.line) == ("f.yaml", 2)
    assert problem.message.startswith("is not valid YAML: mapping values are not allowed")


def test_control_character():
    """A character that YAML forbids is said to be one."""
    assert "does not allow" in problem_of("a: \x07\n").message


@pytest.mark.parametrize(
    "tag", ["!!python/object/apply:os.system", "!!python/name:os.system", "!thing", "!!binary", "!!set"]
)
def test_tags_are_refused(tag: str):
    """A tag that could make anything but plain values is refused, with its line."""
    problem = problem_of(f"a: 1\nb: {tag} x\n")
    assert (problem.line, problem.field) == (2, "b")
    assert "is not allowed" in problem.message


def test_plain_tags():
    """The tags of plain values are obeyed."""
    assert parse("a: !!str 5\nb: !!int '7'\n").data == {"a": "5", "b": 7}


@pytest.mark.parametrize("value", ["!!int x", "!!bool maybe", "9" * 5000])
def test_unreadable_numbers(value: str):
    """A value that is not what its tag says, or too long a number, is refused."""
    assert problem_of(f"a: {value}\n").message == "is not a number that can be read"


def test_aliases():
    """An alias repeats a value; lines inside it point to where it is used."""
    document = parse("one: &x {a: 1}\ntwo: *x\n")
    assert document.data["two"] == {"a": 1}
    assert document.line(("two", "a")) == 2


def test_merge_key():
    """`<<` lends fields to a section that has none of its own for them."""
    document = parse("base: &b {a: 1, c: 2}\nmine:\n  <<: *b\n  a: 5\n")
    assert document.data["mine"] == {"a": 5, "c": 2}
    assert document.line(("mine", "c")) == 3
    assert problem_of("a:\n  <<: 5\n").message == '"<<" needs a section'


def test_alias_bomb():
    """A file that grows without bound when its aliases are expanded is refused at once."""
    levels = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    levels += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 20)]
    problem = problem_of("\n".join(levels))
    assert problem.message == f"holds more than {MAX_VALUES} values once its aliases are expanded"
    assert problem.line is not None


def test_alias_of_itself():
    """An alias inside its own value is refused instead of looping."""
    assert "refers to nothing that is complete" in problem_of("a: &a [*a]\n").message
    assert "refers to nothing" in problem_of("a: *b\n").message


@pytest.mark.parametrize("text", ["a: " + "[" * 40 + "]" * 40, "a: " + "{a: " * 60 + "1" + "}" * 60])
def test_deep_nesting(text: str):
    """Deep nesting is refused."""
    assert "nested deeper" in problem_of(text).message


@pytest.mark.parametrize("text", ["[" * 100_000, "a: " + "{a: " * 100_000, "- " * 100_000])
def test_absurd_nesting(text: str):
    """Absurd nesting ends in an ordinary error, not in a crash."""
    assert problem_of(text).file == "f.yaml"


def test_too_many_values():
    """A file with too many values is refused."""
    assert "holds more than" in problem_of("a:\n" + "- 1\n" * (MAX_VALUES + 1)).message


def test_too_large(tmp_path: Path):
    """A file over 1 MiB is refused before it is parsed."""
    path = tmp_path / "big.yaml"
    path.write_text("#" * (MAX_BYTES + 1))
    with pytest.raises(ConfigError, match="is too large; keep it under 1024 KiB"):
        read_document(path, {})
    assert problem_of("#" * (MAX_BYTES + 1)).message == "is too large"


def test_second_document():
    """A second document in the file is not silently dropped."""
    problem = problem_of("a: 1\n---\nb: 2\n")
    assert (problem.line, problem.message) == (2, "holds a second document")


def test_key_that_is_no_word():
    """A section as a key is refused."""
    assert "name is not plain text" in problem_of("? [a, b]\n: 1\n").message


def test_double_key():
    """A key given twice is reported with both lines; the last one counts."""
    document = parse("a: 1\nb: 2\na: 3\n")
    assert document.data["a"] == 3
    (warning,) = document.warnings
    assert str(warning) == "f.yaml:3: a: is given twice; the first time in line 1; keep one of them"


def test_variables():
    """Variables are put into values, and a plain value takes the type of what comes out."""
    document = parse("port: ${PORT}\nname: 'at ${NAME}:${PORT}'\nquoted: '${PORT}'\n", PORT="80", NAME="x")
    assert document.data == {"port": 80, "name": "at x:80", "quoted": "80"}
    assert document.missing == ()
    assert document.hides(("port",))


def test_variable_defaults():
    """A default stands in for a variable that is missing or empty."""
    assert parse("a: ${A:-5}\nb: '${B:-}'\n").data == {"a": 5, "b": ""}
    assert parse("a: ${A:-5}\n", A="").data == {"a": 5}
    assert parse("a: ${A:-5}\n", A="6").data == {"a": 6}
    assert not parse("a: ${A:-5}\n").hides(("a",))


def test_missing_variable():
    """A variable that is not set is named, with the line, and left as it is."""
    document = parse("a: 1\nb:\n  c: ${NOT_HERE}\n")
    ((path, problem),) = document.missing
    assert path == ("b", "c")
    assert str(problem) == (
        "f.yaml:3: b.c: the environment variable NOT_HERE is not set; set it, or write ${NOT_HERE:-default}"
    )
    assert document.data["b"]["c"] == "${NOT_HERE}"


def test_escaped_variable():
    """`$${NAME}` is text."""
    document = parse("a: $${NAME} and $5\n", NAME="x")
    assert document.data == {"a": "${NAME} and $5"}
    assert not document.hides(("a",))


def test_variable_cannot_add_fields():
    """A variable's content is one value, whatever YAML it holds."""
    document = parse("a: ${A}\n", A="1\nadmin: true")
    assert document.data == {"a": "1\nadmin: true"}


def test_variable_hidden_through_alias():
    """What came from the environment stays hidden where an alias or `<<` repeats it."""
    document = parse("a: &a {k: '${A}'}\nb: *a\nc:\n  <<: *a\n", A="secret")
    assert document.hides(("b", "k"))
    assert document.hides(("c", "k"))


def test_other_encoding(tmp_path: Path):
    """A file in another encoding is read, with a warning."""
    path = tmp_path / "zh.yaml"
    path.write_bytes("name: 米粒\n".encode("gb18030"))
    document = read_document(path, {}, name="zh.yaml")
    assert document.data == {"name": "米粒"}
    assert str(document.warnings[0]) == "zh.yaml: is not UTF-8; it was read as gb18030; save it as UTF-8"


def test_dotted():
    """Paths are written as users write them."""
    assert dotted(("agent", "wake", 2, "x")) == "agent.wake[2].x"
    assert dotted(()) == ""


@given(st.text(max_size=200))
def test_any_text_gives_data_or_a_clear_error(text: str):
    """Whatever a file holds, the outcome is a list of fields or a ConfigError."""
    problems, data = (), {}
    try:
        data = parse(text).data
    except ConfigError as error:
        problems = error.problems
    assert all(problem.file == "f.yaml" for problem in problems)
    assert isinstance(data, dict)


_KEYS = st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=8)
_WORDS = st.text(st.characters(categories=["L", "N", "P", "S", "Zs"]), max_size=20)
_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**9), 10**9) | _WORDS.filter(lambda t: "${" not in t),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_KEYS, inner, max_size=3),
    max_leaves=10,
)


@given(st.dictionaries(_KEYS, _VALUES, max_size=4))
def test_agrees_with_the_usual_loader(data: dict[str, object]):
    """What PyYAML writes is read back as it was."""
    assert parse(yaml.safe_dump(data, allow_unicode=True)).data == data
