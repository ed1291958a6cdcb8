"""The documents about live chat tell the truth: settings, defaults, reasons and bounds, in both languages."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, get_args

import pytest

from greenroom.config.sections import ModerationSettings, SourceSettings
from greenroom.config.settings import load_settings
from greenroom.config.source_urls import parse_source_url
from greenroom.live.sources.backoff import Pauses
from greenroom.live.sources.factory import KEY_VARIABLES
from greenroom.live.sources.moderation import Reason
from greenroom.live.sources.runner import MAX_PER_SECOND

DOCS = Path(__file__).resolve().parents[3] / "docs"
BOTH = pytest.mark.parametrize("text", [
    (DOCS / name).read_text(encoding="utf-8") for name in ("live-chat.md", "live-chat.zh-CN.md")
], ids=["en", "zh"])  # fmt: skip


@BOTH
def test_the_settings_shown_are_accepted(text: str, tmp_path: Path):
    """The YAML is what the server reads without a complaint."""
    (block,) = re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)
    (tmp_path / "greenroom.yaml").write_text(block, encoding="utf-8")
    assert len(load_settings(tmp_path / "greenroom.yaml", environ={}).sources) == 2


@BOTH
def test_the_tables_state_fields_and_defaults(text: str):
    """Every setting stands in a table, with its default."""
    rows = dict(re.findall(r"^\| `(\w+)` \| (?:`([^`]*)`)? ?\|", text, re.MULTILINE))
    fields: dict[str, Any] = {**SourceSettings.model_fields, **ModerationSettings.model_fields}
    assert set(rows) == set(fields)
    for name, stated in rows.items():
        if not stated:
            continue
        default = fields[name].default
        shown = default if isinstance(default, str) else json.dumps(default)
        assert stated == shown, name


@BOTH
def test_reasons_bounds_and_variables(text: str):
    """Every reason, the bounds of the runner, and the variables of the keys are named."""
    for word in (*(set(get_args(Reason)) - {"empty"}), "flood", "duplicate", *KEY_VARIABLES.values()):
        assert f"`{word}`" in text
    assert f" {MAX_PER_SECOND} " in text
    assert f" {Pauses().longest:g} " in text


@BOTH
def test_the_addresses_shown_are_understood(text: str):
    """Every address in the documents names a chat."""
    addresses = re.findall(r"`((?:twitch|bilibili|irc|ircs|youtube)://[^`]+|https://live[^`]+)`", text)
    assert len(addresses) >= 7
    for address in addresses:
        name = address.replace("UC…", "UC" + "a" * 22).replace("VIDEO", "a" * 11)
        parse_source_url(name)
