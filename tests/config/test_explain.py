"""Tests of turning pydantic's findings into problems."""

from __future__ import annotations

import pytest
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from greenroom.config.document import parse_document
from greenroom.config.explain import explain, fields_of, section_of
from greenroom.config.layers import Layers
from greenroom.config.sections import LogSettings, ServerSettings


class Inner(BaseModel):
    model_config = ConfigDict(extra="forbid")
    number: int = Field(default=1, ge=1)
    upper: int = Field(default=1, le=9)


class Outer(BaseModel):
    model_config = ConfigDict(extra="forbid")
    needed: str
    inner: Inner | None = None
    mixed: dict[str, int | str] = Field(default_factory=dict)
    words: list[str] = Field(default_factory=list, max_length=2)


def explained(text: str) -> list[str]:
    layers = Layers()
    layers.add_document(parse_document(text, "f.yaml", {}))
    with pytest.raises(ValidationError) as caught:
        Outer.model_validate(layers.data)
    return [str(problem) for problem in explain(caught.value, Outer, layers, "whole.yaml")]


def test_missing_field_names_the_whole():
    """A field that is nowhere is reported for the whole file."""
    assert explained("words: []\n") == ["whole.yaml: needed: is missing; write it"]


def test_choice_of_types_is_one_problem():
    """A value that fits none of several types is one problem, at its own line."""
    assert explained("needed: x\nmixed:\n  a: [1]\n") == [
        "f.yaml:3: mixed.a: a list is not a whole number; use digits only"
    ]


def test_lists():
    """Items of lists have their own place; a list has a length."""
    assert explained("needed: x\nwords:\n  - a\n  - 5\n") == [
        "f.yaml:4: words[1]: 5 is not text; put it in quotes"
    ]
    assert explained("needed: x\nwords: [a, b, c]\n") == ["f.yaml:2: words: is too long; use at most 2"]
    assert explained("needed: x\nwords: a\n") == [
        'f.yaml:2: words: "a" is not a list; write "- item" lines below it'
    ]


def test_open_ranges():
    """A range with one end is said with one end."""
    assert explained("needed: x\ninner: {number: 0}\n") == [
        "f.yaml:2: inner.number: 0 is out of range; use at least 1"
    ]
    assert explained("needed: x\ninner: {upper: 10}\n") == [
        "f.yaml:2: inner.upper: 10 is out of range; use at most 9"
    ]


def test_unknown_field_inside_an_optional_section():
    """Suggestions come from the section the field stands in."""
    assert explained("needed: x\ninner: {numbr: 0}\n") == [
        'f.yaml:2: inner.numbr: unknown field; did you mean "number"?'
    ]


def test_sections():
    """Models and pydantic dataclasses are sections, also where they are optional."""
    assert section_of(Inner | None) is Inner
    assert section_of(LogSettings) is LogSettings
    assert section_of(int) is None
    assert list(fields_of(ServerSettings)) == ["host", "port", "page_dir", "tls_cert", "tls_key"]
