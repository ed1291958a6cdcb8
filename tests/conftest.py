"""What holds for every test: the user's own files stay untouched, and long tests run on request."""

from __future__ import annotations

import gc
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.helpers.services import require

from greenroom.tasks import pytest_plugin

_home = pytest.StashKey[tempfile.TemporaryDirectory]()

#: Settings of whoever runs the tests, which would change what the code under test does.
_FOREIGN = ("GREENROOM_", "OPENAI_")
_OURS = {"GREENROOM_REQUIRE_SERVICES"}


def pytest_configure(config: pytest.Config) -> None:
    """Give the run its own data folder and an environment without anybody's settings."""
    home = tempfile.TemporaryDirectory(prefix="greenroom-tests-", ignore_cleanup_errors=True)
    config.stash[_home] = home
    for name in list(os.environ):
        if name.startswith(_FOREIGN) and name not in _OURS:
            del os.environ[name]
    for name in ("XDG_DATA_HOME", "XDG_CONFIG_HOME", "LOCALAPPDATA"):
        os.environ[name] = str(Path(home.name, name.lower()))
    if not config.pluginmanager.is_registered(pytest_plugin):
        # Installed, the package brings it along; a bare checkout has to ask for it.
        config.pluginmanager.register(pytest_plugin, "greenroom-tasks")


def pytest_unconfigure(config: pytest.Config) -> None:
    """Remove the run's data folder."""
    if _home in config.stash:
        config.stash[_home].cleanup()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave the long soaks out, unless `-m` speaks of them or they are named one by one."""
    if "slow" in config.option.markexpr or any("::" in argument for argument in config.args):
        return
    slow = [item for item in items if item.get_closest_marker("slow")]
    if slow:
        config.hook.pytest_deselected(items=slow)
        items[:] = [item for item in items if not item.get_closest_marker("slow")]


@pytest.fixture(autouse=True)
def _browser_is_there(request: pytest.FixtureRequest) -> None:
    """A test marked `browser` skips, or fails, where there is no Chromium."""
    if request.node.get_closest_marker("browser"):
        require("chromium")


@pytest.fixture
def no_garbage_collection() -> Iterator[None]:
    """A full collection looks at all that thousands of tests have left: a fifth of a second that is not the code's."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.fixture
def chromium() -> str:
    """The path of a Chromium."""
    return require("chromium")
