"""TypeScript types of the ops room, made from the message classes like those of the wire protocol.

python -m greenroom.server.ops.schema --typescript web/src/ops.generated.ts
python -m greenroom.server.ops.schema --check web/src/ops.generated.ts
"""

from __future__ import annotations

import ast
import inspect
import sys
from collections.abc import Sequence

from greenroom.protocol.schema import interfaces, write_or_check
from greenroom.server.ops import messages

HEADER = """\
// The types of the ops room. Generated from src/greenroom/server/ops/messages.py: do not edit.
// Make it anew with: python -m greenroom.server.ops.schema --typescript web/src/ops.generated.ts
"""


def typescript() -> str:
    """Return a TypeScript module: an interface for each record, and the stream's events by name."""
    classes = (*messages.ANSWERS, *messages.EVENTS.values())
    events = "\n".join(f"  {name}: {cls.__name__};" for name, cls in messages.EVENTS.items())
    stream = f"/** The data of each event of `/ops/events`. */\nexport interface OpsEvents {{\n{events}\n}}\n"
    return "\n".join([HEADER, *interfaces(classes, _field_docstrings()), stream])


def _field_docstrings() -> dict[str, dict[str, str]]:
    """The text under each field of each message class, which Python itself does not keep."""
    found: dict[str, dict[str, str]] = {}
    for node in ast.parse(inspect.getsource(messages)).body:
        if not isinstance(node, ast.ClassDef):
            continue
        texts = found[node.name] = {}
        for field, text in zip(node.body, node.body[1:], strict=False):
            if (
                isinstance(field, ast.AnnAssign)
                and isinstance(field.target, ast.Name)
                and isinstance(text, ast.Expr)
                and isinstance(text.value, ast.Constant)
            ):
                texts[field.target.id] = str(text.value.value)
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Write or check the generated file; return the exit status (1: the checked file is stale)."""
    return write_or_check("greenroom.server.ops.schema", {"typescript": typescript}, arguments)


if __name__ == "__main__":
    sys.exit(main())
