"""`consent-ledger remit …`: what regulators are there for, on record (docs/supervision.md, «Several regulators»)."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from api.cli.officers import Officers, two_of
from api.cli.saying import mention, say
from api.cli.shared import State, node_of, say_entry, told_in_a_sentence
from api.node.remits import read_remits, remit_documents

remits = typer.Typer(help="What each regulator is there for, on record.", no_args_is_help=True)


@remits.command("record")
def remit_record(
    file: Annotated[Path, typer.Argument(help="The operator's file of regulators.")],
    approved_by: Officers,
    state: State = None,
) -> None:
    """Put on record what the file says, as far as the log does not say it yet: from the next entry on an order beyond it is
    refused, and whoever reads the log can tell."""
    approving = two_of(approved_by)
    with told_in_a_sentence():
        wanted = read_remits(file)
    with node_of(state) as node:
        known = node.ledger.registry.supervision.remits
        documents = [
            document
            for regulator, remit in wanted.items()
            for document in remit_documents(regulator, remit, known.get(regulator), approving)
        ]
        recorded = node.ledger.record_documents(*documents) if documents else ()
    for one in recorded:
        say_entry(one)
    for regulator in sorted(known.keys() - wanted.keys()):
        mention(f"{regulator}: the log has a remit, and the file says nothing of it; it stays")
    if not recorded:
        mention("the log says the same already")


@remits.command("list")
def remit_list(state: State = None) -> None:
    """What the log says of each regulator; one that is not named is there for all."""
    with node_of(state) as node:
        known = node.ledger.registry.supervision.remits
    for regulator, remit in sorted(known.items()):
        parts = {"holders": remit.holders, "recipients": remit.recipients, "parties": remit.within}
        named = {part: sorted(names) for part, names in parts.items() if names}
        told = "; ".join(f"{part} {', '.join(names)}" for part, names in named.items())
        say(f"{regulator}: {told}", regulator=regulator, **named)
