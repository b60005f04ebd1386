"""The closing table: what was done, the result, and whether it is the right one."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from rich.console import Console
from rich.table import Table

from api.demo.words import Says


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
    """All lines, in their order; `<name>` of the words is what was done."""

    say: Says
    lines: list[TableLine] = field(default_factory=list)

    def add(self, name: str, result: str, *, good: bool, seconds: float | None = None, **values: object) -> None:
        """One more line; `values` are those of the sentence that says what was done."""
        self.lines.append(TableLine(name, self.say(name, **values), result, good, seconds))

    @property
    def good(self) -> bool:
        """Whether everything was as it must be."""
        return bool(self.lines) and all(line.good for line in self.lines)

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        return {line.name: {"result": line.result, "good": line.good, "seconds": line.seconds} for line in self.lines}

    def show(self, console: Console) -> None:
        """For people."""
        say = self.say
        table = Table(title=say("table"), title_style="bold", show_lines=False, expand=False)
        table.add_column(say("table.what"), overflow="fold")
        table.add_column(say("table.result"), overflow="fold")
        table.add_column(say("table.good"), justify="center", no_wrap=True)
        table.add_column(say("table.time"), justify="right", no_wrap=True)
        for line in self.lines:
            verdict = f"[green]{say('table.yes')}[/]" if line.good else f"[bold red]{say('table.no')}[/]"
            table.add_row(line.what, line.result, verdict, "" if line.seconds is None else f"{line.seconds:.1f} s")
        console.print(table)
