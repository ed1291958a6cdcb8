"""Scripts: what matches, what is filled in, and what is wrong with a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from greenroom.lab.script import BadScript, fill, matches, pick, read_script

EXAMPLES = Path(__file__).resolve().parents[2] / "examples" / "lab"
GOOD = """
name: a
url: ws://127.0.0.1:1/
ask:
  - send: {type: ask}
  - {expect: {type: done}, measure: first_reply}
"""


@pytest.mark.parametrize(
    ("pattern", "value", "result"),
    [
        ({"type": "a"}, {"type": "a", "more": 1}, True),
        ({"type": "a"}, {"type": "b"}, False),
        ({"type": "a"}, {}, False),
        ({"a": {"b": "*"}}, {"a": {"b": None}}, True),
        ({"a": {"b": "*"}}, {"a": 1}, False),
        ([1, "*"], [1, 2, 3], True),
        ([1, 2, 3], [1, 2], False),
        ({"text": "~^hel+o"}, {"text": "hello there"}, True),
        ({"text": "~^hello"}, {"text": 5}, False),
        ({"id": 1}, {"id": True}, False),
        ("*", None, True),
    ],
)
def test_a_pattern_matches_what_has_at_least_this(pattern: Any, value: Any, result: bool):
    """Fields beyond the pattern do not matter; types do."""
    assert matches(pattern, value) is result


def test_variables_keep_their_type_when_they_stand_alone():
    """`${n}` is the number itself, inside a text its digits; `${uuid}` is new each time."""
    made = fill({"a": "${n}", "b": ["n=${n}"], "c": ["${uuid}", "${uuid}"]}, {"n": 3})
    assert made["a"] == 3
    assert made["b"] == ["n=3"]
    assert made["c"][0] != made["c"][1]
    with pytest.raises(KeyError, match="missing"):
        fill("${missing}", {})


def test_values_are_picked_by_path():
    """Dots lead into objects and lists; a wrong path says which."""
    assert pick({"a": [{"b": 7}]}, "a.0.b") == 7
    with pytest.raises(KeyError, match=r"a\.1"):
        pick({"a": [0]}, "a.1")


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.yaml")), ids=lambda path: path.name)
def test_the_examples_are_good_scripts(path: Path):
    """Each file in examples/lab is read, and measures what a user waits for."""
    script = read_script(path)
    assert "first_reply" in {step.measure for step in script.ask}
    assert f"--script examples/lab/{path.name}" in path.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: [", "line 1"),
        ("[]", "Expected `object`"),
        ("name: a\nask: []\n", "measure: first_reply"),
        (GOOD.replace("send", "sned"), r"ask\[0\].*sned"),
        (GOOD.replace("first_reply", "third_reply"), r"ask\[1\]\.measure"),
        (GOOD.replace("  - send: {type: ask}\n", ""), "nothing is sent"),
        (GOOD.replace("{type: ask}", "{type: ask}\n    times: 0"), "times"),
    ],
)
def test_a_bad_script_says_where_and_what(tmp_path: Path, text: str, words: str):
    """The message names the file, the field and what is wrong with it."""
    path = tmp_path / "chat.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(BadScript, match=rf"(?s)chat\.yaml.*{words}"):
        read_script(path)


def test_a_missing_script_is_told(tmp_path: Path):
    """A path that leads nowhere is named."""
    with pytest.raises(BadScript, match="nowhere"):
        read_script(tmp_path / "nowhere.yaml")
