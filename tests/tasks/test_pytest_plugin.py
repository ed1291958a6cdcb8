"""The pytest plugin, run in a pytest of its own."""

from __future__ import annotations

import asyncio
import importlib.util
import os
from pathlib import Path

import pytest

import greenroom
from greenroom.tasks.pytest_plugin import no_tasks_left

pytest_plugins = ["pytester"]

PLUGIN = ("-p", "greenroom.tasks.pytest_plugin", "-p", "no:greenroom-tasks")
"""The one of this checkout, also where an installed package would bring it along."""
SOURCE = str(Path(greenroom.__file__).parent.parent)

TESTS = """
import asyncio
import pytest
from greenroom.tasks import TaskScope

async def forever():
    await asyncio.Event().wait()

MODE
async def test_leaves_a_task():
    asyncio.create_task(forever(), name="hidden")  # the line

MODE
async def test_leaves_a_job():
    TaskScope("app").child("page").start(forever, name="turn")

MODE
async def test_leaves_nothing():
    async with TaskScope("app") as scope:
        scope.start(forever)
        task = asyncio.create_task(forever())
        await asyncio.sleep(0)
        task.cancel()

MODE
@pytest.mark.leaves_tasks("it is about forgetting")
async def test_may_leave_a_task():
    asyncio.create_task(forever())

MODE
async def test_fails_anyway():
    asyncio.create_task(forever())
    assert 1 == 2

MODE
@pytest.mark.leaves_tasks
async def test_gives_no_reason():
    pass

MODE
async def test_with_a_server_of_a_fixture(server):
    reader, writer = await asyncio.open_connection("127.0.0.1", server)
    writer.write(b"x")
    assert await reader.read(1) == b"x"
    writer.close()  # the server's task for it lives on

def test_is_not_async():
    pass

class TestInAClass:
    MODE
    async def test_leaves_a_task_too(self):
        self.task = asyncio.create_task(forever())
"""

CONFTEST = """
import asyncio
import pytest
from greenroom.tasks import TaskScope
IMPORT

FIXTURE
async def server():
    scope = TaskScope("server")
    stop = asyncio.Event()

    async def serve(reader, writer):
        writer.write(await reader.read(1))
        await stop.wait()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    scope.start(asyncio.Event().wait, name="housekeeping")
    yield server.sockets[0].getsockname()[1]
    stop.set()
    server.close()
    await scope.close()
"""


@pytest.fixture
def run(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A pytest of its own that finds the package."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, [SOURCE, os.environ.get("PYTHONPATH")])))
    monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)
    return pytester


def outcome(pytester: pytest.Pytester, mode: str, fixture: str, imports: str, *options: str) -> None:
    """Run the tests above in one mode, and check which fail and what they say."""
    pytester.makepyfile(test_outcome=TESTS.replace("MODE", mode))
    pytester.makeconftest(CONFTEST.replace("FIXTURE", fixture).replace("IMPORT", imports))
    result = pytester.runpytest_subprocess(
        *PLUGIN, "-p", "no:cacheprovider",
        "--strict-markers", "-v", *options,
    )  # fmt: skip
    result.assert_outcomes(passed=4, failed=5)
    text = result.stdout.str()
    for name in ("leaves_nothing", "may_leave_a_task", "with_a_server_of_a_fixture", "is_not_async"):
        assert f"test_{name} PASSED" in text or f"test_{name}[asyncio] PASSED" in text
    line = 1 + next(
        n for n, line in enumerate(Path("test_outcome.py").read_text().splitlines()) if "the line" in line
    )
    result.stdout.fnmatch_lines(
        [
            "*the test left 1 task(s) behind: close their scope, or mark it*leaves_tasks(reason)",
            f"*(nobody)/hidden (running, *test_outcome.py:{line} in test_leaves_a_task*in forever*",
            "*app/page/turn (running, *in test_leaves_a_job*",
            "*assert 1 == 2*",
            "*test_gives_no_reason*needs a reason*",
            "*(nobody)/*in TestInAClass.test_leaves_a_task_too*",
        ]
    )
    assert "never awaited" not in text
    assert "destroyed but it is pending" not in text


def test_with_pytest_asyncio_in_auto_mode(run: pytest.Pytester) -> None:
    """Each async test is checked, without marks."""
    run.makepyprojecttoml('[tool.pytest.ini_options]\nasyncio_mode = "auto"\n')
    outcome(
        run, "", "@pytest.fixture", "", "-p", "pytest_asyncio", "-o", "asyncio_mode=auto", "-p", "no:anyio"
    )


def test_with_pytest_asyncio_in_strict_mode(run: pytest.Pytester) -> None:
    """Each marked test is checked."""
    outcome(
        run, "@pytest.mark.asyncio", "@pytest_asyncio.fixture", "import pytest_asyncio",
        "-o", "asyncio_mode=strict", "-p", "no:anyio",
    )  # fmt: skip


@pytest.mark.skipif(importlib.util.find_spec("anyio") is None, reason="anyio is not installed")
def test_with_anyios_plugin(run: pytest.Pytester) -> None:
    """anyio's own runner is checked in the same way."""
    backend = '@pytest.fixture\ndef anyio_backend():\n    return "asyncio"\n'
    outcome(run, "@pytest.mark.anyio", "@pytest.fixture", backend, "-p", "anyio", "-p", "no:asyncio")


@pytest.mark.skipif(importlib.util.find_spec("trio") is None, reason="trio is not installed")
def test_trio_tests_are_left_alone(run: pytest.Pytester) -> None:
    """A test that anyio's plugin runs on trio has no asyncio loop to look at."""
    run.makepyfile("import pytest\n\n@pytest.mark.anyio\nasync def test_trio(): pass\n")
    run.makeconftest('import pytest\n@pytest.fixture\ndef anyio_backend():\n    return "trio"\n')
    result = run.runpytest_subprocess(*PLUGIN, "-p", "no:asyncio")
    result.assert_outcomes(passed=1)


def test_hypothesis_tests_are_checked(run: pytest.Pytester) -> None:
    """An async property test is checked for each example."""
    run.makepyfile(
        """
        import asyncio
        from hypothesis import given, strategies as st

        @given(st.integers(0, 3))
        async def test_property(number):
            if number == 2:
                asyncio.create_task(asyncio.sleep(60))
        """
    )
    result = run.runpytest_subprocess(
        *PLUGIN,
        "-p",
        "no:greenroom-tasks",
        "-p",
        "no:cacheprovider",
        "-o",
        "asyncio_mode=auto",
        "-p",
        "no:anyio",
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*left 1 task(s) behind*", "*in test_property*"])


def test_the_plugin_without_pytest_is_not_imported(run: pytest.Pytester) -> None:
    """Importing the core does not import pytest."""
    code = "import sys, greenroom.tasks; assert 'pytest' not in sys.modules"
    assert run.runpython_c(code).ret == 0


async def test_a_check_inside_another_one() -> None:
    """What is left after the inner block is found by the outer one."""
    with pytest.raises(pytest.fail.Exception, match=r"left 1 task\(s\) behind"):
        async with no_tasks_left():
            async with no_tasks_left():
                pass
            task = asyncio.create_task(asyncio.Event().wait())
    assert task.cancelled()
