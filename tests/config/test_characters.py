"""Tests of the store: what it lists, what it lets through, and how rarely it reads."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest
from tests.config.olv_files import ALTERNATIVE, CONF, MODELS
from tests.config.rooms import PERSONA, Room

from greenroom.config.characters import MAX_FILES, CharacterStore
from greenroom.config.errors import ConfigError
from greenroom.config.settings import Settings


def names(store: CharacterStore) -> list[str]:
    return [entry.filename for entry in store.entries()]


def test_order(room: Room):
    """conf.yaml comes first, then the user's by name, then the package's."""
    (room.root / "conf.yaml").write_text(CONF, encoding="utf-8")
    room.write("b.yaml")
    room.write("a.yml")
    assert names(room.store(shipped=True)) == [
        "conf.yaml",
        "a.yml",
        "b.yaml",
        "bloodsucker.yaml",
        "sakura.yaml",
        "white.yaml",
    ]


def test_conf_in_the_folder_comes_before_the_parents(room: Room):
    """A conf.yaml among the characters wins over the one above, and is listed once."""
    (room.root / "conf.yaml").write_text(CONF, encoding="utf-8")
    room.write("conf.yaml", CONF.replace("'lantern'", "'inner'"))
    (entry,) = room.store().entries()
    assert (entry.filename, entry.name) == ("conf.yaml", "inner")


def test_entry(room: Room):
    """An entry has what a page shows; its name is the character's conf_name."""
    room.write("a.yaml", PERSONA.format(name="Anna") + "description: Kind.\navatar: a.png\nlanguage: de\n")
    (entry,) = room.store().entries()
    assert (entry.name, entry.language, entry.avatar, entry.description) == ("Anna", "de", "a.png", "Kind.")


def test_users_file_hides_the_packages(room: Room):
    """A user's white.yaml takes the place of the package's."""
    room.write("white.yaml", PERSONA.format(name="Mine"))
    store = room.store(shipped=True)
    assert names(store).count("white.yaml") == 1
    assert store.load("white.yaml").conf_name == "Mine"


def test_what_is_not_listed(room: Room):
    """Other files, hidden files, folders and the settings file are no characters."""
    for name in ("notes.txt", ".hidden.yaml", "greenroom.yaml", "a.yaml"):
        room.write(name)
    (room.folder / "folder.yaml").mkdir()
    assert names(room.store()) == ["a.yaml"]


def test_no_folder(tmp_path: Path):
    """A user without a folder of characters has the package's."""
    store = CharacterStore.for_settings(Settings(data_dir=tmp_path / "none"), environ={})
    assert names(store) == ["bloodsucker.yaml", "sakura.yaml", "white.yaml"]
    assert store.problems == ()


@pytest.mark.parametrize(
    "name",
    [
        "../secret.yaml",
        "..\\secret.yaml",
        "./a.yaml",
        "characters/a.yaml",
        "/etc/passwd",
        "a.yaml/",
        "a.yaml\x00",
        "A.YAML",
        "a",
        "",
        ".",
        "..",
        "%2e%2e/secret.yaml",
        "a.yaml ",
        "x" * 100_000,
    ],
)
def test_only_listed_names(room: Room, name: str):
    """Nothing but an exact listed name is loaded, and the answer does not repeat a long name."""
    room.write("a.yaml")
    (room.root / "secret.yaml").write_text(PERSONA.format(name="secret"))
    with pytest.raises(ConfigError, match="is not a character here") as caught:
        room.store().load(name)
    assert len(str(caught.value)) < 200


def test_near_name_is_suggested(room: Room):
    """A misspelt name is answered with the right one."""
    room.write("anna.yaml")
    with pytest.raises(ConfigError, match=r'did you mean "anna\.yaml"'):
        room.store().load("ana.yaml")


def test_link_out_of_the_folder(room: Room):
    """A link to a file elsewhere is not a character, and the user is told."""
    (room.root / "secret.yaml").write_text(PERSONA.format(name="secret"))
    (room.folder / "link.yaml").symlink_to(room.root / "secret.yaml")
    (room.folder / "up.yaml").symlink_to("../secret.yaml")
    (room.folder / "gone.yaml").symlink_to("nowhere.yaml")
    (room.folder / "loop.yaml").symlink_to("loop.yaml")
    store = room.store()
    assert names(store) == []
    assert [problem.file for problem in store.warnings] == ["link.yaml", "up.yaml"]
    with pytest.raises(ConfigError, match="is not a character here"):
        store.load("link.yaml")


def test_link_inside_the_folder(room: Room):
    """A link that stays inside, as container platforms make them, is fine."""
    (room.folder / "..data").mkdir()
    (room.folder / "..data" / "a.yaml").write_text(PERSONA.format(name="Anna"))
    (room.folder / "a.yaml").symlink_to("..data/a.yaml")
    assert room.store().load("a.yaml").conf_name == "Anna"


def test_broken_file(room: Room):
    """A broken file is not offered; who asks for it learns what is wrong."""
    room.write("good.yaml")
    room.write("bad.yaml", "conf_name: A\npersona_prompt: [\n")
    store = room.store()
    assert names(store) == ["good.yaml"]
    with pytest.raises(ConfigError, match=r"^bad\.yaml:3: is not valid YAML"):
        store.load("bad.yaml")
    assert [problem.file for problem in store.problems] == ["bad.yaml"]


def test_asking_for_a_broken_file_holds_nothing(room: Room):
    """Each answer about a broken file is an error of its own: one raised again and again would grow."""
    room.write("bad.yaml", "conf_name: A\n")
    store = room.store()
    errors: list[ConfigError] = []
    for _ in range(3):
        with pytest.raises(ConfigError) as caught:
            store.load("bad.yaml")
        errors.append(caught.value)
    assert len({id(error) for error in errors}) == 3


def test_too_large_and_bombs(room: Room):
    """A huge file and an alias bomb are refused, the rest works."""
    room.write("good.yaml")
    room.write("huge.yaml", "#" * (256 * 1024 + 1))
    levels = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    levels += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    room.write("bomb.yaml", "\n".join(levels))
    store = room.store()
    assert names(store) == ["good.yaml"]
    assert {problem.file for problem in store.problems} == {"huge.yaml", "bomb.yaml"}


def test_too_many_files(room: Room):
    """At most 500 files are read, and the user is told."""
    for number in range(MAX_FILES + 5):
        (room.folder / f"{number:04}.yaml").write_text("persona_prompt: Hi\n")
    store = room.store()
    assert len(store.entries()) == MAX_FILES
    assert store.statistics().reads == MAX_FILES
    assert store.warnings[0].message == f"only the first {MAX_FILES} are used"


def test_reads_once(room: Room, monkeypatch: pytest.MonkeyPatch):
    """A thousand pages that open read each file once and look at the folder once a second."""
    room.write("a.yaml")
    room.write("b.yaml")
    opened: list[str] = []
    real_open = Path.open

    def counting(path: Path, *args: str):
        opened.append(path.name)
        return real_open(path, *args)

    monkeypatch.setattr(Path, "open", counting)
    store = room.store()
    for page in range(1000):
        room.now = 100.0 + page / 200
        store.entries()
        store.load("a.yaml")
    assert sorted(opened) == ["a.yaml", "b.yaml"]
    statistics = store.statistics()
    assert (statistics.reads, statistics.looks, statistics.characters) == (2, 5, 2)


def test_nothing_is_touched_while_fresh(room: Room, monkeypatch: pytest.MonkeyPatch):
    """Within a second no file is even looked at."""
    room.write("a.yaml")
    store = room.store()
    assert not store.is_fresh()
    first = store.entries()
    assert store.is_fresh()

    def forbidden(*_: object) -> None:
        raise AssertionError("the disk was touched")

    monkeypatch.setattr(os, "scandir", forbidden)
    monkeypatch.setattr(Path, "stat", forbidden)
    room.now += 0.99
    assert store.entries() is first
    store.load("a.yaml")


def test_changed_file_is_read_again(room: Room):
    """A changed file counts after at most a second, and only it is read."""
    room.write("a.yaml")
    room.write("b.yaml")
    store = room.store()
    kept = store.load("b.yaml")
    room.write("a.yaml", PERSONA.format(name="New"))
    room.now += 0.5
    assert store.load("a.yaml").conf_name == "a"
    room.now += 0.6
    assert store.load("a.yaml").conf_name == "New"
    assert store.load("b.yaml") == kept
    assert store.statistics().reads == 3


def test_files_come_and_go(room: Room):
    """New files appear, removed ones vanish, and nothing of them is kept."""
    path = room.write("a.yaml")
    store = room.store()
    assert names(store) == ["a.yaml"]
    path.unlink()
    room.write("b.yaml")
    room.now += 2
    assert names(store) == ["b.yaml"]
    with pytest.raises(ConfigError):
        store.load("a.yaml")
    assert list(store._documents) == [(room.folder / "b.yaml").resolve()]


def test_broken_file_is_mended(room: Room):
    """A file that was broken for a moment comes back."""
    room.write("a.yaml", "persona_prompt: [")
    store = room.store()
    assert names(store) == []
    room.write("a.yaml")
    room.now += 2
    assert names(store) == ["a.yaml"]
    assert store.problems == ()


def test_changed_base_changes_those_that_lie_over_it(room: Room):
    """A new conf.yaml is felt by every file over it, which are not read again."""
    conf = room.root / "conf.yaml"
    conf.write_text(CONF, encoding="utf-8")
    os.utime(conf, (1, 1))
    room.write("zh.yaml", ALTERNATIVE)
    store = room.store()
    assert store.load("zh.yaml").human_name == "Guest"
    conf.write_text(CONF.replace("'Guest'", "'Friend'"), encoding="utf-8")
    room.now += 2
    assert store.load("zh.yaml").human_name == "Friend"
    assert store.statistics().reads == 3


def test_broken_base(room: Room):
    """With a broken conf.yaml the files that are whole still work."""
    (room.root / "conf.yaml").write_text("character_config: [", encoding="utf-8")
    room.write("a.yaml")
    store = room.store()
    assert names(store) == ["a.yaml"]
    with pytest.raises(ConfigError, match=r"^conf\.yaml:"):
        store.load("conf.yaml")


def test_models(room: Room):
    """Live2D models come from the data folder's list, and a changed list is felt."""
    room.write("a.yaml", "persona_prompt: Hi\nlive2d_model_name: lantern\n")
    store = room.store()
    assert store.load("a.yaml").model_info is None
    (room.root / "model_dict.json").write_text(MODELS)
    room.now += 2
    info = store.load("a.yaml").model_info
    assert info is not None
    assert info["kScale"] == 0.5
    assert store.warnings == ()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[{", "model_dict.json:1: is not valid JSON"),
        ("[" * 100_000, "model_dict.json"),
        ("{}", "model_dict.json: is not a list of models"),
        ('[{"name": "x"}, 5]', 'model_dict.json: [0]: has no "name" and "url"'),
    ],
)
def test_bad_models(room: Room, text: str, told: str):
    """A bad list of models is a warning: text needs none."""
    room.write("a.yaml")
    (room.root / "model_dict.json").write_text(text)
    store = room.store()
    assert names(store) == ["a.yaml"]
    assert str(store.warnings[0]).startswith(told)


def test_default(room: Room):
    """The first character is the configured one; without a choice the user's conf.yaml, else White."""
    room.write("a.yaml")
    assert room.store(shipped=True).default == "white.yaml"
    assert room.store().default == "a.yaml"
    (room.root / "conf.yaml").write_text(CONF, encoding="utf-8")
    assert room.store(shipped=True).default == "conf.yaml"
    room.settings = Settings(data_dir=room.root, character="a.yaml")
    assert room.store(shipped=True).default == "a.yaml"
    room.settings = Settings(data_dir=room.root, character="nobody.yaml")
    with pytest.raises(ConfigError, match=r'"nobody\.yaml" is not a character here'):
        _ = room.store(shipped=True).default


def test_default_without_any_character(room: Room):
    """Without a usable character there is no default, and that is said."""
    with pytest.raises(ConfigError, match="is not a character here"):
        _ = room.store().default


def test_environment_variables(room: Room):
    """Character files take variables from the environment the store was given."""
    room.write("a.yaml", "persona_prompt: You are ${WHO}.\n")
    assert room.store(environ={"WHO": "Anna"}).load("a.yaml").persona_prompt == "You are Anna."


def test_threads_share_one_look(room: Room):
    """Many threads that find the store stale look at the disk once."""
    room.write("a.yaml")
    store = room.store()
    start = threading.Barrier(8)
    seen: list[int] = []

    def ask() -> None:
        start.wait()
        seen.append(len(store.entries()))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == [1] * 8
    assert store.statistics().looks == 1


def test_keys_of_characters_are_told(room: Room):
    """Those in the file and those in a variable it names, also when the file changes; so logs can leave them out."""
    told: list[str] = []
    room.write("a.yaml", PERSONA.format(name="Anna") + "agent: {openai: {api_key: sk-in-the-file}}\n")
    room.write("b.yaml", PERSONA.format(name="Bea") + "agent: {openai: {api_key_env: BEAS_KEY}}\n")
    clock = [0.0]
    store = CharacterStore(
        [room.folder],
        Settings(),
        environ={"BEAS_KEY": "sk-in-a-variable"},
        clock=lambda: clock[0],
        on_key=told.append,
    )
    assert names(store) == ["a.yaml", "b.yaml"]
    assert set(told) == {"sk-in-the-file", "sk-in-a-variable"}
    room.write("a.yaml", PERSONA.format(name="Anna") + "agent: {openai: {api_key: sk-of-tomorrow-morning}}\n")
    clock[0] += 10
    store.refresh()
    assert "sk-of-tomorrow-morning" in told
