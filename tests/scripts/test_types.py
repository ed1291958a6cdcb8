"""The pages are typed end to end: what the server changes about a message fails the type check of `web/`.

Proven by changing the generated types in a copy, every field of every message, and reading what the type checker
says about it.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import bootstrap
import page
import pytest

from greenroom.lab.plan import MODES

TYPES = ("protocol.generated.ts", "ops.generated.ts")
COPIED = ("src", "tsconfig.json", "tests/client/messages.ts", "tests/ops/fixture.ts")
FIELD = re.compile(r"^ {2}(?!type\b)(\w+)(\??): (.+);$", re.MULTILINE)
"""A field of a record; `type` is what tells messages apart and has a test of its own."""
RECORD = re.compile(r"^export interface (\w+) \{\n(.*?)^\}", re.MULTILINE | re.DOTALL)


class Copy:
    """A copy of the pages' sources whose generated types can be changed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in COPIED:
            source, target = page.WEB / name, folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copytree(source, target) if source.is_dir() else shutil.copy(source, target)
        os.symlink(page.WEB / "node_modules", folder / "node_modules", target_is_directory=True)

    def complaints(self) -> str:
        """What the type checker says; empty if nothing."""
        node = bootstrap.find_node()
        assert node is not None, "there is no Node: run `make page`"
        checker = page.WEB / "node_modules" / "typescript" / "bin" / "tsc"
        done = subprocess.run(
            ["node", str(checker), "--noEmit", "--pretty", "false"],
            cwd=self.folder,
            env=node.environment(),
            capture_output=True,
            text=True,
            encoding="utf-8",
        )
        assert (done.returncode == 0) == (not done.stdout), done.stdout[-2000:] + done.stderr[-2000:]
        return done.stdout

    def changed(self, name: str, change: Callable[[str], str]) -> str:
        """The complaints about generated types as `change` makes them."""
        path = self.folder / "src" / name
        text = path.read_text(encoding="utf-8")
        mutant = change(text)
        assert mutant != text
        path.write_text(mutant, encoding="utf-8")
        try:
            return self.complaints()
        finally:
            path.write_text(text, encoding="utf-8")


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Copy]:
    return Copy(tmp_path_factory.mktemp("types"))


def with_own_types(text: str, *, holding: bool) -> tuple[str, list[str]]:
    """The text with a type of its own for each field, with the field's name in it; and the names.

    Fields that hold other records are changed in a text of their own: in them nobody looks any further.
    """
    records = {match[1] for match in RECORD.finditer(text)}
    names: list[str] = []

    def record(match: re.Match[str]) -> str:
        def field(found: re.Match[str]) -> str:
            if holding is not bool(records.intersection(re.findall(r"\w+", found[3]))):
                return found[0]
            names.append(f"{match[1]}.{found[1]}")
            return f'  {found[1]}{found[2]}: Changed<"{names[-1]}">;'

        return f"export interface {match[1]} {{\n{FIELD.sub(field, match[2])}}}"

    made = RECORD.sub(record, text)
    return f"export interface Changed<Name extends string> {{ changed: Name }}\n{made}", names


def test_the_copy_is_right_as_it_is(pages: Copy):
    """Without a change the type checker has nothing to say."""
    assert pages.complaints() == ""


@pytest.mark.parametrize("holding", [False, True])
@pytest.mark.parametrize("name", TYPES)
def test_a_changed_type_of_any_field_is_noticed(pages: Copy, name: str, holding: bool):
    """Each field is checked by itself: the type checker names every one of them."""
    names: list[str] = []

    def change(text: str) -> str:
        made, found = with_own_types(text, holding=holding)
        names.extend(found)
        return made

    said = pages.changed(name, change)
    assert len(names) > 5
    unseen = [field for field in names if f'"{field}"' not in said]
    assert not unseen, (
        "in none of the samples: add them to web/tests/client/messages.ts or web/tests/ops/fixture.ts"
    )


@pytest.mark.parametrize("name", TYPES)
def test_renamed_fields_are_noticed_in_the_page_itself(pages: Copy, name: str):
    """Not only the samples of the tests depend on the names."""
    said = pages.changed(name, lambda text: FIELD.sub(r"  \1_renamed\2: \3;", text))
    assert re.search(r"^src/.*error TS", said, re.MULTILINE)


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("protocol.generated.ts", 'type: "audio";', 'type: "sound";'),
        ("protocol.generated.ts", "  | AudioMessage\n", ""),
        ("ops.generated.ts", "  closes: OpsCloses;\n", ""),
        ("ops.generated.ts", "  closes: OpsCloses;\n", "  closes: OpsCloses;\n  weather: OpsSoak;\n"),
    ],
    ids=["renamed", "gone", "event gone", "event new"],
)
def test_a_message_that_comes_or_goes_is_noticed_in_the_page_itself(
    pages: Copy, name: str, old: str, new: str
):
    """So are messages as a whole."""
    assert re.search(
        r"^src/.*error TS", pages.changed(name, lambda text: text.replace(old, new)), re.MULTILINE
    )


def test_the_ops_page_offers_every_mode_of_a_soak():
    """The page's list is that of the lab, in its order."""
    text = (page.WEB / "src" / "ops" / "client" / "soak.ts").read_text(encoding="utf-8")
    found = re.search(r"^export const MODES = \[(.*)\] as const;$", text, re.MULTILINE)
    assert found is not None
    assert re.findall(r'"([^"]+)"', found[1]) == list(MODES)
