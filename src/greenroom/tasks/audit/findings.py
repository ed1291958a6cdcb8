"""What the audit can say: rules with stable ids, severities, and one finding.

An id is never reused. A rule may report some of its findings below its usual severity: the same
shape is harmful in one place and a habit in another, and the reader should see which is which.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum


class Severity(IntEnum):
    """How sure the harm is: `error` breaks, `warning` hurts under load, `info` is worth a look."""

    INFO = 1
    WARNING = 2
    ERROR = 3

    @property
    def label(self) -> str:
        """The word used on the command line and in every output format."""
        return self.name.lower()

    @classmethod
    def parse(cls, text: str) -> Severity:
        """The severity called `text`.

        Raises:
            ValueError: names the allowed words.
        """
        for item in cls:
            if item.label == text.strip().lower():
                return item
        raise ValueError(f"unknown severity {text!r}: use error, warning or info")


@dataclass(frozen=True, slots=True)
class Rule:
    """One kind of defect: what it harms and how it is mended, a line each."""

    id: str
    name: str
    severity: Severity
    harm: str
    remedy: str


_E, _W, _I = Severity.ERROR, Severity.WARNING, Severity.INFO

RULES: dict[str, Rule] = {
    rule.id: rule
    for rule in (
        Rule(
            "GA000",
            "unreadable",
            _E,
            "the file could not be audited",
            "mend the file, or leave it out with --exclude",
        ),
        Rule(
            "GA001",
            "dropped-task",
            _E,
            "a task is started and dropped: nobody can cancel it, its error comes late or never, "
            "and it can be collected half-way",
            "keep it and cancel it at close, start it in a TaskGroup or TaskScope, or await the work",
        ),
        Rule(
            "GA002",
            "kept-for-ever",
            _W,
            "finished tasks stay in this container for ever, with their results and everything they hold",
            "remove each task when it ends: task.add_done_callback(tasks.discard), or pop its key",
        ),
        Rule(
            "GA003",
            "overwritten-task",
            _W,
            "a second call overwrites the task while the first may still run: the first has no owner then",
            "cancel and await the old task first, or refuse while it is not done()",
        ),
        Rule(
            "GA004",
            "not-cancelled-at-close",
            _W,
            "the task outlives its owner: nothing reached from close or stop cancels or awaits it",
            "cancel it in close() and wait for its end with a deadline",
        ),
        Rule(
            "GA005",
            "polling",
            _W,
            "the loop wakes up only to look at a condition: it burns CPU idle and answers late",
            "let whoever changes the condition set an Event (or put into a Queue), and await that",
        ),
        Rule(
            "GA006",
            "close-without-deadline",
            _W,
            "closing waits without a deadline: one task that swallows its cancellation hangs the shutdown",
            "asyncio.wait(tasks, timeout=…) and report what is left; wait_for alone can hang as well",
        ),
        Rule(
            "GA007",
            "errors-ignored",
            _W,
            "gather(return_exceptions=True) turns errors into results, and the results are thrown away",
            "look at the results and report every exception, or leave return_exceptions out",
        ),
        Rule(
            "GA008",
            "swallowed-cancel",
            _W,
            "the cancellation is swallowed: the task cannot be stopped, and timeouts around it do not fire",
            "re-raise CancelledError after the clean-up; catch Exception instead of BaseException",
        ),
        Rule(
            "GA009",
            "lookup-after-pop",
            _E,
            "the key was just removed, so this lookup never finds it and what follows never runs",
            "keep what pop() returns and close that, or look up before removing",
        ),
        Rule(
            "GA010",
            "blocking-call",
            _W,
            "a blocking call inside async def stops every connection of the process while it runs",
            "use the async counterpart, or asyncio.to_thread()",
        ),
        Rule(
            "GA011",
            "unbounded-queue",
            _I,
            "the queue has no limit: a producer faster than its consumer fills the memory",
            "give it a maxsize (or maxlen) and decide what happens when it is full",
        ),
        Rule(
            "GA012",
            "unbounded-waiters",
            _I,
            "the semaphore bounds the running tasks, not the started ones: all of them exist at once",
            "acquire before starting the task, or use a fixed number of workers and a queue",
        ),
        Rule(
            "GA100",
            "unused-suppression",
            _I,
            "this suppression hides nothing",
            "remove the comment, or correct its rule id",
        ),
    )
}


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """One place in one file. Lines count from 1, columns from 1 (in characters)."""

    path: str
    line: int
    col: int
    rule: str
    severity: Severity
    message: str
    remedy: str
    code: str = ""

    @property
    def name(self) -> str:
        """The rule's readable name."""
        return RULES[self.rule].name
