"""Background tasks with exactly one owner each, that die with it.

>>> async def main():
...     async with TaskScope("app", max_running=10, max_waiting=100) as scope:
...         scope.start(work, 1)                          # refuses with ScopeFull, never grows
...         result = await scope.run(work, 2)             # the result, to the caller
...         slot = LatestSlot(scope, "search")
...         slot.start(search, "g"); slot.start(search, "gr")   # the latest wins

Standard library only; works with asyncio and uvloop. See docs/owning-tasks.md.
"""

from ._census import JobInfo, LoggingObserver, Observer, ScopeStatistics, abandoned, abandoned_jobs, census
from ._close import CloseReport
from ._errors import ForeignTask, JobCancelled, ScopeClosed, ScopeFull, TaskCoreError
from ._job import AnyJob, Job, Policy, QueuedJob, State, await_stack, current_job
from ._scope import TaskScope
from ._slot import LatestSlot
from ._strict import StrictFactory, strict

__all__ = [
    "AnyJob", "CloseReport", "ForeignTask", "Job", "JobCancelled", "JobInfo", "LatestSlot", "LoggingObserver",
    "Observer", "Policy", "QueuedJob", "ScopeClosed", "ScopeFull", "ScopeStatistics", "State", "StrictFactory",
    "TaskCoreError", "TaskScope", "abandoned", "abandoned_jobs", "await_stack", "census", "current_job", "strict",
]  # fmt: skip
