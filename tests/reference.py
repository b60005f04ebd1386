"""The reference pages, written from the code: settings, commands, Python API.

`python -m tests.reference docs/reference` writes them.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from api.cli.main import PLACES, loaded
from api.node.settings import Settings
from tests import reference_python

HEAD = "Written from the code by `python -m tests.reference docs/reference`; do not edit.\n"


def pages() -> dict[str, str]:
    """File name → content."""
    return {"settings.md": settings_page(), "commands.md": commands_page(), "python.md": reference_python.page(HEAD)}


def settings_page() -> str:
    """Every setting with its meaning and default."""
    rows = list(_rows(Settings, "CONSENT_LEDGER_"))
    lines = ["| variable | meaning |", "|---|---|", *(f"| `{name}` | {meaning} |" for name, meaning in rows)]
    about = "Environment variables; command-line options take precedence. Secrets are files of mode 0600, never values."
    return (
        f"# Settings\n\n{HEAD}\n{about} What goes together: [operating](../operating.md).\n\n" + "\n".join(lines) + "\n"
    )


def _rows(model: type[BaseModel], prefix: str) -> Any:
    for name, field in model.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from _rows(kind, f"{prefix}{name.upper()}__")
            continue
        meaning = " ".join((field.description or "").split()).replace("|", "\\|")
        plain = (
            isinstance(field.default, str | int | bool) and not isinstance(field.default, bool) and field.default != ""
        )
        known = (
            f" Default: `{field.default}`."
            if (plain or isinstance(field.default, bool)) and "Default" not in meaning
            else ""
        )
        yield prefix + name.upper(), meaning + known


def commands_page() -> str:
    """Every command with its arguments and options."""
    about = "How they are used, exit statuses, `--json` (each takes it): [commands](../commands.md)."
    parts = [f"# Commands of `consent-ledger`\n\n{HEAD}\n{about}\n"]
    for name in sorted(PLACES):
        parts += [_command(words, command) for words, command in _below(loaded(name), (name,))]
    return "\n".join(parts)


def _below(command: Any, words: tuple[str, ...]) -> Any:
    inner = getattr(command, "commands", None)
    if inner is None:
        yield words, command
        return
    for name in sorted(inner):
        yield from _below(inner[name], (*words, name))


def _command(words: tuple[str, ...], command: Any) -> str:
    said = " ".join((command.help or "").split())
    lines = [f"## {' '.join(words)}\n{said}\n"]
    rows = []
    for parameter in command.params:
        if parameter.name in ("help", "as_json") or getattr(parameter, "hidden", False):
            continue
        argument = parameter.param_type_name == "argument"
        name = parameter.name.upper() if argument else ", ".join(parameter.opts)
        meaning = " ".join((getattr(parameter, "help", None) or "").split()).replace("|", "\\|")
        rows.append(f"| `{name}` | {meaning}{' Required.' if parameter.required else ''} |")
    if rows:
        lines.append("\n".join(["| | |", "|---|---|", *rows]) + "\n")
    return "\n".join(lines)


def write_pages(folder: Path) -> None:
    """Write all pages."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in pages().items():
        (folder / name).write_text(text)


if __name__ == "__main__":
    write_pages(Path(sys.argv[1]))
