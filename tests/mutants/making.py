"""Mutants of one module: every comparison, bound, boolean operator, constant, sum, refusal and check, one at a time."""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterator
from dataclasses import dataclass

COMPARED: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
}
COUNTED: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.FloorDiv,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.FloorDiv,
    ast.LShift: ast.RShift,
    ast.RShift: ast.LShift,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
    ast.Pow: ast.Mult,
}
TELLING = {
    "refuted",
    "bad",
    "_bad",
    "_defect",
    "_refused",
    "_row",
    "_unmatched",
    "printable",
    "Defect",
    "Place",
    "NotFound",
    "CannotCheck",
    "Refuted",
    "Unreadable",
}
"""What is told to the reader of a defect is not what decides: calls of these are not mutated inside."""


@dataclass(frozen=True)
class Mutant:
    """`name` is the same for the same change of the same line in the same function, wherever the line moves to. `lines`:
    those of its statement; None outside of functions, where it has been run before any test."""

    name: str
    kind: str
    tree: ast.Module
    lines: range | None


def mutants(source: str) -> Iterator[Mutant]:
    """All mutants of a module's source, each a whole module."""
    tree = ast.parse(source)
    text = source.splitlines()
    seen: dict[str, int] = {}
    for path, node, where, statement in _nodes(tree):
        for kind, changed in _changes(node):
            before = f"{text[node.lineno - 1].strip()}"
            name = f"{where}: {before} ⇒ {ast.unparse(changed) if changed is not None else 'nothing'}"
            seen[name] = seen.get(name, 0) + 1
            if seen[name] > 1:
                name += f" #{seen[name]}"
            whole = copy.deepcopy(tree)
            _put(whole, path, changed)
            lines = (
                None if statement is None else range(statement.lineno, (statement.end_lineno or statement.lineno) + 1)
            )
            yield Mutant(name, kind, ast.fix_missing_locations(whole), lines)


Path = tuple[tuple[str, int | None], ...]
Node = tuple[Path, ast.expr | ast.stmt, str, ast.stmt | None]


def _nodes(tree: ast.AST) -> Iterator[Node]:
    """Where each node is, and the innermost statement of a function that holds it."""

    def below(node: ast.AST, path: Path, where: str, statement: ast.stmt | None) -> Iterator[Node]:
        if isinstance(node, ast.Call) and _name(node.func) in TELLING:
            return
        if isinstance(node, ast.stmt) and statement is not None:
            statement = node
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            where = f"{where}.{node.name}" if where else node.name
        if isinstance(node, (ast.expr, ast.stmt)):
            yield path, node, where or "module", statement
        for name, value in ast.iter_fields(node):
            if name in {"annotation", "returns", "decorator_list", "type_ignores"}:
                continue
            if isinstance(value, list):
                for at, inner in enumerate(value):
                    if isinstance(inner, ast.AST):
                        own = inner if isinstance(node, ast.FunctionDef) and isinstance(inner, ast.stmt) else statement
                        yield from below(inner, (*path, (name, at)), where, own)
            elif isinstance(value, ast.AST):
                yield from below(value, (*path, (name, None)), where, statement)

    yield from below(tree, (), "", None)


def _name(function: ast.expr) -> str:
    match function:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
        case _:
            return ""


def _changes(node: ast.expr | ast.stmt) -> Iterator[tuple[str, ast.AST | None]]:  # noqa: C901, PLR0912 - a table of cases
    match node:
        case ast.Compare():
            for at, op in enumerate(node.ops):
                for other in COMPARED.get(type(op), ()):
                    ops = [*node.ops[:at], other(), *node.ops[at + 1 :]]
                    yield "comparison", ast.Compare(node.left, ops, node.comparators)
        case ast.BoolOp():
            yield "boolean", ast.BoolOp(ast.Or() if isinstance(node.op, ast.And) else ast.And(), node.values)
            for at in range(len(node.values)):
                rest = node.values[:at] + node.values[at + 1 :]
                yield "boolean", rest[0] if len(rest) == 1 else ast.BoolOp(node.op, rest)
        case ast.UnaryOp(op=ast.Not()):
            yield "boolean", node.operand
        case ast.BinOp() if type(node.op) in COUNTED:
            yield "arithmetic", ast.BinOp(node.left, COUNTED[type(node.op)](), node.right)
        case ast.Constant(value=bool() as value):
            yield "constant", ast.Constant(not value)
        case ast.Constant(value=int() as value):
            yield "bound", ast.Constant(value + 1)
            if value:
                yield "bound", ast.Constant(value - 1)
        case ast.Constant(value=bytes() as value):
            yield "constant", ast.Constant(value + b"?")
        case ast.Raise():
            yield "refusal", ast.Pass()
        case ast.Expr(value=ast.Call()):
            yield "call", ast.Pass()
        case ast.Break():
            yield "loop", ast.Continue()
        case ast.Continue():
            yield "loop", ast.Break()


def _put(tree: ast.AST, path: Path, changed: ast.AST | None) -> None:
    node: ast.AST = tree
    for name, at in path[:-1]:
        inner = getattr(node, name)
        node = inner if at is None else inner[at]
    name, at = path[-1]
    if at is None:
        setattr(node, name, changed)
    else:
        getattr(node, name)[at] = changed
