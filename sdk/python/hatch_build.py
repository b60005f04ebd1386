"""Make the package `consent_ledger_client` out of the service's own sources: client, guard, and the core they stand on.

The modules of `ledger` that `api.client` and `api.guard` import, directly or not, are copied below `_core`, and imports
are respelt; so neither `api` nor `ledger` is a name in the reader's environment, and nothing is written twice. An sdist
carries the package as it was made, and a wheel built from an sdist takes it from there.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

PACKAGE: Final = "consent_ledger_client"
ROOMS: Final = {"api.client": "client", "api.guard": "guard", "ledger": "_core"}
"""The modules that are copied, and their places in the package."""
_ROOM: Final = r"(?:api\.(?:client|guard)|ledger)"
_FROM: Final = re.compile(rf"^(\s*from )({_ROOM})((?:\.\w+)*) import", re.MULTILINE)
_NAMED: Final = re.compile(r"\bapi([./])(client|guard)\b")


class MissingModule(Exception):
    """A module is imported that is not copied."""


class CustomBuildHook(BuildHookInterface):  # type: ignore[type-arg]
    """Called by hatchling before it collects files."""

    def initialize(self, _version: str, build_data: dict[str, Any]) -> None:
        """Add the package to the build."""
        here = Path(self.root)
        if (here / PACKAGE).is_dir():  # an sdist
            return
        self._made = TemporaryDirectory()
        target = Path(self._made.name) / PACKAGE
        write_package(here.parent.parent, target)
        build_data["force_include"][str(target)] = PACKAGE

    def finalize(self, *_: Any) -> None:
        """Remove what was made for this build."""
        if hasattr(self, "_made"):
            self._made.cleanup()


def write_package(root: Path, target: Path) -> None:
    """Write the package into the new folder `target`, from the checkout at `root`. Raises MissingModule."""
    for module, source in closure(root).items():
        room = next(name for name in ROOMS if module == name or module.startswith(name + "."))
        inside = [ROOMS[room], *module[len(room) + 1 :].split(".")]
        place = target.joinpath(*[part for part in inside if part])
        path = place / "__init__.py" if source.name == "__init__.py" else place.with_suffix(".py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(respelt(source.read_text(encoding="utf-8")), encoding="utf-8")
    for own in (root / "sdk" / "python" / "own").iterdir():
        if own.is_file():
            (target / own.name).write_bytes(own.read_bytes())


def closure(root: Path) -> dict[str, Path]:
    """Module name → file, for client, guard and all that they import of ours. Raises MissingModule."""
    found: dict[str, Path] = {}
    waiting = [
        ".".join(path.relative_to(root).with_suffix("").parts).removesuffix(".__init__")
        for room in ("client", "guard")
        for path in sorted((root / "api" / room).rglob("*.py"))
    ]
    while waiting:
        module = waiting.pop()
        if module in found or module == "api":
            continue
        path = _file_of(root, module)
        if path is None:
            raise MissingModule(f"{module} is imported, and is not there")
        if not any(module == room or module.startswith(room + ".") for room in ROOMS):
            raise MissingModule(f"{module} is imported by client or guard, and does not belong to them")
        found[module] = path
        waiting += _imported(root, path)
        waiting += [module.rpartition(".")[0]] if "." in module else []
    return dict(sorted(found.items()))


def _imported(root: Path, path: Path) -> list[str]:
    """Our modules that a file imports, anywhere in it."""
    modules: list[str] = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names if alias.name.partition(".")[0] in {"api", "ledger"}]
            if names:
                raise MissingModule(f"{path}: write «from … import» for {names[0]}")
        elif isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] in {"api", "ledger"}:
            module = node.module or ""
            modules.append(module)
            below = [f"{module}.{alias.name}" for alias in node.names]
            modules += [name for name in below if _file_of(root, name) is not None]
    return modules


def _file_of(root: Path, module: str) -> Path | None:
    place = root.joinpath(*module.split("."))
    for path in (place / "__init__.py", place.with_suffix(".py")):
        if path.is_file():
            return path
    return None


def respelt(source: str) -> str:
    """A module's text under its new name."""
    source = _FROM.sub(lambda match: f"{match[1]}{PACKAGE}.{ROOMS[match[2]]}{match[3]} import", source)
    return _NAMED.sub(rf"{PACKAGE}\1\2", source)
