"""The closing table: what was done, the result, and whether it is the right one."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True, slots=True)
class TableLine:
    """One line of the table."""

    name: str
    """A short name for programs."""
    what: str
    result: str
    good: bool
    seconds: float | None = None


@dataclass
class ClosingTable:
    """All lines, in their order."""

    lines: list[TableLine] = field(default_factory=list)

    def add(self, name: str, what: str, result: str, *, good: bool, seconds: float | None = None) -> None:
        """One more line."""
        self.lines.append(TableLine(name, what, result, good, seconds))

    @property
    def good(self) -> bool:
        """Whether everything was as it must be."""
        return bool(self.lines) and all(line.good for line in self.lines)

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        return {line.name: {"result": line.result, "good": line.good, "seconds": line.seconds} for line in self.lines}

    def show(self, console: Console) -> None:
        """For people."""
        table = Table(title="What happened", title_style="bold", show_lines=False, expand=False)
        table.add_column("What was done", overflow="fold")
        table.add_column("What came of it", overflow="fold")
        table.add_column("As it must be?", justify="center", no_wrap=True)
        table.add_column("Time", justify="right", no_wrap=True)
        for line in self.lines:
            verdict = "[green]yes[/]" if line.good else "[bold red]NO[/]"
            table.add_row(line.what, line.result, verdict, "" if line.seconds is None else f"{line.seconds:.1f} s")
        console.print(table)
