"""Tests of values laid over one another."""

from __future__ import annotations

from greenroom.config.document import parse_document
from greenroom.config.layers import Layers, Origin


def layers_of(*texts: str, **environ: str) -> Layers:
    layers = Layers()
    for number, text in enumerate(texts, 1):
        layers.add_document(parse_document(text, f"{number}.yaml", environ))
    return layers


def test_later_wins_field_by_field():
    """A later file changes what it names and leaves the rest; lists are replaced whole."""
    layers = layers_of("a: {x: 1, y: 2}\nl: [1, 2]\n", "\n\na:\n  y: 3\nl: [9]\n")
    assert layers.data == {"a": {"x": 1, "y": 3}, "l": [9]}
    assert layers.origin(("a", "x")) == Origin("1.yaml", 1)
    assert layers.origin(("a", "y")) == Origin("2.yaml", 4)
    assert layers.origin(("l", 0)) == Origin("2.yaml", 5)


def test_empty_section_changes_nothing():
    """A section with everything commented out does not wipe the one below it."""
    assert layers_of("a: {x: 1}\n", "a:\n").data == {"a": {"x": 1}}


def test_put_makes_sections():
    """A single value brings the sections it needs."""
    layers = layers_of("a: {x: 1}\n")
    layers.put(("a", "b", "c"), 5, Origin("flag"))
    assert layers.data == {"a": {"x": 1, "b": {"c": 5}}}
    assert layers.origin(("a", "b", "c")) == Origin("flag")
    assert layers.problems == []


def test_put_reports_the_value_it_replaces():
    """A value that stands where a section belongs is reported although another one hides it."""
    layers = layers_of("\na: 5\n")
    layers.put(("a", "b"), 1, Origin("flag"))
    assert layers.data == {"a": {"b": 1}}
    (problem,) = layers.problems
    assert (problem.file, problem.line, problem.field) == ("1.yaml", 2, "a")


def test_add_part_of_a_file():
    """A part of a file keeps the file's lines."""
    layers = Layers()
    layers.add_document(parse_document("x: 1\nin:\n  a: 2\n", "f", {}), ("in",))
    assert layers.data == {"a": 2}
    assert layers.origin(("a",)) == Origin("f", 3)


def test_hidden_origin():
    """A value out of the environment is marked, for messages must not repeat it."""
    origin = layers_of("a: '${K}'\n", K="v").origin(("a",))
    assert origin is not None
    assert origin.hidden


def test_files_are_not_changed():
    """Laying over a file leaves the file's own data as it was."""
    document = parse_document("a: {x: 1}\nl: [1]\n", "f", {})
    layers = Layers()
    layers.add_document(document)
    layers.put(("a", "x"), 2, Origin("flag"))
    layers.data["l"].append(2)
    assert document.data == {"a": {"x": 1}, "l": [1]}
