"""The page of the Python API, written from the public names of `consent_ledger_client`, their signatures and docstrings.

It takes no word of its own: what is missing on the page is missing in the code.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from importlib import import_module
from typing import Any

from tests.conformance import ROOT

PACKAGE = "consent_ledger_client"
ROOMS = {"client": "api.client", "guard": "api.guard"}
OWN = ROOT / "sdk" / "python" / "own"
LONGEST_DEFAULT = 40


def modules() -> dict[str, dict[str, Any]]:
    """Public module → its public names and what they are, in the order of its `__all__`."""
    found = {}
    for name, room in ROOMS.items():
        module = import_module(room)
        found[name] = {one: getattr(module, one) for one in module.__all__}
    receipts = ast.parse((OWN / "receipts.py").read_text())
    found["receipts"] = {
        alias.name: _named(node.module or "", alias.name)
        for node in receipts.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    return found


def about(module: str) -> str:
    """What a public module says of itself."""
    if module in ROOMS:
        return inspect.getdoc(import_module(ROOMS[module])) or ""
    return (ast.get_docstring(ast.parse((OWN / f"{module}.py").read_text())) or "").partition("\n\n")[0]


def _named(module: str, name: str) -> Any:
    """A name of the distribution, where it stands in this checkout."""
    inside = module.removeprefix(f"{PACKAGE}.")
    here = inside.replace("_core", "ledger", 1) if inside.startswith("_core") else f"api.{inside}"
    return getattr(import_module(here), name)


def page(head: str) -> str:
    """The whole page."""
    uses = "How they are used: [the client](../client.md) and [the guard](../guard.md)."
    parts = [f"# Python API\n\n{head}\nAll public names of `{PACKAGE}`. {uses}\n"]
    for module, names in modules().items():
        parts.append(f"## {PACKAGE}.{module}\n{about(module)}\n")
        parts += [_entry(name, names[name]) for name in sorted(names, key=str.lower)]
    return "\n".join(parts)


def _entry(name: str, thing: Any) -> str:
    said = _doc(thing) if inspect.isclass(thing) or inspect.isfunction(thing) else ""
    if inspect.isclass(thing):
        return f"### {name}\n{_class(name, thing)}{said}\n" + "".join(f"\n{line}" for line in _members(thing))
    if inspect.isfunction(thing):
        return f"### {name}\n`{_called(name, thing)}`\n\n{said}\n"
    if isinstance(thing, str):
        return f"### {name}\n`{thing!r}`\n"
    if isinstance(thing, Mapping):
        return f"### {name}\nBy name: {', '.join(f'`{key}`' for key in thing)}.\n"
    return f"### {name}\n`{inspect.formatannotation(thing)}`\n"


def _class(name: str, kind: type) -> str:
    """How one is made, or what it is raised for."""
    if issubclass(kind, Exception):
        parent = next(one.__name__ for one in kind.__mro__[1:])
        return f"An exception, `{parent}`. "
    if getattr(kind, "_is_protocol", False):
        return "A protocol: what you may bring yourself. "
    if hasattr(kind, "__dataclass_fields__") or hasattr(kind, "__struct_fields__"):
        return ""  # its fields are what it is made of
    return f"`{_called(name, kind)}`\n\n"


def _members(kind: type) -> Iterator[str]:
    """Fields with their meaning, then methods."""
    for field, annotation, meaning in _fields(kind):
        yield _item(f"{field}: {annotation}", meaning)
    for name, member in _methods(kind):
        if isinstance(member, property):
            returned = _annotation(inspect.signature(member.fget).return_annotation) if member.fget else ""
            yield _item(f"{name}: {returned}", _doc(member))
        else:
            function = member.__func__ if isinstance(member, classmethod | staticmethod) else member
            yield _item(_called(name, function, bound=not isinstance(member, staticmethod)), _doc(function))
    own = kind.__dict__.get("__call__")
    if inspect.isfunction(own):
        yield _item(_called("self", own, bound=True), _doc(own))


def _item(shown: str, meaning: str) -> str:
    return f"- `{shown}`" + (f": {' '.join(meaning.split())}" if meaning else "") + "\n"


def _methods(kind: type) -> Iterator[tuple[str, Any]]:
    """Public methods and properties, those of our own bases too, each once."""
    seen: set[str] = set()
    for base in kind.__mro__:
        if not base.__module__.startswith(("api.", "ledger.")):
            continue
        for name, member in vars(base).items():
            if name.startswith("_") or name in seen:
                continue
            if inspect.isfunction(member) or isinstance(member, property | classmethod | staticmethod):
                seen.add(name)
                yield name, member


@cache
def _class_node(kind: type) -> ast.ClassDef | None:
    try:
        found = ast.parse(textwrap.dedent(inspect.getsource(kind))).body[0]
    except (OSError, TypeError):
        return None
    return found if isinstance(found, ast.ClassDef) else None


def _fields(kind: type) -> Iterator[tuple[str, str, str]]:
    """(name, annotation, the string below it) of public fields."""
    node = _class_node(kind)
    body = [] if node is None else node.body
    for at, one in enumerate(body):
        if isinstance(one, ast.AnnAssign) and isinstance(one.target, ast.Name) and not one.target.id.startswith("_"):
            after = body[at + 1] if at + 1 < len(body) else None
            told = isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant)
            meaning = str(after.value.value) if told else ""  # type: ignore[union-attr]
            yield one.target.id, ast.unparse(one.annotation), meaning


def _called(name: str, thing: Callable[..., Any], *, bound: bool = False) -> str:
    """A call with all parameters, on one line."""
    try:
        signature = inspect.signature(thing)
    except ValueError:
        return name
    parameters = list(signature.parameters.values())[1 if bound else 0 :]
    shown: list[str] = []
    starred = False
    for one in parameters:
        if one.kind is one.KEYWORD_ONLY and not starred:
            shown.append("*")
            starred = True
        mark = {one.VAR_POSITIONAL: "*", one.VAR_KEYWORD: "**"}.get(one.kind, "")
        starred = starred or mark == "*"
        kind = "" if one.annotation is one.empty else f": {_annotation(one.annotation)}"
        default = "" if one.default is one.empty else f"{' = ' if kind else '='}{_default(one.default)}"
        shown.append(f"{mark}{one.name}{kind}{default}")
    returned = signature.return_annotation
    tail = "" if returned is signature.empty or inspect.isclass(thing) else f" → {_annotation(returned)}"
    awaited = "await " if inspect.iscoroutinefunction(thing) else ""
    return f"{awaited}{name}({', '.join(shown)}){tail}"


def _annotation(annotation: Any) -> str:
    return annotation if isinstance(annotation, str) else inspect.formatannotation(annotation)


def _default(value: Any) -> str:
    """A default as it is written; «…» for one that only the code can say."""
    text = repr(value)
    return "…" if len(text) > LONGEST_DEFAULT or " at 0x" in text or text.startswith("<") else text


def _doc(thing: Any) -> str:
    """The docstring; of a class whose maker says more, both."""
    said = inspect.getdoc(thing) or ""
    if inspect.isclass(thing):
        made = vars(thing).get("__init__")
        more = (made.__doc__ or "") if inspect.isfunction(made) else ""
        generated = said.startswith(f"{thing.__name__}(")
        return "\n\n".join(one for one in ("" if generated else said, inspect.cleandoc(more)) if one)
    return said
