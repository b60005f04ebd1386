"""The pages docs/standards.md and docs/standards/*.md, written from the words.

python -m api.standards.documents docs/standards
"""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Iterable
from importlib import resources
from pathlib import Path

from api.standards.words import StandardWords, words

WIDE = 120


def standards() -> list[str]:
    """The names of all standards that there are words of."""
    folder = resources.files("api.standards.words")
    return sorted(file.name.removesuffix(".json") for file in folder.iterdir() if file.name.endswith(".json"))


def page(standard: str) -> str:
    """The page of one standard."""
    said = words(standard)
    parts = [
        f"# {said.title}",
        *map(wrapped, said.about),
        _states(said),
        _permissions(said),
        _reasons(said),
        _problems(said),
    ]
    for table in said.tables:
        rows = [(f"`{name}`", what) for name, what in table.rows.items()]
        listed = wrapped(f"Official list: {table.official}.")
        parts.append(f"## {table.title}\n{listed}\n\n" + _table(("what", "here"), rows))
    return "\n\n".join(parts) + "\n"


def wrapped(text: str) -> str:
    """A paragraph, as wide as pages are; a table as it stands."""
    if text.startswith("|"):
        return text
    return textwrap.fill(text, WIDE, break_long_words=False, break_on_hyphens=False)


def index() -> str:
    """The list of all standards."""
    rows = [(f"[{words(name).title}](standards/{name}.md)", ", ".join(words(name).versions)) for name in standards()]
    return (
        "# Outward standards\n\n"
        + wrapped(
            "Each is a thin adapter: it reads a request as its standard words it, lets the ledger record what it comes to, and "
            "words the answer. A consent made through one is the same consent in all others and in the native API. They are "
            "served when this node has a [gateway](standards/gateway.md), under `/holders/{holder}/…`, since one ledger serves "
            "several holders."
        )
        + "\n\n"
        + wrapped(
            "Every page says of each official operation, field, header, state and code: `works`, or `by design not` with the "
            "reason. Tests read the official files and fail for whatever is missing here. The pages are made from "
            "`api/standards/words/`, which the adapters read too."
        )
        + "\n\n"
        + _table(("standard", "versions"), rows)
        + "\n\n## Clients that others have made\n"
        + wrapped(
            "`scripts/test-standards` generates clients from the official files and leaves them as they are. With a client "
            "certificate each goes through a whole life: register, authorise in a browser, read through a bank's guard, end, "
            "be refused. Then `consent-verify` judges the bundle: [what it shows](standards/clients.md)."
        )
    )


def _states(said: StandardWords) -> str:
    rows = [
        (f"`{name}`", *(f"`{told[version]}`" for version in said.versions), said.state_notes.get(name, ""))
        for name, told in said.states.items()
    ]
    return "## States\n" + _table(("the ledger's", *said.versions, "note"), rows)


def _permissions(said: StandardWords) -> str:
    rows = [(f"`{name}`", ", ".join(f"`{code}`" for code in codes)) for name, codes in said.permissions.items()]
    return "## Permissions\n" + _table(("the standard's", "codes of the catalogue"), rows)


def _reasons(said: StandardWords) -> str:
    rows = [(f"`{name}`", str(one.status), _code(one.code), one.note) for name, one in said.reasons.items()]
    head = "## Denied accesses\nWhat a bank's resource API answers for each reason of [decisions](../spec/decisions.md).\n\n"
    return head + _table(("reason", "status", "code", "note"), rows)


def _problems(said: StandardWords) -> str:
    rows = [
        (f"[{name}](../errors/{name}.md)", str(one.status), _code(one.code), one.note)
        for name, one in said.problems.items()
    ]
    return "## Refusals of the ledger\n" + _table(("the ledger's", "status", "code", "note"), rows)


def _code(code: str) -> str:
    return f"`{code}`" if code else "no body"


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join(f"| {' | '.join(cell or '–' for cell in line)} |" for line in lines)


def write_pages(folder: Path) -> None:
    """Write all pages and the list of them."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in pages().items():
        (folder / name).write_text(text, encoding="utf-8")


def pages() -> dict[str, str]:
    """File name, beside `docs/standards`, → content."""
    return {"../standards.md": index() + "\n"} | {f"{name}.md": page(name) for name in standards()}


if __name__ == "__main__":
    write_pages(Path(sys.argv[1]))
