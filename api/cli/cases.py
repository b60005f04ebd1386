"""`consent-ledger case`: a case goes from one authority to another, each signing with its own key over HTTP."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from api.cli.folder import As, ParticipantFolder, seen, speak
from api.cli.saying import fail, files_told_in_a_sentence, mention, say
from ledger.canonical import b64u

if TYPE_CHECKING:
    from api.client import LedgerClient, VerifiedReceipt

cases = typer.Typer(help="Cases that one authority hands to another.", no_args_is_help=True)

Pack = Annotated[Path, typer.Argument(help="The file that is handed over: only its hash leaves here.")]
Scoped = Annotated[
    list[str] | None,
    typer.Option("--scope", help="MEMBER=VALUE of what it is about: holder, recipient, purpose, …; repeatable."),
]


@cases.command("hand-over")
def case_hand_over(
    pack: Pack,
    own: As,
    to: Annotated[str, typer.Option(help="The other authority, a participant.")],
    disclosure: Annotated[int, typer.Option(min=0, help="Entry by which the evidence was opened to you.")],
    basis: Annotated[str, typer.Option(help="Legal basis, a code such as gdpr-61.")],
    handover_id: Annotated[str, typer.Option("--id", help="A new name for it, such as case-7-to-b.")],
    scope: Scoped = None,
) -> None:
    """As a regulator: put on record that the file of a case goes to another one."""
    members = {"basis": basis, "disclosure": disclosure, "handover_id": handover_id, "scope": _scope(scope), "to": to}
    _declare(own, "case.hand_over", "/supervision/cases", pack_hash=_hash(pack), **members)


@cases.command("receive")
def case_receive(
    pack: Pack, own: As, handover: Annotated[int, typer.Option(min=0, help="Entry of the hand-over.")]
) -> None:
    """As the other regulator: sign for the file. Refused if it is another one than was handed over."""
    _declare(own, "case.receive", "/supervision/cases/receive", handover=handover, pack_hash=_hash(pack))


@cases.command("list")
def case_list(own: As) -> None:
    """As a regulator or an auditor: what was handed to whom, and what was signed for."""

    async def asked(client: LedgerClient, _: ParticipantFolder) -> Any:
        return await client.read("/supervision/cases")

    found = speak(own, asked)
    for each in found["handovers"]:
        state = "not signed for yet" if each["received_at"] is None else f"signed for at {each['received_at']}"
        mention(f"{each['index']}  {each['handover_id']}  {each['author']} → {each['to']}  {each['basis']}, {state}")
    say(f"{len(found['handovers'])} hand-overs.", **found)


def _hash(pack: Path) -> str:
    digest = sha256()
    with files_told_in_a_sentence(), pack.open("rb") as stream:
        while piece := stream.read(1 << 20):
            digest.update(piece)
    return b64u(digest.digest())


def _scope(given: list[str] | None) -> dict[str, str]:
    members = {}
    for each in given or ():
        name, equals, value = each.partition("=")
        if not (equals and value):
            fail(f"{each!r} is not MEMBER=VALUE")
        members[name] = value
    return members


def _declare(own: Path, act: str, path: str, **members: Any) -> None:
    """Sign and record a declaration, and keep its receipt."""

    async def said(client: LedgerClient, folder: ParticipantFolder) -> tuple[VerifiedReceipt, Path]:
        [receipt] = await client.ask(path, await client.statements.sign(act, **members))
        return receipt, folder.keep(receipt)

    receipt, file = speak(own, said)
    say(f"{act}: entry {receipt.index}; the receipt is {file}", **seen(receipt, file))
