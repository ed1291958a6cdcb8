"""One parsed file, indexed once: functions, classes, imports, parents.

Every rule asks the same questions ("which function is this in", "what does this name mean here",
"which methods does this class reach from close"), so they are answered here, in one walk over the
tree. Nothing is imported or run.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property

FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
SELF_NAMES = frozenset({"self", "cls"})


@dataclass(eq=False)
class ClassInfo:
    """A class, its own methods and its bases by name."""

    name: str
    node: ast.ClassDef
    bases: list[str] = field(default_factory=list[str])
    methods: dict[str, Function] = field(default_factory=dict[str, "Function"])


@dataclass(eq=False)
class Function:
    """A def, async def or lambda. `own` holds its nodes in source order, without nested functions."""

    name: str
    node: FunctionNode
    cls: ClassInfo | None
    parent: Function | None
    own: list[ast.AST] = field(default_factory=list[ast.AST])
    nested: list[Function] = field(default_factory=list["Function"])

    @property
    def is_async(self) -> bool:
        """True for `async def`."""
        return isinstance(self.node, ast.AsyncFunctionDef)

    @property
    def body(self) -> list[ast.stmt]:
        """The statements; empty for a lambda."""
        return [] if isinstance(self.node, ast.Lambda) else self.node.body

    @property
    def params(self) -> set[str]:
        """Names of all parameters."""
        args = self.node.args
        every = [*args.posonlyargs, *args.args, *args.kwonlyargs]
        every += [extra for extra in (args.vararg, args.kwarg) if extra is not None]
        return {arg.arg for arg in every}

    @property
    def required(self) -> set[str]:
        """Names of the positional parameters a caller must give."""
        args = [*self.node.args.posonlyargs, *self.node.args.args]
        return {arg.arg for arg in args[: len(args) - len(self.node.args.defaults)]}

    @property
    def is_generator(self) -> bool:
        """True when the function yields."""
        return any(isinstance(node, ast.Yield | ast.YieldFrom) for node in self.own)

    def everything(self) -> Iterator[ast.AST]:
        """All nodes, nested functions included."""
        yield from self.own
        for inner in self.nested:
            yield from inner.everything()

    def top(self) -> Function:
        """The outermost function around this one (itself when not nested)."""
        found = self
        while found.parent is not None:
            found = found.parent
        return found


def dotted(node: ast.AST | None) -> str | None:
    """`a.b.c` for a chain of plain names, else None."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name):
        return None
    parts.append(node.id)
    return ".".join(reversed(parts))


def self_attr(node: ast.AST | None) -> str | None:
    """`x` for `self.x` or `cls.x`, else None."""
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in SELF_NAMES:
        return node.attr
    return None


def _stores(nodes: Iterable[ast.AST], name: str) -> bool:
    return any(
        isinstance(node, ast.Name) and node.id == name and isinstance(node.ctx, ast.Store) for node in nodes
    )


def position(node: ast.AST) -> tuple[int, int]:
    """Line and column, to compare the order of two nodes."""
    return getattr(node, "lineno", 0), getattr(node, "col_offset", 0)


class Module:
    """The index of one file."""

    def __init__(self, path: str, source: str, tree: ast.Module) -> None:
        self.path = path
        self.source = source
        self.lines = source.split("\n")
        self.tree = tree
        self.parents: dict[ast.AST, ast.AST] = {}
        self.owner: dict[ast.AST, Function | None] = {}
        self.imports: dict[str, str] = {}
        self.functions: list[Function] = []
        self.classes: dict[str, ClassInfo] = {}
        self.top_functions: dict[str, Function] = {}
        self.nodes: list[ast.AST] = []
        self.calls: list[ast.Call] = []
        self.attributes: dict[str, list[ast.Attribute]] = {}
        self._subclasses: dict[str, list[ClassInfo]] = {}
        self._index()

    def _index(self) -> None:
        stack: list[tuple[ast.AST, Function | None, ClassInfo | None]] = [(self.tree, None, None)]
        parents, owner, nodes = self.parents, self.owner, self.nodes
        while stack:
            node, function, cls = stack.pop()
            nodes.append(node)
            owner[node] = function
            if function is not None:
                function.own.append(node)
            inner, inner_cls = function, cls
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
                inner = self._add_function(node, function, cls)
            elif isinstance(node, ast.ClassDef):
                inner_cls = self._add_class(node)
                inner = None
            elif isinstance(node, ast.Call):
                self.calls.append(node)
            elif isinstance(node, ast.Attribute):
                self.attributes.setdefault(node.attr, []).append(node)
            elif isinstance(node, ast.Import | ast.ImportFrom):
                self._add_import(node)
            children: list[tuple[ast.AST, Function | None, ClassInfo | None]] = []
            for name in node._fields:
                value: object = getattr(node, name, None)
                # Decorators, defaults and annotations run outside the function they belong to.
                inside = inner if name == "body" else function
                if isinstance(value, ast.AST):
                    parents[value] = node
                    children.append((value, inside, inner_cls))
                elif isinstance(value, list):
                    for item in value:  # pyright: ignore[reportUnknownVariableType]
                        if isinstance(item, ast.AST):
                            parents[item] = node
                            children.append((item, inside, inner_cls))
            children.reverse()
            stack.extend(children)
        for cls in self.classes.values():
            for base in cls.bases:
                self._subclasses.setdefault(base, []).append(cls)

    def _add_function(self, node: FunctionNode, parent: Function | None, cls: ClassInfo | None) -> Function:
        name = "<lambda>" if isinstance(node, ast.Lambda) else node.name
        added = Function(name, node, cls, parent)
        self.functions.append(added)
        if parent is not None:
            parent.nested.append(added)
        elif not isinstance(node, ast.Lambda):
            if cls is not None:
                cls.methods[name] = added
            else:
                self.top_functions[name] = added
        return added

    def _add_class(self, node: ast.ClassDef) -> ClassInfo:
        bases: list[str] = []
        for base in node.bases:
            inner = base.value if isinstance(base, ast.Subscript) else base
            text = dotted(inner)
            if text is not None:
                bases.append(text.rsplit(".", 1)[-1])
        added = ClassInfo(node.name, node, bases)
        self.classes[node.name] = added
        return added

    def _add_import(self, node: ast.Import | ast.ImportFrom) -> None:
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.asname:
                    self.imports[alias.asname] = alias.name
                else:
                    root = alias.name.split(".", 1)[0]
                    self.imports[root] = root
        else:
            prefix = "." * node.level + (node.module or "")
            for alias in node.names:
                self.imports[alias.asname or alias.name] = f"{prefix}.{alias.name}"

    def resolve(self, node: ast.AST | None) -> str | None:
        """The full dotted name of an imported thing (`asyncio.create_task`), or None."""
        text = dotted(node)
        if text is None:
            return None
        root, _, rest = text.partition(".")
        origin = self.imports.get(root)
        if origin is None:
            return None
        return f"{origin}.{rest}" if rest else origin

    def is_declared_global(self, name: str, function: Function) -> bool:
        """True when the function says `global name`."""
        return any(isinstance(node, ast.Global) and name in node.names for node in function.own)

    def is_global(self, name: str, function: Function) -> bool:
        """True when `name` means a variable of the module itself inside the function."""
        scope: Function | None = function
        while scope is not None:
            declared = self.is_declared_global(name, scope)
            if not declared and (name in scope.params or _stores(scope.own, name)):
                return False
            scope = scope.parent
        return name in self._global_names

    @cached_property
    def _global_names(self) -> set[str]:
        return {
            node.id
            for node in self.nodes
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) and self.owner.get(node) is None
        }

    def ancestors(self, node: ast.AST) -> Iterator[ast.AST]:
        """Parents of `node`, nearest first, up to (not beyond) the function it is in."""
        current = self.parents.get(node)
        while current is not None:
            yield current
            if isinstance(current, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | ast.ClassDef):
                return
            current = self.parents.get(current)

    def statement(self, node: ast.AST) -> ast.AST:
        """The statement `node` is part of."""
        current = node
        while not isinstance(current, ast.stmt) and current in self.parents:
            current = self.parents[current]
        return current

    def family(self, cls: ClassInfo) -> list[ClassInfo]:
        """The class, its bases and its subclasses, as far as this file shows them."""
        found = [cls]
        todo = [cls]
        while todo:
            for base in todo.pop().bases:
                known = self.classes.get(base)
                if known is not None and known not in found:
                    found.append(known)
                    todo.append(known)
        todo = [cls]
        while todo:
            for sub in self._subclasses.get(todo.pop().name, ()):
                if sub not in found:
                    found.append(sub)
                    todo.append(sub)
        return found

    def method(self, cls: ClassInfo, name: str) -> Function | None:
        """The method `name` of the class or its family."""
        for member in self.family(cls):
            if name in member.methods:
                return member.methods[name]
        return None

    def has_unknown_base(self, cls: ClassInfo) -> bool:
        """True when a base of the class (or of its bases) is defined elsewhere."""
        harmless = {"object", "Generic", "Protocol", "ABC", "NamedTuple", "TypedDict"}
        return any(
            base not in self.classes and base not in harmless
            for member in self.family(cls)
            for base in member.bases
        )

    def target(self, func: ast.AST, where: Function | None) -> Function | None:
        """The function of this file that the expression `func` means, or None."""
        name = self_attr(func)
        if name is not None:
            cls = where.cls if where is not None else None
            return self.method(cls, name) if cls is not None else None
        if isinstance(func, ast.Name):
            scope = where
            while scope is not None:
                for inner in scope.nested:
                    if inner.name == func.id:
                        return inner
                scope = scope.parent
            return self.top_functions.get(func.id)
        if isinstance(func, ast.Attribute) and isinstance(func.value, ast.Call):
            callee = func.value.func
            if isinstance(callee, ast.Name) and callee.id == "super" and where is not None and where.cls:
                for base in where.cls.bases:
                    known = self.classes.get(base)
                    if known is not None:
                        return self.method(known, func.attr)
        return None

    def reachable(self, start: list[Function]) -> list[Function]:
        """The functions in `start` and every function of this file they call or name, in turn."""
        found = list(start)
        todo = list(start)
        while todo:
            current = todo.pop()
            for node in current.everything():
                if isinstance(node, ast.Attribute | ast.Name) and isinstance(node.ctx, ast.Load):
                    hit = self.target(node, current)
                    if hit is not None and hit not in found:
                        found.append(hit)
                        todo.append(hit)
        return found

    def column(self, node: ast.AST) -> int:
        """The column of a node in characters, from 1 (the parser counts UTF-8 bytes)."""
        line: int = getattr(node, "lineno", 1)
        offset: int = getattr(node, "col_offset", 0)
        text = self.lines[line - 1] if line <= len(self.lines) else ""
        if text.isascii():
            return offset + 1
        return len(text.encode()[:offset].decode(errors="replace")) + 1

    def code(self, line: int) -> str:
        """The text of a line, stripped and cut to 160 characters."""
        if not 1 <= line <= len(self.lines):
            return ""
        text = self.lines[line - 1].strip()
        return text if len(text) <= 160 else text[:157] + "..."


def blocks(node: ast.AST | None) -> dict[str, list[ast.stmt]]:
    """The statement lists of a compound statement by field: body, orelse, finalbody."""
    found: dict[str, list[ast.stmt]] = {}
    for name in ("body", "orelse", "finalbody"):
        block: object = getattr(node, name, None)
        if isinstance(block, list):
            statements: list[object] = block  # pyright: ignore[reportUnknownVariableType]
            found[name] = [item for item in statements if isinstance(item, ast.stmt)]
    return found
